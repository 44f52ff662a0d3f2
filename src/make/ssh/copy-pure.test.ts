import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bufferOf, lastPart, nameFault, nameOf, textOf } from './byte-name.ts';
import { expandGlob, fits } from './copy-glob.ts';
import { linkStaysInside } from './copy-links.ts';
import { partPath, sameOriginal } from './copy-part.ts';
import { readCopyPlace, shellWord } from './remote-path.ts';
import { type Answer, AnswerReader, Fields, readNames, request, SftpNonsense } from './sftp-packet.ts';

describe('a word for the shell', () => {
  it('is the name and nothing else, whatever is in it', () => {
    const name = fc.stringMatching(/^[ -~\n\t'"$`\\!*é]{1,12}$/);
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 30 }), (names) => {
        const words = names.map((one) => shellWord(nameOf(one)));
        const command = Buffer.from(`printf '%s\\0' ${words.join(' ')}`, 'latin1');
        const { stdout } = spawnSync('sh', ['-s'], { input: command, encoding: 'utf8' });
        const wanted = names.map((one) => (one.startsWith('-') ? `./${one}` : one));
        expect(stdout.split('\0').slice(0, -1)).toEqual(wanted);
      }),
      { numRuns: 40 },
    );
  });
});

describe('a place to copy from or to', () => {
  it.each([
    ['host:path', 'host', 'path'],
    ['me@host:/a b', 'me@host', '/a b'],
    ['host:', 'host', '.'],
    ['host:~', 'host', '.'],
    ['host:~/x', 'host', 'x'],
    ['[::1]:x', '[::1]', 'x'],
    ['me@[::1]:x', 'me@[::1]', 'x'],
    ['host:a:b', 'host', 'a:b'],
    ['scp://me@host:2222/a%20b', 'me@host:2222', 'a b'],
    ['scp://host//etc/motd', 'host', '/etc/motd'],
    ['scp://host', 'host', '.'],
  ])('%s is on a host', (typed, target, path) => {
    expect(readCopyPlace(typed)).toEqual({ kind: 'there', target, path });
  });

  it.each(['plain', './a:b', '/a:b', 'a/b:c', '-x', '~/x'])('%s is here', (typed) => {
    expect(readCopyPlace(typed)).toEqual({ kind: 'here', path: typed });
  });

  it.each(['', ':x', '-oProxyCommand=x:y', 'me@-x:y', 'scp://', 'scp://h/%zz', '@h:x'])(
    '%j is refused with a sentence',
    (typed) => {
      expect(() => readCopyPlace(typed)).toThrow(/is not a place to copy/);
    },
  );
});

describe('names', () => {
  it('keep every byte', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(bufferOf(nameOf(text)).toString('utf8')).toBe(Buffer.from(text).toString('utf8'));
      }),
    );
  });

  it('are shown on one line, with nothing that moves the cursor', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const shown = textOf(Buffer.from(bytes).toString('latin1'));
        expect([...shown].every((one) => one >= ' ' && !(one >= '\x7f' && one < '\xa0'))).toBe(true);
      }),
    );
  });

  it('fit only when they name something in the folder itself', () => {
    expect(['', '.', '..', 'a/b', '/a', 'a\0'].map(nameFault).every((fault) => fault !== null)).toBe(true);
    expect(['a', '...', '-', ' ', 'a\nb', '.a'].map(nameFault)).toEqual([null, null, null, null, null, null]);
  });

  it('of a path end with the last part that is a name', () => {
    expect(['a', 'a/b/', '/', '.', 'a/..', ''].map(lastPart)).toEqual(['a', 'b', '', '', '', '']);
  });

  it('of partial files are hidden, beside the file, and not too long', () => {
    expect(partPath('d/name', null)).toMatch(/^d\/\.name\.sockscope-[0-9a-f]{8}$/);
    expect(partPath('/name', 'x')).toBe(partPath('/name', 'x'));
    expect(partPath('n', sameOriginal(1, 2))).not.toBe(partPath('n', sameOriginal(1, 3)));
    expect(partPath('n'.repeat(255), null)).toHaveLength(255);
  });
});

describe('a pattern', () => {
  it.each([
    ['*.log', 'a.log', true],
    ['*.log', '.log', false],
    ['.*', '.log', true],
    ['?', 'a', true],
    ['?', '', false],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['[]]', ']', true],
    ['[', '[', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['*a*b', 'xaxxb', true],
    ['a**', 'a', true],
  ])('%s and %s: %s', (pattern, name, wanted) => {
    expect(fits(pattern, name)).toBe(wanted);
  });

  it('agrees with the shell', () => {
    const some = fc.stringMatching(/^[ab.*?[\]\\-]{1,6}$/).filter((text) => !/[[\]\\]/.test(text));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(some, fc.stringMatching(/^[ab.-]{1,6}$/)), { minLength: 1, maxLength: 40 }),
        (pairs) => {
          const script = pairs
            .map(([pattern, name]) => `case '${name}' in ${pattern}) echo 1;; *) echo 0;; esac`)
            .join('\n');
          const { stdout } = spawnSync('sh', ['-s'], { input: script, encoding: 'utf8' });
          // `case` lets a star stand for a leading dot, file names do not.
          const ours = pairs.map(([pattern, name]) =>
            name.startsWith('.') && !pattern.startsWith('.') ? null : fits(pattern, name),
          );
          const theirs = stdout
            .trim()
            .split('\n')
            .map((line, at) => (ours[at] === null ? null : line === '1'));
          expect(ours).toEqual(theirs);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('takes no long time over many stars', () => {
    expect(fits(`${'a*'.repeat(100)}b`, 'a'.repeat(255))).toBe(false);
  });

  it('is expanded folder by folder, and names that lead elsewhere are left out', async () => {
    const folders: Record<string, string[]> = {
      '/': ['x', 'y'],
      '/x': ['1.log', '../evil', '..'],
      '/y': ['2.log', 'no'],
    };
    const found = await expandGlob('/?/*.log', async (folder) => folders[folder] ?? null);
    expect(found).toEqual(['/x/1.log', '/y/2.log']);
    expect(await expandGlob('/x/*', async (folder) => folders[folder] ?? null)).toEqual(['/x/1.log']);
  });
});

describe('a link from a server', () => {
  it.each([
    ['a', 1, true],
    ['./a', 1, true],
    ['a/b', 2, true],
    ['../a', 2, true],
    ['..', 2, true],
    ['..', 1, false],
    ['../..', 2, false],
    ['/etc', 9, false],
    ['a/..', 3, false],
    ['a/../b', 3, false],
    ['', 1, false],
    ['a\0', 1, false],
    ['../a', 0, false],
  ])('%j at depth %i may be made: %s', (target, depth, wanted) => {
    expect(linkStaysInside(target, depth)).toBe(wanted);
  });
});

function answersOf(pieces: readonly Uint8Array[]): Answer[] {
  const reader = new AnswerReader();
  const answers: Answer[] = [];
  for (const piece of pieces) {
    reader.push(piece, (answer) => answers.push(answer));
  }
  return answers;
}

describe('answers of an SFTP server', () => {
  it('are the same however the bytes were cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.array(fc.nat(), { maxLength: 9 }), (bytes, cuts) => {
        const whole = Buffer.concat([
          request(102, 7, bytes),
          request(103, 8, bytes),
          request(104, 9, 1, 'näme', 'long', { mode: 0o100644, size: 5, read: 1, modified: 2 }),
        ]);
        const marks = [...new Set([0, ...cuts.map((at) => at % whole.length), whole.length])].sort(
          (a, b) => a - b,
        );
        const [handle, data, names] = answersOf(
          marks.slice(1).map((end, at) => whole.subarray(marks[at], end)),
        );
        expect(new Fields(handle!.body).bytes()).toEqual(Buffer.from(bytes));
        expect([data!.id, data!.length, Buffer.concat(data!.pieces)]).toEqual([
          8,
          bytes.length,
          Buffer.from(bytes),
        ]);
        expect(readNames(names!.body)).toEqual([
          { name: 'näme', mode: 0o100644, size: 5, read: 1, modified: 2 },
        ]);
      }),
    );
  });

  it('that are nonsense throw nothing but SftpNonsense', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .tuple(fc.constantFrom(101, 102, 103, 104, 105), fc.uint8Array({ maxLength: 40 }))
        .map(([type, body]) => {
          const packet = Buffer.alloc(5 + body.length);
          packet.writeUInt32BE(1 + body.length);
          packet[4] = type;
          packet.set(body, 5);
          return new Uint8Array(packet);
        }),
    );
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 6 }), (pieces) => {
        try {
          for (const { body } of answersOf(pieces)) {
            readNames(body);
            new Fields(body).attributes();
          }
        } catch (error) {
          expect(error).toBeInstanceOf(SftpNonsense);
        }
      }),
      { numRuns: 500 },
    );
  });
});
