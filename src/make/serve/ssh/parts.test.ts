import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modeText } from './long-line.ts';
import { authorizedKeys } from './plan.ts';
import { Rooted } from './rooted.ts';
import { readScpCommand } from './scp-command.ts';
import { Fields, Malformed, Packets, statusReply } from './sftp-packets.ts';
import { plain, shellWords } from './words.ts';

describe('packets of SFTP', () => {
  it('are the same however the stream was cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 40 }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 60 }),
        (texts, size) => {
          const whole = Buffer.concat(texts.map((text, id) => statusReply(id, 0, text)));
          const packets = new Packets();
          const out: Buffer[] = [];
          for (let at = 0; at < whole.length; at += size) {
            out.push(...packets.push(whole.subarray(at, at + size)));
          }
          const read = out.map((packet) => {
            const fields = new Fields(packet);
            fields.byte();
            fields.number();
            fields.number();
            return fields.bytes().toString();
          });
          expect(read).toEqual(texts.map((text) => Buffer.from(text).toString()));
        },
      ),
    );
  });

  it('of any bytes are read or refused, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const attempts = [
          () => void new Packets().push(Buffer.from(bytes)),
          () => void new Fields(Buffer.from(bytes)).wanted(),
          () => void new Fields(Buffer.from(bytes)).name(),
        ];
        for (const attempt of attempts) {
          try {
            attempt();
          } catch (error) {
            expect(error).toBeInstanceOf(Malformed);
          }
        }
      }),
    );
  });
});

describe('words', () => {
  it('are those that a shell would see, or null where it takes a shell', () => {
    expect(shellWords(`a  'b c' "d \\"e" f\\ g ''`)).toEqual(['a', 'b c', 'd "e', 'f g', '']);
    for (const command of ['a; b', 'a $HOME', 'a *', 'a "`b`"', "a 'b", '~/a', 'a\nb', 'a\\']) {
      expect(shellWords(command)).toBeNull();
    }
  });

  it('never throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        shellWords(text);
        readScpCommand(`scp ${text}`);
        authorizedKeys(`ssh-ed25519 ${text}`);
        expect([...plain(text)].every((character) => character >= ' ')).toBe(true);
      }),
    );
  });

  it('of scp are understood, and other commands left to the shell', () => {
    expect(readScpCommand('scp -r -p -t -- "a b"')).toEqual({
      side: 'sink',
      recursive: true,
      preserve: true,
      intoFolder: false,
      paths: ['a b'],
    });
    expect(readScpCommand('scp -vf a b')).toMatchObject({ side: 'source', paths: ['a', 'b'] });
    for (const command of [
      'scp a b',
      'scp -t',
      'scp -t a b',
      'scp -tf a',
      'scp -t a; b',
      'scp -S x -t a',
      'ls',
    ]) {
      expect(readScpCommand(command)).toBeNull();
    }
  });

  it('of a mode are those of ls', () => {
    expect([0o100644, 0o041777, 0o104755, 0o120777, 0o020620].map(modeText)).toEqual([
      '-rw-r--r--',
      'drwxrwxrwt',
      '-rwsr-xr-x',
      'lrwxrwxrwx',
      'crw--w----',
    ]);
  });
});

describe('a path', () => {
  it('never names anything above the top', () => {
    const rooted = new Rooted('/srv');
    fc.assert(
      fc.property(fc.array(fc.constantFrom('..', '.', 'a', '', '...'), { maxLength: 12 }), (parts) => {
        const named = rooted.named(parts.join('/'));
        expect(named).toMatch(/^\//);
        expect(named.split('/')).not.toContain('..');
      }),
    );
    expect(() => rooted.named('a\0b')).toThrow('zero byte');
    expect(rooted.shown(Buffer.from('/srv/a'))).toBe('/a');
    expect(rooted.shown(Buffer.from('/srv'))).toBe('/');
  });
});
