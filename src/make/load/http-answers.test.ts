import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { httpAnswers } from './http-answers.ts';
import { headEnd } from './http-head.ts';
import type { Recogniser } from './kind.ts';

/** Feeds the bytes in pieces that end at `cuts`; the statuses of the answers that ended, and whether it was refused. */
function feed(one: Recogniser, bytes: Uint8Array, cuts: readonly number[]) {
  const statuses: number[] = [];
  const edges = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort(
    (a, b) => a - b,
  );
  let from = 0;
  for (const to of edges) {
    // As in a buffer that is used again: what follows is rubbish.
    const piece = new Uint8Array(to - from + 16).fill(10);
    piece.set(bytes.subarray(from, to));
    for (let at = 0; at < to - from; ) {
      const before = at;
      at = one.take(piece, at, to - from);
      if (at < 0) {
        return { statuses, refused: true };
      }
      expect(at).toBeGreaterThan(before);
      expect(at).toBeLessThanOrEqual(to - from);
      if (one.done) {
        statuses.push(one.status);
      }
    }
    from = to;
  }
  return { statuses, refused: false };
}

const body = fc.string({ maxLength: 60 }).map((text) => Buffer.from(text));

const status = fc.constantFrom(200, 201, 301, 404, 500, 204, 304);

const answer = fc
  .record({
    status,
    body,
    chunked: fc.boolean(),
    sizes: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 }),
    name: fc.constantFrom('Content-Length', 'content-length', 'CONTENT-LENGTH'),
    other: fc.constantFrom(
      'X-Content-Length: 9',
      'Date: Sat, 21 Nov 2026 14:00:00 GMT',
      'A: b',
      'Content-Type: a',
    ),
    interim: fc.boolean(),
    lineEnd: fc.constantFrom('\r\n', '\r\n', '\n'),
  })
  .map(({ status, body, chunked, sizes, name, other, interim, lineEnd }) => {
    const bodyless = status === 204 || status === 304;
    const first = interim ? 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' : '';
    const length = chunked ? 'Transfer-Encoding: chunked' : `${name}:  ${body.length} `;
    const head = `${first}HTTP/1.1 ${status} Whatever${lineEnd}${other}${lineEnd}${length}${lineEnd}${lineEnd}`;
    const payload = bodyless ? Buffer.alloc(0) : chunked ? inChunks(body, sizes) : body;
    return { status, bytes: Buffer.concat([Buffer.from(head), payload]) };
  });

function inChunks(bytes: Uint8Array, sizes: readonly number[]): Buffer {
  const parts: Uint8Array[] = [];
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = Math.min(sizes[index % sizes.length]!, bytes.length - at);
    parts.push(Buffer.from(`${size.toString(16)}${index % 2 === 0 ? '' : ';name="a;b"'}\r\n`));
    parts.push(bytes.subarray(at, at + size), Buffer.from('\r\n'));
    at += size;
  }
  return Buffer.concat([...parts, Buffer.from('0\r\nTrailer: x\r\n\r\n')]);
}

describe('answers of HTTP', () => {
  it('are counted, each with its status, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(answer, { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(2000), { maxLength: 8 }),
        (answers, cuts) => {
          const all = Buffer.concat(answers.map(({ bytes }) => bytes));
          const { statuses, refused } = feed(httpAnswers(false), all, cuts);
          expect(refused).toBe(false);
          expect(statuses).toEqual(answers.map((one) => one.status));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('are counted byte by byte', () => {
    fc.assert(
      fc.property(fc.array(answer, { minLength: 1, maxLength: 3 }), (answers) => {
        const all = Buffer.concat(answers.map(({ bytes }) => bytes));
        const everywhere = Array.from(all, (_, at) => at);
        expect(feed(httpAnswers(false), all, everywhere).statuses).toEqual(answers.map((one) => one.status));
      }),
      { numRuns: 30 },
    );
  });

  it('to HEAD have no body, whatever they announce', () => {
    const head = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n');
    expect(feed(httpAnswers(true), Buffer.concat([head, head, head]), [7]).statuses).toEqual([200, 200, 200]);
  });

  it('are not taken for the last one when a byte of the head differs', () => {
    const one = httpAnswers(false);
    const short = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na');
    const long = Buffer.from('HTTP/1.1 500 OK\r\nContent-Length: 3\r\n\r\nabc');
    expect(feed(one, Buffer.concat([short, short, long, long, short]), []).statuses).toEqual([
      200, 200, 500, 500, 200,
    ]);
  });

  it('that end with the connection end at FIN, and are the last', () => {
    const one = httpAnswers(false);
    const bytes = Buffer.from('HTTP/1.0 200 OK\r\n\r\nas much as there is');
    expect(feed(one, bytes, [25])).toEqual({ statuses: [], refused: false });
    expect(one.ended()).toBe(true);
    expect([one.done, one.status, one.last]).toEqual([true, 200, true]);
  });

  it('that were cut off by FIN are none', () => {
    const one = httpAnswers(false);
    feed(one, Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'), []);
    expect(one.ended()).toBe(false);
  });

  it('say when the peer will close', () => {
    for (const [head, closes] of [
      ['HTTP/1.1 200 OK\r\nConnection: close\r\n', true],
      ['HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\n', false],
      ['HTTP/1.0 200 OK\r\n', true],
      ['HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n', false],
    ] as const) {
      const one = httpAnswers(false);
      feed(one, Buffer.from(`${head}Content-Length: 0\r\n\r\n`), []);
      expect(one.last, head).toBe(closes);
    }
  });

  it('that are none are refused', () => {
    for (const text of [
      '+PONG\r\n\r\n',
      'HTTP/2 200 OK\r\n\r\n',
      'HTTP/1.1 2x0 OK\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'f'.repeat(20)}\r\n`,
    ]) {
      expect(feed(httpAnswers(false), Buffer.from(text), []).refused, text).toBe(true);
    }
    const endless = Buffer.from(`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(60_000)}`);
    expect(feed(httpAnswers(false), endless, [100_000, 200_000, 300_000]).refused).toBe(true);
  });

  it('made of rubbish never throw and never stand still', () => {
    fc.assert(
      fc.property(
        fc.array(answer, { minLength: 1, maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(2000), fc.integer({ min: 0, max: 255 })), { maxLength: 12 }),
        fc.array(fc.nat(2000), { maxLength: 5 }),
        (answers, changes, cuts) => {
          const all = Buffer.concat(answers.map(({ bytes }) => bytes));
          for (const [at, byte] of changes) {
            all[at % all.length] = byte;
          }
          feed(httpAnswers(false), all, cuts);
        },
      ),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        feed(httpAnswers(false), bytes, [3, 50]);
        expect(headEnd(bytes, 0, bytes.length)).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});
