import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { needs } from '../../../test/needs.ts';
import { type Sshd, startSshd } from '../../../test/sshd.ts';
import { nameOf } from './byte-name.ts';
import { connectTo, type SshConnection } from './connect.ts';
import { copy } from './copy.ts';
import { makeTree, orderOf, remember, treeOf } from './copy-fixture.ts';
import { partPath, sameOriginal } from './copy-part.ts';

const { missing } = needs('sshd', 'ssh-keygen', 'scp');

describe.skipIf(missing)('copies to and from a real OpenSSH server', () => {
  let sshd: Sshd;
  let connection: SshConnection;
  let folder = '';
  const path = (...names: string[]): string => join(folder, ...names);
  const never = new AbortController().signal;

  beforeAll(async () => {
    sshd = await startSshd();
    const nobody = {
      possible: false,
      password: async () => null,
      line: async () => null,
      say: () => undefined,
    };
    connection = await connectTo('test', { configFile: sshd.config, password: false }, nobody);
  });
  afterAll(async () => {
    await connection?.end();
    await sshd?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    rmSync(folder === '' ? '/nonexistent' : folder, { recursive: true, force: true });
    folder = mkdtempSync(join(tmpdir(), 'sockscope-copy-'));
  });

  const run = async (...order: Parameters<typeof orderOf>) => {
    const kept = remember();
    await copy(connection.client, orderOf(...order), kept.watch, never);
    return kept;
  };

  describe.each(['sftp', 'scp'] as const)('with %s', (protocol) => {
    it.each(['up', 'down'] as const)(
      'a tree with odd names arrives as it was, modes and times too (%s)',
      async (direction) => {
        makeTree(path('from'), protocol === 'sftp');
        const { failures } = await run(
          direction,
          path('from'),
          path('to'),
          { recursive: true, preserve: true },
          protocol,
        );
        expect(failures).toEqual([]);
        rmSync(path('from', 'to-file'));
        // The link was followed: there is a file of its own now.
        expect(readFileSync(path('to', 'to-file'), 'utf8')).toBe('content of plain.txt');
        rmSync(path('to', 'to-file'));
        const from = treeOf(path('from'));
        expect(from.length).toBeGreaterThan(11);
        expect(treeOf(path('to'))).toEqual(from);
      },
    );

    it.each(['up', 'down'] as const)(
      'a file goes into a folder that is there, or gets the new name (%s)',
      async (direction) => {
        writeFileSync(path('a'), 'one');
        mkdirSync(path('d'));
        await run(direction, path('a'), path('d'), {}, protocol);
        await run(direction, path('a'), path('b'), {}, protocol);
        writeFileSync(path('a'), 'two');
        await run(direction, path('a'), path('b'), {}, protocol);
        expect(treeOf(folder).map((line) => line.replace(/ \d{10} /, ' '))).toEqual([
          '/a 644 "two"',
          '/b 644 "two"',
          expect.stringContaining('/d 755'),
          '/d/a 644 "one"',
        ]);
      },
    );

    it.each(['up', 'down'] as const)(
      'what is no regular file is not replaced by one (%s)',
      async (direction) => {
        writeFileSync(path('a'), 'one');
        execFileSync('mkfifo', [path('pipe')]);
        const failures = await run(direction, path('a'), path('pipe'), {}, protocol).then(
          (kept) => kept.failures,
          (error: Error) => [error.message],
        );
        expect(failures.join()).toMatch(/neither a file nor a folder|no regular file/);
        expect(lstatSync(path('pipe')).isFIFO()).toBe(true);
        expect(readdirSync(folder).sort()).toEqual(['a', 'pipe']);
      },
    );

    it.each(['up', 'down'] as const)(
      'what is missing is named, the rest arrives, and nothing half-written stays (%s)',
      async (direction) => {
        mkdirSync(path('d'));
        writeFileSync(path('a'), 'one');
        mkdirSync(path('folder'));
        const order = [path('nowhere'), path('folder'), path('a')];
        const { failures } = await run(direction, order, path('d'), {}, protocol);
        expect(failures).toHaveLength(2);
        expect(failures[0]).toMatch(/nowhere: .*no such file/i);
        expect(failures[1]).toMatch(/folder/);
        expect(readdirSync(path('d'))).toEqual(['a']);
      },
    );

    it('a folder into one that is there joins it', async () => {
      makeTree(path('from'), false);
      mkdirSync(path('to', 'from'), { recursive: true });
      writeFileSync(path('to', 'from', 'mine'), 'mine');
      const up = await run('up', path('from'), path('to'), { recursive: true }, protocol);
      expect(up.failures).toEqual([]);
      expect(up.notes).toHaveLength(protocol === 'scp' ? 1 : 0);
      expect(readdirSync(path('to', 'from')).sort()).toEqual([...readdirSync(path('from')), 'mine'].sort());
      expect(readdirSync(path('to'))).toEqual(['from']);
    });

    it('a copy that is stopped leaves nothing behind', async () => {
      writeFileSync(path('big'), Buffer.alloc(24_000_000, 7));
      for (const direction of ['up', 'down'] as const) {
        const stop = new AbortController();
        const kept = remember(() => stop.abort());
        const order = orderOf(direction, path('big'), path('there'), {}, protocol);
        await expect(copy(connection.client, order, kept.watch, stop.signal)).rejects.toMatchObject({
          why: 'stopped',
        });
        expect(readdirSync(folder)).toEqual(['big']);
      }
    });
  });

  it('scp says which names it cannot carry', async () => {
    mkdirSync(path('from'));
    writeFileSync(path('from', 'line\nfeed'), 'x');
    writeFileSync(path('from', 'good'), 'x');
    const { failures } = await run('up', path('from'), path('to'), { recursive: true }, 'scp');
    expect(failures).toEqual([expect.stringMatching(/line\\nfeed: the scp protocol has no line feeds/)]);
    expect(readdirSync(path('to'))).toEqual(['good']);
  });

  it.each(['up', 'down'] as const)(
    '--links keeps links; one that leads outside is not made here (%s)',
    async (direction) => {
      mkdirSync(path('from', 'sub'), { recursive: true });
      writeFileSync(path('from', 'file'), 'x');
      symlinkSync('../file', path('from', 'sub', 'inside'));
      symlinkSync('/etc/passwd', path('from', 'sub', 'absolute'));
      symlinkSync('../../elsewhere', path('from', 'sub', 'outside'));
      const { failures } = await run(direction, path('from'), path('to'), { recursive: true, links: true });
      const made = readdirSync(path('to', 'sub')).sort();
      if (direction === 'down') {
        expect(made).toEqual(['inside']);
        expect(failures).toHaveLength(2);
        expect(failures.join()).toMatch(/points outside of what is copied \(to \/etc\/passwd\)/);
      } else {
        expect(made).toEqual(['absolute', 'inside', 'outside']);
        expect(failures).toEqual([]);
      }
    },
  );

  it.each(['up', 'down'] as const)(
    'a link to a folder above it is not followed forever (%s)',
    async (direction) => {
      mkdirSync(path('from', 'sub'), { recursive: true });
      symlinkSync('..', path('from', 'sub', 'loop'));
      const { failures } = await run(direction, path('from'), path('to'), { recursive: true });
      expect(failures).toEqual([expect.stringMatching(/loop: a link to a folder that it is in/)]);
    },
  );

  it.each(['up', 'down'] as const)(
    '--resume goes on where a partial file of the same original ends (%s)',
    async (direction) => {
      const original = Buffer.alloc(600_000, 'abcdefghij');
      writeFileSync(path('from'), original);
      utimesSync(path('from'), 1_500_000_000, 1_500_000_000);
      const part = partPath(nameOf(path('to')), sameOriginal(original.length, 1_500_000_000));
      // Other letters, so that it shows that these bytes were not sent again.
      writeFileSync(part, Buffer.alloc(400_000, 'X'));
      const kept = await run(direction, path('from'), path('to'), { resume: true });
      expect([kept.resumed, kept.moved]).toEqual([400_000, 200_000]);
      const joined = Buffer.concat([Buffer.alloc(400_000, 'X'), original.subarray(400_000)]);
      expect(readFileSync(path('to')).equals(joined)).toBe(true);
      // Another time is another original: from the start.
      rmSync(path('to'));
      writeFileSync(part, Buffer.alloc(400_000, 'X'));
      utimesSync(path('from'), 1_500_000_001, 1_500_000_001);
      await run(direction, path('from'), path('to'), { resume: true });
      expect(readFileSync(path('to')).equals(original)).toBe(true);
    },
  );

  it.each(['up', 'down'] as const)(
    'with --resume a stopped copy keeps its part, and the next one completes it (%s)',
    async (direction) => {
      const original = Buffer.alloc(24_000_000, 'abcdefghijk');
      writeFileSync(path('from'), original);
      const stop = new AbortController();
      const kept = remember(() => stop.abort());
      const order = orderOf(direction, path('from'), path('to'), { resume: true });
      await expect(copy(connection.client, order, kept.watch, stop.signal)).rejects.toMatchObject({
        why: 'stopped',
      });
      expect(existsSync(path('to'))).toBe(false);
      const [part] = readdirSync(folder).filter((name) => name.startsWith('.to.sockscope-'));
      expect(statSync(path(part!)).size).toBeGreaterThan(0);
      const again = await run(direction, path('from'), path('to'), { resume: true });
      expect(again.resumed).toBeGreaterThan(0);
      expect(again.resumed + again.moved).toBe(original.length);
      expect(readFileSync(path('to')).equals(original)).toBe(true);
      expect(readdirSync(folder).sort()).toEqual(['from', 'to']);
    },
  );

  it('patterns on the server are matched by us', async () => {
    for (const name of ['a.log', 'b.log', 'c.txt', '.hidden.log', '*']) {
      writeFileSync(path(name), name);
    }
    mkdirSync(path('d'));
    await run('down', path('*.log'), path('d'));
    expect(readdirSync(path('d')).sort()).toEqual(['a.log', 'b.log']);
    // A file of that very name comes first.
    await run('down', path('*'), path('d'));
    expect(readdirSync(path('d')).sort()).toEqual(['*', 'a.log', 'b.log']);
    const { failures } = await run('down', path('*.nothing'), path('d'));
    expect(failures).toEqual([expect.stringMatching(/nothing there fits/)]);
  });

  it('a link here in the way of a folder is not followed, and a device is not replaced', async () => {
    mkdirSync(path('from', 'sub'), { recursive: true });
    writeFileSync(path('from', 'sub', 'evil'), 'x');
    mkdirSync(path('to'));
    mkdirSync(path('elsewhere'));
    symlinkSync(path('elsewhere'), path('to', 'sub'));
    mkdirSync(path('box'));
    symlinkSync(path('to'), path('box', 'from'));
    const { failures } = await run('down', path('from'), path('box'), { recursive: true });
    expect(failures).toEqual([expect.stringMatching(/sub: here it is a link, which is not followed/)]);
    expect(readdirSync(path('elsewhere'))).toEqual([]);
    await expect(run('down', path('from', 'sub', 'evil'), '/dev/null')).rejects.toThrow(/would be replaced/);
  });

  it('what grows or is not a file is no trouble', async () => {
    const { failures } = await run('down', ['/proc/version'], path('v'));
    expect(failures).toEqual([]);
    expect(readFileSync(path('v'), 'utf8')).toMatch(/^Linux/);
    const device = await run('down', ['/dev/zero'], path('z'));
    expect(device.failures).toEqual(['/dev/zero: not a regular file']);
  });
});
