import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SockscopeError } from '../errors.ts';
import { readDialAddress } from './dial-address.ts';
import { unescaped } from './dial-flags.ts';
import { harmless } from './dial-terminal.ts';

function read(text: string, flags = {}): string {
  try {
    const { scheme, host, port, path } = readDialAddress(text, flags);
    return [scheme, host, port, path].join(' ').trim();
  } catch (error) {
    if (error instanceof SockscopeError && error.exit === 2) {
      return error.message;
    }
    throw error;
  }
}

describe('addresses to dial', () => {
  it.each([
    ['localhost:80', 'tcp localhost 80'],
    [':8080', 'tcp localhost 8080'],
    ['8080', 'tcp localhost 8080'],
    ['tcp://[::1]:443/', 'tcp ::1 443'],
    ['udp://127.0.0.1:53', 'udp 127.0.0.1 53'],
    ['unix:/run/x.sock', 'unix  0 /run/x.sock'],
    ['./x.sock', 'unix  0 ./x.sock'],
    ['unix-dgram:@name', 'unix-dgram  0 @name'],
    ['telnet://host', 'telnet host 23'],
    ['telnet://[::1]', 'telnet ::1 23'],
    ['telnet://host:2323', 'telnet host 2323'],
    ['wss://h/live?a=1#x', 'wss h 443 /live?a=1'],
    ['ws://h:3000?a=b', 'ws h 3000 /?a=b'],
  ])('%s is %s', (text, means) => {
    expect(read(text)).toBe(means);
  });

  it('-u and -U say what the text leaves open', () => {
    expect(read('h:53', { udp: true })).toBe('udp h 53');
    expect(read('x.sock', { unix: true })).toContain('x.sock');
    expect(read('/x.sock', { unix: true, udp: true })).toBe('unix-dgram  0 /x.sock');
  });

  it('a caret stands under what cannot be read', () => {
    expect(read('tls://h:99999')).toBe('99999 is not a port.\n  tls://h:99999\n          ^');
    expect(read('tcp://h:1/x')).toBe('nothing may follow the port.\n  tcp://h:1/x\n           ^');
    expect(read('http://x/')).toContain('http:// is nothing that dial speaks by itself');
  });

  it('any text is an address or a sentence', () => {
    const piece = fc.constantFrom(
      'tcp',
      'ws',
      'unix',
      '://',
      ':',
      '/',
      '[',
      ']',
      '::1',
      '@',
      '80',
      'h',
      '?',
      '#',
      ' ',
      '%',
      '.',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(text, fc.boolean(), fc.boolean(), (typed, udp, unix) => {
        expect(typeof read(typed, { udp, unix })).toBe('string');
      }),
      { numRuns: 500 },
    );
  });
});

describe('text on its way', () => {
  it('escapes of --send are bytes, and what is none stays as it is', () => {
    expect(Buffer.from(unescaped('a\\r\\n\\x00\\xff\\q\\\\n')).toString('latin1')).toBe('a\r\n\0\xff\\q\\n');
  });

  it('colours of the peer stay, what moves the cursor or rings is shown', () => {
    expect(harmless('\x1b[31mred\x1b[0m\x1b[2J\x07\x9b2J\n\t')).toBe(
      '\x1b[31mred\x1b[0m\\x1b[2J\\x07\\x9b2J\n\t',
    );
  });
});
