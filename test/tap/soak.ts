/**
 * Many connections of all kinds through one tap: every byte is compared with what was sent, in both directions, and how each
 * end learns of the other's end. What becomes of a connection follows from its number and the seed.
 */
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { createRandom } from '../../src/session/random.ts';

const ENDINGS = [
  'client first',
  'server first',
  'at once',
  'client resets',
  'server resets',
  'says nothing',
] as const;
type Ending = (typeof ENDINGS)[number];

interface Course {
  readonly ending: Ending;
  readonly header: string;
  readonly up: Buffer;
  readonly down: Buffer;
  /** Where the one who resets stops. */
  readonly cut: number;
}

export interface Soaked {
  readonly connections: number;
  readonly endings: Readonly<Record<string, number>>;
  /** Connections that one end reset. */
  readonly resets: number;
  /** Resets that the other end saw as one. Node takes a RST that comes together with bytes for an end (libuv, uv__stream_eof). */
  readonly resetsSeen: number;
  /** Bytes that arrived and were compared. */
  readonly bytes: number;
  /** What was not as it should be, in words; at most a few. */
  readonly wrong: readonly string[];
}

export interface SoakTarget {
  readonly port: number;
  run(port: number, connections: number, atOnce: number): Promise<Soaked>;
  close(): Promise<void>;
}

const MOST_WRONG = 10;
const STORE = 4 << 20;

/** What one end has heard, compared as it comes. */
class Hearing {
  got = 0;
  ended = false;
  error: string | null = null;
  same = true;
  readonly #expected: Buffer;

  constructor(expected: Buffer) {
    this.#expected = expected;
  }

  take(bytes: Buffer): void {
    this.same &&= bytes.equals(this.#expected.subarray(this.got, this.got + bytes.length));
    this.got += bytes.length;
  }

  whole(): boolean {
    return this.same && this.ended && this.error === null && this.got === this.#expected.length;
  }
}

function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

function write(socket: Socket, bytes: Buffer, then: () => void): void {
  if (bytes.length === 0) {
    then();
  } else {
    socket.write(bytes, (error) => {
      if (error === undefined || error === null) {
        then();
      }
    });
  }
}

export async function soakTarget(seed: number): Promise<SoakTarget> {
  const store = randomFillSync(Buffer.alloc(STORE));
  const courses = new Map<number, Course>();
  const far = new Map<number, { readonly heard: Hearing; readonly closed: Promise<void> }>();
  const waiting = new Map<number, () => void>();

  function courseOf(number: number): Course {
    const random = createRandom(seed, 'soak', '', number, '');
    const below = (most: number): number => Math.floor(random() * most);
    const size = (): number => [0, below(100), below(5000), below(60_000), below(400_000)][below(5)]!;
    const slice = (): Buffer => {
      const length = size();
      const from = below(STORE - length);
      return store.subarray(from, from + length);
    };
    const up = slice();
    const down = slice();
    const headers = [
      `#${number}\n`,
      `POST /${number} HTTP/1.1\r\nHost: x\r\nContent-Length: ${up.length}\r\n\r\n`,
      `*2\r\n$3\r\nGET\r\n$${String(number).length}\r\n${number}\r\n`,
    ];
    const rare = below(100);
    const ending =
      rare < 8 ? ENDINGS[5] : rare < 22 ? ENDINGS[3] : rare < 36 ? ENDINGS[4] : ENDINGS[below(3)]!;
    return { ending, header: headers[below(3)]!, up, down, cut: below(1 + Math.max(up.length, down.length)) };
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    let early = Buffer.alloc(0);
    socket.on('error', () => {});
    const begin = (bytes: Buffer): void => {
      early = Buffer.concat([early, bytes]);
      const written = early.toString('latin1', 0, 200);
      // The number is what the header was made of: the last digits of a first line, or of the RESP key.
      const found =
        /^#(\d+)\n/.exec(written) ??
        /^POST \/(\d+) HTTP[\s\S]*?\r\n\r\n/.exec(written) ??
        /^\*2\r\n\$3\r\nGET\r\n\$\d+\r\n(\d+)\r\n/.exec(written);
      if (found !== null) {
        socket.off('data', begin);
        answer(socket, Number(found[1]), early.subarray(found[0].length));
      }
    };
    socket.on('data', begin);
    socket.on('end', () => {
      if (socket.listeners('data').includes(begin)) {
        socket.end();
      }
    });
  });

  function answer(socket: Socket, number: number, early: Buffer): void {
    const course = courses.get(number);
    if (course === undefined) {
      socket.destroy();
      return;
    }
    const heard = new Hearing(course.up);
    const closed = gone(socket);
    far.set(number, { heard, closed });
    waiting.get(number)?.();
    heard.take(early);
    socket.on('data', (bytes: Buffer) => heard.take(bytes));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      heard.error = error.code ?? error.message;
    });
    socket.on('end', () => {
      heard.ended = true;
      if (course.ending === 'client first') {
        write(socket, course.down, () => socket.end());
      } else if (course.ending === 'client resets') {
        socket.destroy();
      }
    });
    switch (course.ending) {
      case 'server first':
      case 'at once':
        write(socket, course.down, () => socket.end());
        break;
      case 'server resets':
        write(socket, course.down.subarray(0, course.cut), () => socket.resetAndDestroy());
        break;
      case 'client resets':
        write(socket, course.down, () => {});
        break;
    }
  }

  async function one(
    port: number,
    number: number,
    wrong: (text: string) => void,
  ): Promise<{ ending: Ending; bytes: number; reset: boolean; seen: boolean }> {
    const course = courseOf(number);
    const { ending } = course;
    courses.set(number, course);
    const met = new Promise<void>((resolve) => waiting.set(number, resolve));
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const heard = new Hearing(course.down);
    socket.on('data', (bytes: Buffer) => heard.take(bytes));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      heard.error = error.code ?? error.message;
    });
    const closed = gone(socket);
    socket.on('end', () => {
      heard.ended = true;
      if (ending === 'server first') {
        write(socket, course.up, () => socket.end());
      } else if (ending === 'server resets') {
        socket.destroy();
      }
    });
    await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
    if (ending === 'says nothing') {
      if (number % 2 === 0) {
        socket.resetAndDestroy();
      } else {
        socket.destroy();
      }
      await closed;
    } else {
      socket.write(course.header);
      if (ending === 'client first' || ending === 'at once') {
        write(socket, course.up, () => socket.end());
      } else if (ending === 'client resets') {
        await met;
        write(socket, course.up.subarray(0, course.cut), () => socket.resetAndDestroy());
      } else if (ending === 'server resets') {
        write(socket, course.up, () => {});
      }
      await met;
      const other = far.get(number)!;
      await Promise.all([closed, other.closed]);
      judge(number, course, heard, other.heard, wrong);
    }
    const sufferer =
      ending === 'client resets' ? far.get(number)?.heard : ending === 'server resets' ? heard : undefined;
    const seen = sufferer?.error === 'ECONNRESET';
    const reset = sufferer !== undefined || (ending === 'says nothing' && number % 2 === 0);
    const bytes = heard.got + (far.get(number)?.heard.got ?? 0);
    courses.delete(number);
    far.delete(number);
    waiting.delete(number);
    return { ending, bytes, reset, seen };
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async run(port, connections, atOnce) {
      const wrong: string[] = [];
      const endings: Record<string, number> = {};
      let bytes = 0;
      let resets = 0;
      let resetsSeen = 0;
      let next = 0;
      const worker = async (): Promise<void> => {
        while (next < connections && wrong.length < MOST_WRONG) {
          const done = await one(port, next++, (text) => wrong.push(text));
          endings[done.ending] = (endings[done.ending] ?? 0) + 1;
          bytes += done.bytes;
          resets += done.reset ? 1 : 0;
          resetsSeen += done.seen ? 1 : 0;
        }
      };
      await Promise.all(Array.from({ length: atOnce }, worker));
      return { connections: next, endings, resets, resetsSeen, bytes, wrong };
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function judge(
  number: number,
  { ending, up, down, cut }: Course,
  client: Hearing,
  server: Hearing,
  wrong: (text: string) => void,
): void {
  const tell = (what: string): void =>
    wrong(
      `#${number} ${ending} up ${up.length} down ${down.length} cut ${cut}: ${what}; client ${JSON.stringify(client)} server ${JSON.stringify(server)}`,
    );
  if (!client.same || !server.same) {
    tell('bytes differ');
  } else if (ending !== 'client resets' && ending !== 'server resets') {
    if (!client.whole() || !server.whole()) {
      tell('not whole');
    }
  }
}
