import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SockscopeError } from '../errors.ts';
import { matchesPlace, parseDuration, parsePlace, parseTarget } from './kill-targets.ts';

function refused(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof SockscopeError && error.exit === 2) {
      return `${error.message} ${error.hint}`;
    }
    throw error;
  }
  throw new Error('it was accepted');
}

describe('what may be named after kill', () => {
  it('a port, a port of one address, a program, a process', () => {
    expect(parseTarget(':8080')).toMatchObject({ kind: 'port', port: 8080, address: null });
    expect(parseTarget('127.0.0.1:80')).toMatchObject({ kind: 'port', port: 80, address: '127.0.0.1' });
    expect(parseTarget('[::1]:80')).toMatchObject({ kind: 'port', port: 80, address: '::1' });
    expect(parseTarget('*:80')).toMatchObject({ kind: 'port', port: 80, address: null });
    expect(parseTarget('node')).toMatchObject({ kind: 'name', name: 'node' });
    expect(parseTarget('pid:12')).toMatchObject({ kind: 'pid', pid: 12 });
  });

  it('a bare number is asked back, as it could be a port or a process', () => {
    expect(refused(() => parseTarget('8080'))).toContain('`:8080` for the port, `pid:8080` for the process');
  });

  it.each(['pid:0', 'pid:-1', 'pid:', 'pid:1x', 'pid:4194305', 'pid:99999999'])(
    '%s names no process, least of all a group of them',
    (text) => {
      expect(refused(() => parseTarget(text))).toContain('names no process');
    },
  );

  it.each([':0', ':65536', ':', ':http', '1.2.3.4:', '::1:80', ''])('%j is refused with a hint', (text) => {
    expect(refused(() => parseTarget(text))).toMatch(/Write/);
  });

  it('no text at all gets past as a pid below 1 or a port outside 1 to 65535', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((s) => `pid:${s}`),
          fc.string().map((s) => `:${s}`),
        ),
        (text) => {
          try {
            const target = parseTarget(text);
            return target.kind === 'pid'
              ? target.pid >= 1
              : target.kind === 'name'
                ? target.name !== ''
                : target.port >= 1 && target.port <= 65535;
          } catch (error) {
            return error instanceof SockscopeError;
          }
        },
      ),
    );
  });
});

it('an IPv4 peer of an IPv6 socket is found under its IPv4 address', () => {
  const end = { address: '::ffff:127.0.0.1', port: 80 };
  expect(matchesPlace(parsePlace('127.0.0.1:80'), end)).toBe(true);
  expect(matchesPlace(parsePlace('127.0.0.2:80'), end)).toBe(false);
  expect(matchesPlace(parsePlace('127.0.0.1:81'), end)).toBe(false);
});

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['3s', 3000],
    ['1m', 60_000],
    ['0.5s', 500],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['3', 's', '-1s', '3h', '61m', '', '1e3s'])('%j is no duration', (text) => {
    expect(refused(() => parseDuration(text))).toContain('is not a duration');
  });
});
