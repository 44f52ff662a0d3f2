/** Where the lab cannot be built, it says in a sentence why, and what to do; nothing is left. */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { needs } from '../needs.ts';
import { eventually, MARK, marked } from './host.ts';

const { missing } = needs('namespace');
const LAB = [process.execPath, resolve('dist/cli.js'), 'lab', 'handshake', '--no-ask', '--speed', '0'];

interface Said {
  readonly code: number | null;
  readonly words: string;
  readonly output: string;
}

async function said(command: readonly string[]): Promise<Said> {
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-refused-'));
  const mark = randomUUID();
  try {
    const [program, ...args] = command as [string, ...string[]];
    const env = { ...process.env, TMPDIR: folder, [MARK]: mark };
    const { status, stderr, stdout } = spawnSync(program, args, { cwd: folder, env, encoding: 'utf8' });
    const left = await eventually(
      () => marked(mark),
      (found) => found.length === 0,
    );
    expect(left).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
    return { code: status, words: stderr.trim(), output: stdout };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A user namespace in which a limit is 0, and nobody has a privilege (or, `asRoot`, its root has). */
function limited(kind: string, most: number, asRoot = false): readonly string[] {
  const plain = asRoot ? '' : 'setpriv --bounding-set -all --inh-caps -all --';
  const script = `echo ${most} > /proc/sys/user/max_${kind}_namespaces && exec ${plain} "$@"`;
  return ['unshare', '-Ur', '--', 'sh', '-c', script, 'sh', ...LAB];
}

describe.skipIf(missing !== null)('the lab where it cannot be', () => {
  it.each(['user', 'net', 'pid', 'mnt'])(
    'no %s namespaces: the setting is named and root is offered',
    async (kind) => {
      const { code, words } = await said(limited(kind, 0));
      expect(words).toBe(
        `sockscope: The lab needs namespaces of its own, and they cannot be made here: user.max_${kind}_namespaces is 0.\n` +
          'Run it as root (sudo sockscope lab …), or allow them to everybody.',
      );
      expect(code).toBe(3);
    },
  );

  it('root is not offered to root', async () => {
    const { code, words } = await said(limited('net', 0, true));
    expect(words).toMatch(/user\.max_net_namespaces is 0\.\nAllow them, or run it on the machine itself/);
    expect(code).toBe(3);
  });

  it('too few network namespaces: the step and the limit are named', async () => {
    const { code, words } = await said(limited('net', 2, true));
    expect(words).toMatch(
      /could not be built: the network namespace of server was refused with ENOSPC .*\n.*user\.max_net_namespaces/,
    );
    expect(code).toBe(3);
  });

  it.each(['banana', '999999'])(
    'a setting of %s is refused by the kernel, and named with its host',
    async (value) => {
      const { code, words } = await said([...LAB, '--set', `tcp_retries2=${value}`]);
      expect(words).toMatch(
        new RegExp(`the setting tcp_retries2 = ${value} of client was refused with EINVAL`),
      );
      expect(words).toMatch(/Give it a value that this kernel takes\.$/);
      expect(code).toBe(2);
    },
  );

  it('a setting that this kernel lacks: not run, and named', async () => {
    const { code, words } = await said([...LAB, '--set', 'tcp_no_such_thing=1']);
    expect(words).toMatch(/Not run:.* this kernel has no setting tcp_no_such_thing of a network namespace\./);
    expect(code).toBe(3);
  });
});
