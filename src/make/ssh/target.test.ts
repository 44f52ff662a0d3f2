import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SockscopeError } from '../../errors.ts';
import { readTarget } from './target.ts';

const bytes = fc.uint8Array({ maxLength: 60 }).map((raw) => Buffer.from(raw).toString('latin1'));

describe('a place to log in to', () => {
  test.each([
    ['web1', { host: 'web1' }],
    ['root@web1', { host: 'web1', user: 'root' }],
    ['root@web1:2222', { host: 'web1', user: 'root', port: 2222 }],
    ['a@b@web1', { host: 'web1', user: 'a@b' }],
    ['::1', { host: '::1' }],
    ['[::1]:2222', { host: '::1', port: 2222 }],
    ['u@[fe80::1%eth0]', { host: 'fe80::1%eth0', user: 'u' }],
    ['ssh://u%40x@web1:22/', { host: 'web1', user: 'u@x', port: 22 }],
    ['ssh://[::1]:22', { host: '::1', port: 22 }],
  ])('%s', (typed, meant) => {
    expect(readTarget(typed)).toEqual(meant);
  });

  test.each([
    '',
    '@host',
    'host:',
    'host:0',
    'host:65536',
    'host:x',
    '-oProxyCommand=x',
    'u@-F',
    'a b',
    '[::1',
    'u@',
  ])('"%s" is none', (typed) => {
    expect(() => readTarget(typed)).toThrow(SockscopeError);
  });

  test('whatever is typed: a place, or our own error', () => {
    fc.assert(
      fc.property(bytes, (typed) => {
        try {
          expect(readTarget(typed).host).not.toBe('');
        } catch (error) {
          expect(error).toBeInstanceOf(SockscopeError);
        }
      }),
    );
  });
});
