/** JSON-RPC over HTTP (one text in a POST, one in its answer) and over WebSocket (one text in a message). */
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import type { NodeHouse } from '../kind.ts';
import { readBody } from '../web/body.ts';
import type { WebHandler } from '../web/handler.ts';
import { type Answering, answerTo } from './answer.ts';
import type { Methods } from './methods.ts';

const USUAL_MOST = 1024 * 1024;
const GOING_AWAY = 1001;

export function webHandler(house: NodeHouse, methods: Methods): WebHandler {
  const most = house.common.maxBody > 0 ? house.common.maxBody : USUAL_MOST;
  const later: Answering['later'] = (ms, run) => void setTimeout(run, ms);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: most });
  const open = new Set<WebSocket>();

  return {
    async handle(request, response, exchange) {
      if (request.method !== 'POST') {
        response.writeHead(405, { Allow: 'POST', 'Content-Type': 'text/plain; charset=utf-8' });
        response.end('JSON-RPC comes by POST, or by WebSocket\n');
        return;
      }
      const body = await readBody(request, most);
      if (body === 'gone') {
        return;
      }
      if (body === 'too large') {
        response.writeHead(413, { 'Content-Type': 'text/plain; charset=utf-8' });
        response.end(`a request of more than ${most} bytes\n`);
        return;
      }
      const asked: Answering['asked'] = ({ what, result }) => exchange.note(`${what} ${result}`);
      const answer = await new Promise<string>((done) =>
        answerTo(body.toString('utf8'), { methods, later, asked }, done),
      );
      if (answer === '') {
        response.writeHead(204);
        response.end();
      } else {
        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.end(`${answer}\n`);
      }
    },
    upgrade(request, socket, head, exchange) {
      sockets.handleUpgrade(request, socket, head, (web) => {
        open.add(web);
        web.on('close', () => open.delete(web));
        web.on('error', () => {});
        web.on('message', (data) => {
          const at = house.now();
          const text = String(data);
          const asked: Answering['asked'] = ({ what, result, fine }) => {
            const took = house.now() - at;
            const line = { what, result, fine, took, received: text.length, sent: 0, note: 'websocket' };
            house.access({ at, from: exchange.peer, ...line });
          };
          answerTo(text, { methods, later, asked }, (answer) => {
            if (answer !== '') {
              web.send(answer);
            }
          });
        });
      });
    },
    drain() {
      for (const web of open) {
        web.close(GOING_AWAY, 'the server ends');
      }
    },
    close() {
      sockets.close();
    },
  };
}
