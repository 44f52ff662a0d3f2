import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstWords } from './first-words.ts';
import { type HelloStep, helloReader, LONGEST_HELLO } from './hello.ts';

/** What a TLS client of Node writes first. */
async function firstFlight(options: {
  servername?: string;
  ALPNProtocols?: string[];
  maxVersion?: 'TLSv1.2';
}) {
  let said: (bytes: Buffer) => void = () => {};
  const flight = new Promise<Buffer>((resolve) => {
    said = resolve;
  });
  const wire = new Duplex({
    read() {},
    write(bytes, _encoding, done) {
      said(bytes);
      done();
    },
  });
  const socket = connect({ socket: wire, ...options, servername: options.servername ?? '' });
  socket.on('error', () => {});
  const bytes = await flight;
  socket.destroy();
  return bytes;
}

function readAll(bytes: Uint8Array, cuts: readonly number[]): HelloStep {
  const reader = helloReader();
  let answer: HelloStep = { kind: 'more' };
  let at = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    answer = reader.take(bytes.subarray(at, cut));
    at = cut;
  }
  return at < bytes.length ? reader.take(bytes.subarray(at)) : answer;
}

/** The same handshake bytes in records of `size`. */
function inRecords(flight: Uint8Array, size: number): Uint8Array {
  const content = flight.subarray(5);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < content.length; at += size) {
    const piece = content.subarray(at, at + size);
    parts.push(Uint8Array.of(22, 3, 1, piece.length >> 8, piece.length & 255), piece);
  }
  return Buffer.concat(parts);
}

describe('a ClientHello', () => {
  it('tells the name, the protocols in their order and the versions', async () => {
    const flight = await firstFlight({ servername: 'a.test', ALPNProtocols: ['h2', 'http/1.1'] });
    expect(helloReader().take(flight)).toEqual({
      kind: 'hello',
      hello: { sni: 'a.test', alpn: ['h2', 'http/1.1'], versions: [0x0304, 0x0303] },
    });
  });

  it('may come without a name, without protocols and without a list of versions', async () => {
    const flight = await firstFlight({ maxVersion: 'TLSv1.2' });
    const step = helloReader().take(flight);
    expect(step).toEqual({ kind: 'hello', hello: { sni: null, alpn: [], versions: [0x0303] } });
  });

  it('reads the same in any pieces and in records of any size', async () => {
    const flight = await firstFlight({ servername: 'a.test', ALPNProtocols: ['h2'] });
    const whole = helloReader().take(flight);
    expect(whole.kind).toBe('hello');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.array(fc.integer({ min: 0, max: 600 }), { maxLength: 20 }),
        (size, cuts) => {
          const bytes = inRecords(flight, size);
          const inside = cuts.filter((cut) => cut <= bytes.length);
          expect(readAll(bytes, inside)).toEqual(whole);
          expect(
            readAll(
              bytes.subarray(0, -1),
              inside.filter((cut) => cut < bytes.length),
            ),
          ).toEqual({ kind: 'more' });
        },
      ),
      { numRuns: 200 },
    );
  });

  it('never throws on damage, and damage reads the same in any pieces', async () => {
    const flight = await firstFlight({ servername: 'a.test', ALPNProtocols: ['h2'] });
    const harm = fc.array(
      fc.tuple(fc.integer({ min: 0, max: flight.length - 1 }), fc.integer({ min: 0, max: 255 })),
      {
        maxLength: 6,
      },
    );
    const cuts = fc.array(fc.integer({ min: 0, max: flight.length }), { maxLength: 12 });
    fc.assert(
      fc.property(harm, cuts, (changes, places) => {
        const bytes = Buffer.from(flight);
        for (const [at, value] of changes) {
          bytes[at] = value;
        }
        expect(readAll(bytes, places)).toEqual(helloReader().take(bytes));
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (rest) => {
        helloReader().take(rest);
        helloReader().take(Uint8Array.of(22, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3, ...rest));
      }),
    );
  });

  it('too long to be one is refused before it is kept', () => {
    const start = Uint8Array.of(22, 3, 1, 64, 0, 1, 1, 0, 1);
    expect(helloReader().take(start)).toEqual({
      kind: 'not tls',
      why: `a ClientHello of ${LONGEST_HELLO + 1} bytes`,
    });
  });

  it.each([
    ['GET / HTTP/1.1\r\n', 'plain HTTP'],
    ['PRI * HTTP/2.0\r\n', 'plain HTTP/2'],
    ['SSH-2.0-x\r\n', 'SSH'],
    ['PROXY TCP4 1.2.3.4', 'a PROXY protocol header'],
    ['*1\r\n$4\r\nPING\r\n', 'bytes 42 49 13 10'],
    ['PING\r\n', 'bytes 80 73 78 71'],
    ['HELO a.test\r\n', '“HELO a.t…”'],
    [
      '\x00\x00\x00\x08\x04\xd2\x16\x2f',
      "PostgreSQL's own request for TLS (SSLRequest), which comes before TLS begins",
    ],
    ['\x80\x2e\x01\x03\x01', 'SSL 2.0'],
  ])('is not what begins with %j: that is %s', (text, words) => {
    const bytes = Buffer.from(text, 'latin1');
    expect(helloReader().take(bytes).kind).toBe('not tls');
    expect(firstWords(bytes)).toBe(words);
  });
});
