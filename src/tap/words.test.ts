import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SockscopeError } from '../errors.ts';
import { portAfter, portFor } from './config-defaults.ts';
import { placeText } from './place.ts';
import { readTapWords } from './words.ts';

const read = (words: string[], listens: string[] = [], targets: string[] = []) =>
  readTapWords({ words, listens, targets });

/** `name: listen → target`, and `?` where another port will do. */
function short(...given: Parameters<typeof read>): string[] {
  const taps = read(...given);
  if (taps instanceof SockscopeError) {
    throw taps;
  }
  return taps.map(
    ({ name, listen, target, front, searches }) =>
      `${name}: ${placeText(listen)}${searches ? '?' : ''} → ${front === 'none' ? placeText(target) : front}`,
  );
}

function error(...given: Parameters<typeof read>): SockscopeError {
  const taps = read(...given);
  expect(taps).toBeInstanceOf(SockscopeError);
  return taps as SockscopeError;
}

describe('the words after sockscope tap', () => {
  it('a port is a server on this machine, and the tap listens 10000 above it or on the next free port', () => {
    expect(short(['6379'])).toEqual(['6379: 127.0.0.1:16379? → localhost:6379']);
  });
  it('two words are where it listens and where it leads', () => {
    expect(short([':9999', 'localhost:80'])).toEqual(['80: 127.0.0.1:9999 → localhost:80']);
    expect(short(['6379', '6380'])).toEqual(['6380: 127.0.0.1:6379 → localhost:6380']);
  });
  it('LISTEN=TARGET may be said several times, one bare target beside it', () => {
    expect(short(['7000=6379', '[::1]:7001=unix:/run/x=y.sock', '6379'])).toEqual([
      '6379: 127.0.0.1:7000 → localhost:6379',
      'x=y.sock: [::1]:7001 → unix:/run/x=y.sock',
      '6379-2: 127.0.0.1:16379? → localhost:6379',
    ]);
  });
  it('an = inside a path of its own does not split it', () => {
    expect(short(['/tmp/a=b.sock'])).toEqual(['a=b.sock: unix:/tmp/a=b.sock.tap → unix:/tmp/a=b.sock']);
    expect(short(['http://localhost/?a=b'])).toEqual(['80: 127.0.0.1:10080? → localhost:80']);
    expect(short(['8000=http://h/?a=b'])).toEqual(['80: 127.0.0.1:8000 → h:80']);
  });
  it('-l and -r belong together in their order, and one of them goes with one word', () => {
    expect(short([], ['1', '2'], ['3', '4'])).toEqual([
      '3: 127.0.0.1:1 → localhost:3',
      '4: 127.0.0.1:2 → localhost:4',
    ]);
    expect(short([], [], ['6379', '6379'])).toEqual([
      '6379: 127.0.0.1:16379? → localhost:6379',
      '6379-2: 127.0.0.1:16379? → localhost:6379',
    ]);
    expect(short(['6379'], [':7000'])).toEqual(['6379: 127.0.0.1:7000 → localhost:6379']);
    expect(short(['7000'], [], ['6379'])).toEqual(['6379: 127.0.0.1:7000 → localhost:6379']);
  });
  it('fronts stand alone, several of them too', () => {
    expect(short(['socks5://127.0.0.1:1080', 'connect://:3128'])).toEqual([
      'socks5: 127.0.0.1:1080 → socks5',
      'connect: 127.0.0.1:3128 → connect',
    ]);
    expect(short([], ['socks5://:1'])).toEqual(['socks5: 127.0.0.1:1 → socks5']);
  });
  it('UDP is UDP on both sides', () => {
    expect(short(['udp://9.9.9.9:53'])).toEqual(['53: udp://127.0.0.1:10053? → udp://9.9.9.9:53']);
    expect(short(['5353', 'udp://9.9.9.9:53'])).toEqual(['53: udp://127.0.0.1:5353 → udp://9.9.9.9:53']);
    expect(short(['udp://:5353', '53'])).toEqual(['53: udp://127.0.0.1:5353 → udp://localhost:53']);
    expect(error(['tcp://:1', 'udp://h:1']).message).toContain('UDP leads to UDP only');
    expect(error(['udp://:1', '/run/x.sock']).message).toContain('UDP leads to UDP only');
  });
  it('https asks for TLS on the side it was said of', () => {
    const modes = (words: string[]) =>
      (read(words) as { tls: { mode: string } }[]).map(({ tls }) => tls.mode);
    expect(modes(['https://h'])).toEqual(['originate']);
    expect(modes(['https://:1', 'http://h'])).toEqual(['terminate']);
    expect(modes(['https://:1', 'https://h'])).toEqual(['both']);
    expect(modes(['1', 'h:443'])).toEqual(['none']);
  });

  it.each([
    [[], [], [], 'nothing to tap'],
    [['1', '2', '3'], [], [], '3 addresses in a row'],
    [['1', '2', '3=4'], [], [], '2 addresses in a row'],
    [['1'], ['2'], ['3'], 'both with -l/-r and without'],
    [[], ['1', '2'], ['3'], '-l was given twice and -r once'],
    [[], ['1'], [], 'without a target'],
    [['socks5://:1=80'], [], [], 'socks5:// has no target'],
  ])('%j %j %j is refused: %s', (words, listens, targets, message) => {
    const refused = error(words, listens, targets);
    expect(refused.message).toContain(message);
    expect(refused).toMatchObject({ exit: 2 });
    expect(refused.hint).not.toBe('');
  });
  it('three words are answered with how to say it', () => {
    expect(error(['7000', '6379', '80']).hint).toContain('tap 7000=6379');
  });
  it('a caret stands under the character that is wrong', () => {
    const lines = error(['7000=localhost:99999']).message.split('\n');
    expect(lines[1]).toBe('  localhost:99999');
    expect(lines[2]).toBe('            ^');
  });

  it('every port has another one to listen on, and the search meets no port 0', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 65535 }), (port) => {
        expect(portFor(port)).toBeGreaterThan(1023);
        expect(portFor(port)).toBeLessThan(65536);
        expect(portFor(port)).not.toBe(port);
        expect(portAfter(port)).toBeGreaterThan(1);
        expect(portAfter(port)).toBeLessThan(65536);
      }),
    );
  });
  it('no words throw, and names are unique', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom('1', '1=2', 'socks5://:1', '/a=b', '=', '==', 'udp://:1=2'),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 5 }), (words) => {
        const taps = read(words);
        if (!(taps instanceof SockscopeError)) {
          expect(new Set(taps.map(({ name }) => name)).size).toBe(taps.length);
        }
      }),
    );
  });
});
