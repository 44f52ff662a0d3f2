import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { type Sshd, startSshd } from '../../test/sshd.ts';

const { missing } = needs('sshd', 'ssh-keygen', 'namespace', 'mount');

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

describe.skipIf(missing)('ssh copy, as a program', () => {
  let sshd: Sshd;
  let folder = '';
  const path = (...names: string[]): string => join(folder, ...names);

  beforeAll(async () => {
    sshd = await startSshd();
    // Below the checkout: the program finds its packages there.
    mkdirSync('node_modules/.cache', { recursive: true });
    folder = mkdtempSync(join(process.cwd(), 'node_modules/.cache/sockscope-copy-'));
    const bundle = await rolldown({
      input: 'src/cli/ssh-copy-fixture.ts',
      platform: 'node',
      external: ['ssh2'],
      logLevel: 'silent',
    });
    await bundle.write({ dir: path('program'), format: 'esm', entryFileNames: 'copy.mjs' });
    await bundle.close();
  });
  afterAll(async () => {
    await sshd?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const command = (words: readonly string[]): string[] => [
    process.execPath,
    path('program', 'copy.mjs'),
    '-F',
    sshd.config,
    '--no-password',
    ...words,
  ];
  const ended = (child: ChildProcess): Promise<Ended> =>
    new Promise((resolve) => {
      let out = '';
      let err = '';
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        out += text;
      });
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        err += text;
      });
      child.on('close', (status) => resolve({ status, out, err }));
    });
  const run = (...words: string[]): Promise<Ended> => {
    const [program, ...rest] = command(words);
    return ended(spawn(program!, rest));
  };

  it('copies up and down, and says how much', async () => {
    writeFileSync(path('a'), Buffer.alloc(1_500_000, 'x'));
    const up = await run(path('a'), `any:${path('b')}`);
    expect(up).toMatchObject({
      status: 0,
      err: '',
      out: expect.stringMatching(/^1 file, 1\.5 MB in .*\/s\n$/),
    });
    const down = await run('-v', `scp://any:${sshd.port}/${path('b')}`, path('c'));
    expect(down.out).toContain(`${path('c')}  1.5 MB\n`);
    expect(readFileSync(path('c')).equals(readFileSync(path('a')))).toBe(true);
    const json = await run('--json', `any:${path('b')}`, `any:${path('nowhere')}`, path('program'));
    const events = json.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string });
    expect(events.map(({ event }) => event).sort()).toEqual(['done', 'end', 'failed']);
    expect(json.status).toBe(1);
  });

  it.each([
    [['only-one'], /only one place/],
    [['a', 'b'], /No side is on a host/],
    [['h:a', 'h:b'], /Both sides are on hosts/],
    [['h:a', 'g:b', '.'], /not all in one place/],
    [['--protocol', 'scp', '--resume', 'h:a', '.'], /begins every file at its start/],
    [['--protocol', 'ftp', 'h:a', '.'], /Allowed choices are sftp, scp/],
    [['--parallel', '0', 'h:a', '.'], /number from 1 to 1000/],
  ])('what cannot be meant is refused with a sentence: %j', async (words, sentence) => {
    const { err } = await run(...words);
    expect(err).toMatch(sentence);
  });

  it.each([
    ['sftp', 'down'],
    ['scp', 'down'],
    ['sftp', 'up'],
  ])(
    'a disk that fills up is one sentence, and nothing of the file stays (%s, %s)',
    async (protocol, direction) => {
      const disk = path('disk');
      mkdirSync(disk, { recursive: true });
      writeFileSync(path('large'), Buffer.alloc(4_000_000, 'x'));
      writeFileSync(path('small'), 'x');
      const target = path(`seen-${protocol}-${direction}`);
      const seen = `ls -A ${disk} > ${target}; exit $status`;
      let status: number | null;
      let err: string;
      if (direction === 'down') {
        const words = command([
          '-q',
          '--parallel',
          '1',
          '--protocol',
          protocol,
          `any:${path('small')}`,
          `any:${path('large')}`,
          disk,
        ]);
        const script = `mount -t tmpfs -o size=1m none ${disk} && "$@"; status=$?; ${seen}`;
        ({ status, err } = await ended(spawn('unshare', ['-Urm', 'sh', '-c', script, 'sh', ...words])));
      } else {
        // A server of its own whose disk is small.
        const small = await startSshd({
          lines: [
            `ForceCommand unshare -Urm sh -c 'mount -t tmpfs -o size=1m none ${disk} && /usr/lib/openssh/sftp-server; ls -A ${disk} > ${target}'`,
          ],
        });
        try {
          const words = ['-q', '--parallel', '1', path('small'), path('large'), `any:${disk}`];
          const [program, ...rest] = command(words).map((word) =>
            word === sshd.config ? small.config : word,
          );
          ({ status, err } = await ended(spawn(program!, rest)));
          await expect.poll(() => spawnSync('cat', [target], { encoding: 'utf8' }).stdout).not.toBe('');
        } finally {
          await small.stop();
        }
      }
      expect(err).toMatch(
        /^The copy ended: no space left on .*large\.\nThe partial file was removed; what was complete is there\.\n$/,
      );
      expect(status).toBe(1);
      expect(readFileSync(target, 'utf8')).toBe('small\n');
    },
  );

  it('Ctrl-C takes the partial file away, here and there', async () => {
    writeFileSync(path('huge'), Buffer.alloc(64_000_000, 'x'));
    for (const [from, to, place] of [
      [`any:${path('huge')}`, path('down'), 'down'],
      [path('huge'), `any:${path('up')}`, 'up'],
    ] as const) {
      mkdirSync(path(place));
      const [program, ...rest] = command([from, `${to}/x`]);
      const child = spawn(program!, rest);
      const gone = ended(child);
      await expect.poll(() => readdirSync(path(place)).length, { interval: 2, timeout: 10_000 }).toBe(1);
      child.kill('SIGINT');
      expect((await gone).status).toBe(130);
      expect(readdirSync(path(place))).toEqual([]);
    }
  });
});
