import { describe, expect, it } from 'vitest';
import { namesToShow, nameToAsk, tlsName } from './names.ts';

describe('the name the target is asked for', () => {
  it.each([
    ['wished', 'a.test', 'b.test', 'wished'],
    ['', 'A.Test', 'b.test', 'a.test'],
    ['', null, 'b.test', 'b.test'],
    ['', 'localhost', 'b.test', 'b.test'],
    ['', 'x.localhost', 'b.test', 'b.test'],
    ['', 'localhost', '127.0.0.1', 'localhost'],
    ['', null, '127.0.0.1', '127.0.0.1'],
    ['', 'a.test', '127.0.0.1', 'a.test'],
    ['', 'bad name\n', '/run/x.sock', 'localhost'],
  ])('wish %j, client %j, target %j: %j', (wished, sni, host, name) => {
    expect(nameToAsk(wished, sni, host)).toBe(name);
  });
});

describe('the names the client is shown', () => {
  it('are the one it asked for, or the address it came to', () => {
    expect(namesToShow('A.test', '127.0.0.1')).toEqual(['a.test']);
    expect(namesToShow(null, '10.0.0.1')).toEqual(['10.0.0.1']);
    expect(namesToShow(null, '127.0.0.1')).toEqual(['localhost', '127.0.0.1', '::1']);
    expect(namesToShow(null, '127.0.0.9')).toEqual(['127.0.0.9', 'localhost', '127.0.0.1', '::1']);
    expect(namesToShow(null, '::ffff:10.0.0.1')).toEqual(['10.0.0.1']);
    expect(namesToShow(null, 'fe80::1%eth0')).toEqual(['fe80::1']);
    expect(namesToShow('*.com', '/run/x.sock')).toEqual(['localhost', '127.0.0.1', '::1']);
  });

  it('are never what a certificate cannot carry', () => {
    for (const name of [
      '',
      '.',
      'a..b',
      '*.test',
      'a\0.test',
      'ä.test',
      'a b',
      `${'a.'.repeat(127)}a`,
      '-a.test',
      '::1%lo',
      null,
    ]) {
      expect(tlsName(name)).toBeNull();
    }
    for (const name of ['a', 'my_service.test', 'xn--4ca.test', '::1', '10.0.0.1']) {
      expect(tlsName(name)).toBe(name);
    }
  });
});
