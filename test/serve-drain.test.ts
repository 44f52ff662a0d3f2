/** SIGTERM in the middle of the work: whoever had asked is answered. Every kind in the program, 200 clients each. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { kinds } from '../src/make/serve/kinds.ts';
import { needs } from './needs.ts';
import { listens, serving } from './serving.ts';
import { asked, complete, crowd, HEAD, half, type Said, unlucky } from './serving-crowd.ts';
import { cleanUp, folder, later, until } from './tap/program.ts';

const here = needs('linux');
const CLIENTS = 200;
const BIG = 'x'.repeat(300_000);
const PINGS = 50;

interface Row {
  readonly what: string;
  readonly kind: string;
  /** Words, without the address. */
  readonly words: () => Promise<readonly string[]> | readonly string[];
  readonly says: (client: number) => Said;
}

/** An HTTP server of this test that takes its time. */
async function origin(): Promise<number> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (piece) => {
      body += piece;
    });
    request.once('end', () => setTimeout(() => response.end(`had ${body}`), 300));
  });
  await new Promise<void>((listening) => {
    server.listen(0, '127.0.0.1', listening);
  });
  later(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

let slow = 0;

const rows: readonly Row[] = [
  {
    what: 'hello',
    kind: 'hello',
    words: () => [],
    says: (client) =>
      client % 2 === 0
        ? half('/', 'a body', '6 bytes came')
        : { before: `GET / ${HEAD}`, after: '\r\n', whole: (heard) => complete(heard, 'Hello, world') },
  },
  {
    what: 'hello with two workers',
    kind: 'hello',
    words: () => ['--workers', '2'],
    says: () => half('/', 'a body', '6 bytes came'),
  },
  {
    what: 'api',
    kind: 'api',
    words: () => [],
    says: (client) =>
      client % 2 === 0
        ? half('/echo', 'a body', 'a body')
        : asked(`GET /slow?ms=300 ${HEAD}\r\n`, 'it took 300 ms'),
  },
  {
    what: 'rpc over HTTP',
    kind: 'rpc',
    words: () => ['--http'],
    says: (client) => {
      const ms = client % 2 === 0 ? 0 : 300;
      const text = `{"method":"Slow.Sleep","params":[{"Ms":${ms}}],"id":${client}}`;
      const answer = `"id":${client}`;
      return ms === 0
        ? half('/', text, answer)
        : asked(`POST / ${HEAD}Content-Length: ${text.length}\r\n\r\n${text}`, answer);
    },
  },
  {
    what: 'rpc',
    kind: 'rpc',
    words: () => [],
    says: (client) => ({
      before: `{"method":"Slow.Sleep","params":[{"Ms":300}],"id":${client}}\n`,
      after: '',
      whole: (heard) => heard.includes(`"id":${client}`) && heard.endsWith('}\n'),
    }),
  },
  {
    what: 'files',
    kind: 'files',
    words() {
      const home = folder();
      writeFileSync(join(home, 'big.txt'), BIG);
      return [home];
    },
    says: () => asked(`GET /big.txt ${HEAD}\r\n`, BIG),
  },
  {
    what: 'proxy',
    kind: 'proxy',
    words: async () => [`127.0.0.1:${await origin()}`],
    says: (client) =>
      client % 2 === 0 ? half('/', 'a body', 'had a body') : asked(`GET /?${client} ${HEAD}\r\n`, 'had '),
  },
  {
    what: 'forward',
    kind: 'forward',
    async words() {
      slow = await origin();
      return [];
    },
    says: (client) => asked(`GET http://127.0.0.1:${slow}/?${client} ${HEAD}\r\n`, 'had '),
  },
  {
    what: 'line',
    kind: 'line',
    words: () => [],
    says: () => ({
      before: 'PING 7\r\n'.repeat(PINGS),
      after: '',
      whole: (heard) =>
        heard.startsWith('PONG 7\r\n'.repeat(PINGS)) && heard.endsWith('BYE the server ends\r\n'),
    }),
  },
  {
    what: 'echo',
    kind: 'echo',
    words: () => [],
    says: (client) => {
      const before = `${client} `.repeat(5000);
      return { before, after: '', whole: (heard) => heard === before };
    },
  },
];

const table = rows.filter(({ kind }) => kinds.some(({ name }) => name === kind));

afterAll(cleanUp);

describe.skipIf(here.missing !== null)('a drain', () => {
  for (const row of table) {
    it.concurrent(`${row.what}: ${CLIENTS} clients who have asked, or half asked, get their whole answer`, async () => {
      const server = await serving([row.kind, ...(await row.words()), '--listen', '127.0.0.1:0', '--quiet']);
      const all = await crowd(server, row.says, CLIENTS);
      server.child.kill('SIGTERM');
      // Only then is the drain really under way.
      await until('the listener to be gone', () => !listens(server.port));
      for (const { said, one } of all) {
        if (said.after !== '') {
          one.socket.write(said.after);
        }
      }
      await Promise.all(all.map(({ one }) => one.ended()));
      const { code, err } = await server.ended;
      expect(unlucky(all)).toEqual([]);
      expect(err).toContain(`drained ${CLIENTS}, dropped 0`);
      expect(code).toBe(0);
    });
  }
});
