import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Address } from '../../reactor/reactor.ts';
import type { FrontSpeaker, FrontStep } from './front.ts';
import { MOST_FRONT_BYTES } from './front.ts';
import { fronts } from './fronts.ts';

/** A conversation with a client whose bytes arrive in these pieces: what it is told, and how it ended. */
function talk(front: FrontSpeaker, pieces: readonly Uint8Array[]) {
  const state = front.begin();
  const told: number[] = [];
  let waiting = new Uint8Array(0);
  let total = 0;
  let last: FrontStep = { kind: 'need' };
  for (const piece of pieces) {
    total += piece.length;
    // An offset of 3, so that a speaker that forgets `from` fails.
    waiting = Uint8Array.from([...waiting, ...piece]);
    if (last.kind === 'dial' || last.kind === 'refuse') {
      continue;
    }
    for (let more = true; more; ) {
      const shifted = Uint8Array.from([9, 9, 9, ...waiting, 9]);
      last = front.step(state, shifted, 3, 3 + waiting.length);
      more = last.kind === 'say';
      if (last.kind === 'say' || last.kind === 'refuse') {
        told.push(...last.bytes);
      }
      if (last.kind === 'say' || last.kind === 'dial') {
        expect(last.consumed).toBeGreaterThan(0);
        expect(last.consumed).toBeLessThanOrEqual(waiting.length);
        waiting = waiting.slice(last.consumed);
      }
    }
    if (last.kind === 'need') {
      expect(waiting.length).toBeLessThan(MOST_FRONT_BYTES);
    }
  }
  const how =
    last.kind === 'dial'
      ? `dial ${last.host} ${last.port}`
      : last.kind === 'refuse'
        ? `refuse ${last.why}`
        : last.kind;
  const rest = last.kind === 'dial' ? [...waiting] : [];
  return { state, how, told, rest, total };
}

const hear = (name: 'socks5' | 'connect', ...parts: (string | readonly number[])[]) =>
  talk(fronts[name], [Buffer.concat(parts.map((part) => Buffer.from(part as string)))]);

const text = (told: readonly number[]): string => Buffer.from(told).toString();
const bound: Address = { kind: 'tcp', host: '10.0.0.1', port: 4660 };

describe('a SOCKS 5 front', () => {
  const greeting = [5, 1, 0];
  const named = [5, 1, 0, 3, 9, ...Buffer.from('localhost'), 0x18, 0xeb];
  it('dials a name, an IPv4 and an IPv6 address', () => {
    expect(hear('socks5', greeting, named)).toMatchObject({ how: 'dial localhost 6379', told: [5, 0] });
    expect(hear('socks5', greeting, [5, 1, 0, 1, 127, 0, 0, 1, 0, 80]).how).toBe('dial 127.0.0.1 80');
    const loopback = [...new Array(15).fill(0), 1];
    expect(hear('socks5', greeting, [5, 1, 0, 4, ...loopback, 0, 80]).how).toBe('dial ::1 80');
  });
  it('keeps what the client says early', () => {
    expect(hear('socks5', greeting, named, 'PING\r\n').rest).toEqual([...Buffer.from('PING\r\n')]);
  });
  it('takes any user name and password, and asks for none where it need not', () => {
    const login = [1, 2, 0x61, 0x62, 1, 0x63];
    expect(hear('socks5', [5, 1, 2], login, named)).toMatchObject({
      how: 'dial localhost 6379',
      told: [5, 2, 1, 0],
    });
    expect(hear('socks5', [5, 2, 2, 0], named).told).toEqual([5, 0]);
    expect(hear('socks5', [5, 1, 2], [1, 0, 0], named).how).toBe('dial localhost 6379');
  });
  it('refuses what it cannot do with the code for it', () => {
    expect(hear('socks5', [5, 1, 1])).toMatchObject({ told: [5, 255] });
    expect(hear('socks5', greeting, [5, 2, 0, 1, 0, 0, 0, 0, 0, 0]).told.slice(2, 4)).toEqual([5, 7]);
    expect(hear('socks5', greeting, [5, 3, 0, 1, 0, 0, 0, 0, 0, 0]).how).toContain('UDP ASSOCIATE');
    expect(hear('socks5', greeting, [5, 1, 0, 9, 0]).told.slice(2, 4)).toEqual([5, 8]);
    expect(hear('socks5', greeting, [5, 1, 0, 3, 0, 0, 80]).told.slice(2, 4)).toEqual([5, 1]);
    expect(hear('socks5', greeting, [5, 1, 0, 3, 1, 0x0a, 0, 80]).how).toContain('no host and port');
    expect(hear('socks5', [22, 3, 1])).toMatchObject({
      told: [],
      how: expect.stringContaining('neither SOCKS 5 nor 4'),
    });
    expect(text(hear('socks5', 'GET http://h/ HTTP/1.1\r\n').told)).toContain('connect://');
  });
  it.each([
    [0, 0],
    [-111, 5],
    [-101, 3],
    [-113, 4],
    [-110, 4],
    [-13, 2],
    [-97, 8],
    [-104, 1],
  ])('answers %i with reply %i', (result, code) => {
    const { state } = hear('socks5', greeting, named);
    expect([...fronts.socks5.answer(state, result, bound)]).toEqual([5, code, 0, 1, 10, 0, 0, 1, 0x12, 0x34]);
  });
  it('tells an IPv6 end, and zeros where there is none', () => {
    const { state } = hear('socks5', greeting, named);
    const six = fronts.socks5.answer(state, 0, { kind: 'tcp', host: '::1', port: 1 });
    expect([...six]).toEqual([5, 0, 0, 4, ...new Array(15).fill(0), 1, 0, 1]);
    expect([...fronts.socks5.answer(state, -111, null)]).toEqual([5, 5, 0, 1, 0, 0, 0, 0, 0, 0]);
  });
  it('speaks SOCKS 4 and 4a to those who do', () => {
    const four = hear('socks5', [4, 1, 0, 80, 127, 0, 0, 1], 'me\0early');
    expect(four).toMatchObject({ how: 'dial 127.0.0.1 80', rest: [...Buffer.from('early')] });
    expect([...fronts.socks5.answer(four.state, 0, bound)]).toEqual([0, 90, 0x12, 0x34, 10, 0, 0, 1]);
    expect([...fronts.socks5.answer(four.state, -111, null)]).toEqual([0, 91, 0, 0, 0, 0, 0, 0]);
    expect(hear('socks5', [4, 1, 0, 80, 0, 0, 0, 7], 'me\0localhost\0').how).toBe('dial localhost 80');
    expect(hear('socks5', [4, 2, 0, 80, 127, 0, 0, 1, 0]).told[1]).toBe(91);
    expect(hear('socks5', [4, 1, 0, 80, 127, 0, 0, 1], 'x'.repeat(300)).how).toContain('does not end');
    expect(hear('socks5', [4, 1, 0, 80, 0, 0, 0, 1], `a\0${'x'.repeat(300)}`).how).toContain('does not end');
  });
});

describe('an HTTP CONNECT front', () => {
  it('dials what is asked for and keeps what the client says early', () => {
    const head = 'CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\nUser-Agent: x\r\n\r\n';
    expect(hear('connect', head, 'early')).toMatchObject({
      how: 'dial localhost 443',
      told: [],
      rest: [...Buffer.from('early')],
    });
    expect(hear('connect', '\r\nCONNECT [::1]:80 HTTP/1.0\n\n').how).toBe('dial ::1 80');
  });
  it('tells other methods what this is', () => {
    const { told, how } = hear('connect', 'GET http://localhost/ HTTP/1.1\r\n');
    expect(text(told)).toMatch(
      /^HTTP\/1\.1 405 [\s\S]*\r\nAllow: CONNECT\r\n[\s\S]*\r\n\r\nThis is an HTTP CONNECT front/,
    );
    expect(how).toContain('asks for GET');
    expect(Number(/Content-Length: (\d+)/.exec(text(told))?.[1])).toBe(
      text(told).split('\r\n\r\n')[1]?.length,
    );
  });
  it.each([
    ['CONNECT localhost HTTP/1.1\r\n', 400],
    ['CONNECT localhost:0 HTTP/1.1\r\n', 400],
    ['CONNECT localhost:99999 HTTP/1.1\r\n', 400],
    ['CONNECT :80 HTTP/1.1\r\n', 400],
    ['CONNECT [::g]:80 HTTP/1.1\r\n', 400],
    ['CONNECT http://h:80 HTTP/1.1\r\n', 400],
    ['CONNECT ::1:80 HTTP/1.1\r\n', 400],
    ['CONNECT h:80 HTTP/2.0\r\n', 505],
    ['CONNECT  h:80 HTTP/1.1\r\n', 400],
    ['CONNECT h:80 HTTP/1.1\r\nno header\r\n', 400],
    ['CONNECT h:80 HTTP/1.1\r\nA: b\r\n folded: c\r\n', 400],
    ['\x16\x03\x01', 400],
    [`CONNECT ${'x'.repeat(9000)}`, 431],
    [`CONNECT h:80 HTTP/1.1\r\n${'a: bcdefgh\r\n'.repeat(2000)}`, 431],
  ])('%j is answered with %i', (sent, status) => {
    const { told, how } = hear('connect', sent);
    expect(text(told).slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
    expect(how).toMatch(/^refuse /);
  });
  it('says how the dial went: 200, 504 after a time-out, 502 otherwise', () => {
    const said = (result: number) => text([...fronts.connect.answer(fronts.connect.begin(), result, bound)]);
    expect(said(0)).toMatch(/^HTTP\/1\.1 200 [^\r]*\r\n\r\n$/);
    expect(said(-110)).toMatch(/^HTTP\/1\.1 504 /);
    expect(said(-111)).toMatch(/^HTTP\/1\.1 502 [\s\S]*ECONNREFUSED/);
  });
});

describe('any front', () => {
  const like = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .constantFrom(
        [5, 1, 0],
        [5, 2, 0, 2],
        [5, 1, 2],
        [1, 1, 65, 1, 65],
        [5, 1, 0, 1, 127, 0, 0, 1, 0, 80],
        [5, 1, 0, 3, 1, 65, 0, 80],
        [4, 1, 0, 80, 0, 0, 0, 1, 65, 0, 66, 0],
        [...Buffer.from('CONNECT a:1 HTTP/1.1\r\n')],
        [...Buffer.from('GET / HTTP/1.1\r\n')],
        [...Buffer.from('A: b\r\n')],
        [13, 10],
        [...Buffer.from('c'.repeat(9000))],
      )
      .map((bytes) => Uint8Array.from(bytes)),
  );
  it.each(['socks5', 'connect'] as const)(
    '%s never throws, and it does not matter how the bytes are split',
    (name) => {
      const sent = fc.array(like, { maxLength: 6 });
      fc.assert(
        fc.property(sent, fc.array(fc.nat(200), { maxLength: 20 }), (parts, cuts) => {
          const all = Buffer.concat(parts);
          const pieces: Uint8Array[] = [];
          let at = 0;
          for (const cut of [...cuts, all.length]) {
            pieces.push(all.subarray(at, at + cut));
            at += cut;
          }
          const { state: _, ...split } = talk(fronts[name], pieces);
          const { state: __, ...whole } = talk(fronts[name], [all]);
          expect(split).toEqual(whole);
        }),
      );
    },
  );
});
