import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createTelnetDecoder,
  createTelnetEncoder,
  IAC,
  optionBytes,
  subnegotiationBytes,
  type TelnetToken,
} from './telnet-codec.ts';
import { DO } from './telnet-options.ts';

function decode(chunks: readonly Uint8Array[]): { tokens: TelnetToken[]; data: number[] } {
  const decoder = createTelnetDecoder();
  const tokens = chunks.flatMap((chunk) => decoder.decode(chunk));
  return { tokens, data: tokens.flatMap((token) => (token.type === 'data' ? [...token.bytes] : [])) };
}

/** The same bytes in pieces. */
function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...chunks, bytes.subarray(at)];
}

const sizes = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 40 });

describe("telnet's bytes", () => {
  it('what a line encoder writes, a decoder reads back, cut anywhere: CR LF is LF, 255 is doubled', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), sizes, sizes, (bytes, before, behind) => {
        const encoder = createTelnetEncoder();
        const written = [...cut(bytes, before).map((chunk) => encoder.lines(chunk)), encoder.end()];
        const wire = Uint8Array.from(written.flatMap((chunk) => [...chunk]));
        const { data } = decode(cut(wire, behind));
        const expected = Buffer.from(bytes).toString('latin1').replaceAll('\r\n', '\n');
        expect(Buffer.from(data).toString('latin1')).toBe(expected);
      }),
    );
  });

  it('where the chunks end changes nothing, whatever the bytes', () => {
    const telnetish = fc.array(fc.oneof(fc.constantFrom(IAC, 240, 250, 253, 13, 10, 0), fc.nat(255)), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(telnetish, sizes, (numbers, where) => {
        const bytes = Uint8Array.from(numbers);
        const [whole, pieces] = [decode([bytes]), decode(cut(bytes, where))];
        expect(pieces.data).toEqual(whole.data);
        const rest = (tokens: TelnetToken[]): TelnetToken[] => tokens.filter(({ type }) => type !== 'data');
        expect(rest(pieces.tokens)).toEqual(rest(whole.tokens));
      }),
    );
  });

  it('a subnegotiation without an end takes no more than 512 bytes, and one with 255 in it comes whole', () => {
    const endless = new Uint8Array(100_000).fill(65);
    const { tokens } = decode([Uint8Array.of(IAC, 250, 24), endless, Uint8Array.of(IAC, 240)]);
    expect(tokens).toHaveLength(1);
    expect((tokens[0] as { bytes: Uint8Array }).bytes).toHaveLength(512);
    const window = Uint8Array.of(0, 255, 0, 24);
    expect(decode([subnegotiationBytes(31, window)]).tokens).toEqual([
      { type: 'subnegotiation', option: 31, bytes: window },
    ]);
  });

  it('keys do not wait: Enter is CR NUL at once', () => {
    const encoder = createTelnetEncoder();
    expect([...encoder.keys(Uint8Array.of(13))]).toEqual([13, 0]);
    expect([...encoder.keys(Uint8Array.of(IAC, 3))]).toEqual([IAC, IAC, 3]);
  });

  it('an option between two letters leaves the letters alone', () => {
    const { tokens } = decode([Uint8Array.of(97, ...optionBytes(DO, 24), 98)]);
    expect(tokens.map(({ type }) => type)).toEqual(['data', 'option', 'data']);
  });
});
