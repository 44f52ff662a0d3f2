/** HTTP/1.1 straight on the reactor: no framework, no node:http, one read and one write for each request. */
import { createAnswers } from './hello/answers.ts';
import { type Desk, HelloTalk, PIECE } from './hello/talk.ts';
import type { RawHouse, RawService, ServerKind } from './kind.ts';

export interface HelloPlan {
  readonly body: string;
}

const USUAL = 'Hello, world\n';
const MOST_BODY = 1024 * 1024;
const HEAD_ROOM = 32 * 1024;
/** Without --idle-timeout a request that does not end is given up after this. */
const REQUEST_NS = 10e9;
const LOOK_NS = 250e6;

function service(house: RawHouse, { body }: HelloPlan): RawService {
  const desk: Desk = {
    house,
    answers: createAnswers(),
    body,
    maxBody: house.common.maxBody > 0 ? house.common.maxBody : MOST_BODY,
    into: new Uint8Array(PIECE + HEAD_ROOM + PIECE),
    out: Buffer.alloc(PIECE),
    unfinished: new Set(),
  };
  let ended = false;
  const look = (): void => {
    if (ended) {
      return;
    }
    const before = house.reactor.now() - (house.common.idleNs > 0 ? house.common.idleNs : REQUEST_NS);
    for (const talk of desk.unfinished) {
      if (talk.since < before) {
        talk.overdue();
      }
    }
    house.reactor.after(LOOK_NS, look);
  };
  look();
  return {
    visit: (stream, visit) => new HelloTalk(desk, stream, visit),
    close() {
      ended = true;
    },
  };
}

export const kind: ServerKind<HelloPlan> = {
  name: 'hello',
  about: 'HTTP/1.1 by hand on the event loop',
  words: '',
  options: [{ flags: '--body <text>', about: 'what GET / answers' }],
  examples: ['sockscope serve hello :8080', 'sockscope serve hello --slow 10B/s    a client that waits'],
  port: 8080,
  over: ['tcp', 'unix'],
  tls: true,
  lines: 'requests',
  plan: ({ options }) => ({ body: typeof options.body === 'string' ? `${options.body}\n` : USUAL }),
  tries: ({ host, port, path, tls, authority }) =>
    path !== ''
      ? `curl --unix-socket ${path} http://localhost/`
      : `curl ${tls ? `--cacert ${authority} https` : 'http'}://${host}:${port}/`,
  raw: service,
};
