import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { servicePort } from '../kernel/names.ts';
import { isPlaceError, placeText, plainPlace, readPlace } from './place.ts';

const tcp = (host: string, port: number) => ({ kind: 'tcp', host, port, path: '' });

function plain(text: string, side: 'listen' | 'target') {
  const read = readPlace(text, side);
  return isPlaceError(read) ? read : plainPlace(read);
}

describe('addresses as people write them', () => {
  it.each([
    ['6379', tcp('127.0.0.1', 6379), tcp('localhost', 6379)],
    [':9999', tcp('127.0.0.1', 9999), tcp('localhost', 9999)],
    ['localhost:6379', tcp('localhost', 6379), tcp('localhost', 6379)],
    ['0.0.0.0:9999', tcp('0.0.0.0', 9999), tcp('0.0.0.0', 9999)],
    ['[::1]:80', tcp('::1', 80), tcp('::1', 80)],
    ['[fe80::1%eth0]:80', tcp('fe80::1%eth0', 80), tcp('fe80::1%eth0', 80)],
    ['tcp://h:1', tcp('h', 1), tcp('h', 1)],
    ['tcp://h:1/', tcp('h', 1), tcp('h', 1)],
    ['udp://h:53', { ...tcp('h', 53), kind: 'udp' }, { ...tcp('h', 53), kind: 'udp' }],
    ['http://h/a?b:c@d', tcp('h', 80), tcp('h', 80)],
    ['http://h:8080/a', tcp('h', 8080), tcp('h', 8080)],
    ['HTTPS://[::1]', tcp('::1', 443), tcp('::1', 443)],
    ['bücher.example:80', tcp('bücher.example', 80), tcp('bücher.example', 80)],
  ])('%s', (text, listen, target) => {
    expect(plain(text, 'listen')).toEqual(listen);
    expect(plain(text, 'target')).toEqual(target);
  });

  it.each(['unix:/run/x.sock', 'unix:///run/x.sock', '/run/x.sock'])('%s is a UNIX socket', (text) => {
    expect(plain(text, 'target')).toEqual({ kind: 'unix', host: '', port: 0, path: '/run/x.sock' });
  });
  it('an abstract name and a relative path stay as they are', () => {
    expect(plain('unix:@name', 'listen')).toMatchObject({ kind: 'unix', path: '@name' });
    expect(plain('./x.sock', 'listen')).toMatchObject({ kind: 'unix', path: './x.sock' });
  });
  it('every interface is listened on only when that is said', () => {
    expect(plain('*:9999', 'listen')).toEqual(tcp('0.0.0.0', 9999));
    expect(plain('*:9999', 'target')).toMatchObject({ error: expect.stringContaining('not dialled'), at: 0 });
  });
  it('https wishes for TLS, socks5 and connect are fronts', () => {
    expect(readPlace('https://h', 'target')).toMatchObject({ tls: true, port: 443 });
    expect(readPlace('http://h', 'target')).toMatchObject({ tls: false });
    expect(readPlace('socks5://127.0.0.1', 'listen')).toMatchObject({ front: 'socks5', port: 1080 });
    expect(readPlace('connect://:3128', 'listen')).toMatchObject({ front: 'connect', port: 3128 });
    expect(readPlace('socks5://127.0.0.1:1080', 'target')).toMatchObject({ at: 0 });
  });
  it.skipIf(servicePort('http', 'tcp') !== 80)('a service of /etc/services stands for its port', () => {
    expect(readPlace('http', 'target')).toMatchObject({ host: 'localhost', port: 80, service: 'http' });
    expect(readPlace('db.example:http', 'target')).toMatchObject({ host: 'db.example', port: 80 });
  });

  it.each([
    ['', 0, 'missing'],
    ['local host:1', 5, 'no spaces'],
    ['localhost:', 10, 'port is missing'],
    ['example.com', 0, 'neither a port nor a service'],
    ['localhost:99999', 10, 'not a port'],
    ['localhost:0', 10, 'cannot be dialled'],
    ['::1', 1, 'more than one colon'],
    ['[::1', 0, 'not closed'],
    ['[::g]:80', 1, 'not an IPv6 address'],
    ['[::1]80', 5, 'colon must follow'],
    ['256.0.0.1:80', 0, 'not an IPv4 address'],
    ['a..b:80', 0, "not a host's name"],
    ['a,b:80', 1, 'cannot stand'],
    ['gopher://h:1', 0, 'not known here'],
    ['constructor://h:1', 0, 'not known here'],
    ['tcp://h:1/path', 9, 'nothing may follow'],
    ['tcp://u:p@h:1', 6, 'no user name'],
    ['tcp://h', 6, 'neither a port'],
    ['unix:', 5, 'path of a UNIX socket is missing'],
    ['unix://host/x', 7, 'not a host'],
    [`unix:/${'x'.repeat(107)}`, 5, 'at most 107 bytes'],
  ])('%j is refused at character %i', (text, at, error) => {
    const read = readPlace(text, 'target');
    expect(read).toMatchObject({ at, error: expect.stringContaining(error) });
    expect((read as { hint: string }).hint).not.toBe('');
  });

  it('what was read is written so that it reads the same', () => {
    const host = fc.oneof(fc.ipV4(), fc.domain(), fc.ipV6());
    const kind = fc.constantFrom('tcp' as const, 'udp' as const);
    fc.assert(
      fc.property(kind, host, fc.integer({ min: 1, max: 65535 }), (kind, host, port) => {
        const place = { kind, host, port, path: '' };
        expect(plain(placeText(place), 'target')).toEqual(place);
        expect(plain(placeText(place), 'listen')).toEqual(place);
      }),
    );
  });
  it('no text throws, and every error points into it', () => {
    const piece = fc.constantFrom(
      ':',
      '[',
      ']',
      '//',
      'unix:',
      'tcp',
      '@',
      '/',
      '.',
      '1',
      '65536',
      'h',
      '*',
      '%',
      '=',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece).map((all) => all.join('')),
        ),
        (text) => {
          const read = readPlace(text, 'listen');
          expect(isPlaceError(read) ? read.at >= 0 && read.at <= text.length : read.port <= 65535).toBe(true);
        },
      ),
    );
  });
});
