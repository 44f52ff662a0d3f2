/** A real OpenSSH server of a test's own: its host keys, one user's keys, and a folder that goes away with it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findProgram } from './needs.ts';

export interface Sshd {
  readonly port: number;
  readonly folder: string;
  readonly user: string;
  /** A key that the server knows: its path, without passphrase. */
  readonly key: string;
  /** A known_hosts file that lists every key of the server. */
  readonly knownHosts: string;
  /** A configuration that says all of the above, for `-F`; host names: any. */
  readonly config: string;
  /** What the server has logged so far. */
  log(): string;
  path(name: string): string;
  stop(): Promise<void>;
}

export function keygen(path: string, type: string, passphrase = '', ...more: string[]): string {
  const made = spawnSync(
    'ssh-keygen',
    ['-q', '-t', type, '-a', '1', '-N', passphrase, '-C', type, '-f', path, ...more],
    {
      encoding: 'utf8',
    },
  );
  if (made.status !== 0) {
    throw new Error(`ssh-keygen: ${made.stderr}`);
  }
  return readFileSync(`${path}.pub`, 'utf8').trim();
}

export interface SshdWish {
  /** Types of its host keys. */
  readonly hostKeys?: readonly string[];
  /** More lines of sshd_config. */
  readonly lines?: readonly string[];
}

const PRIVILEGE_SEPARATION = '/run/sshd';

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : 0));
    });
  });
}

export async function startSshd({ hostKeys = ['ed25519'], lines = [] }: SshdWish = {}): Promise<Sshd> {
  const program = findProgram('sshd');
  if (program === null) {
    throw new Error('there is no sshd');
  }
  if (process.getuid?.() === 0 && !existsSync(PRIVILEGE_SEPARATION)) {
    mkdirSync(PRIVILEGE_SEPARATION, { mode: 0o755 });
  }
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-sshd-'));
  const path = (name: string): string => join(folder, name);
  const port = await freePort();
  const publics = hostKeys.map((type) => keygen(path(`host_${type}`), type));
  writeFileSync(path('authorized_keys'), `${keygen(path('id'), 'ed25519')}\n`, { mode: 0o600 });
  writeFileSync(path('known_hosts'), publics.map((key) => `[127.0.0.1]:${port} ${key}\n`).join(''));
  writeFileSync(
    path('sshd_config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      'UsePAM no',
      'StrictModes no',
      'PidFile none',
      'PermitRootLogin yes',
      'PasswordAuthentication no',
      'AcceptEnv LANG SOCK_*',
      // bash would read ~/.bashrc for whoever comes over SSH (bash(1), INVOCATION), but not two shells deep: what the owner of
      // this machine keeps there is slow, or speaks.
      'SetEnv SHLVL=1',
      'MaxStartups 100',
      `AuthorizedKeysFile ${path('authorized_keys')}`,
      ...hostKeys.map((type) => `HostKey ${path(`host_${type}`)}`),
      'Subsystem sftp internal-sftp',
      ...lines,
      '',
    ].join('\n'),
  );
  const { username: user } = userInfo();
  writeFileSync(
    path('config'),
    [
      'Host *',
      '  HostName 127.0.0.1',
      `  Port ${port}`,
      `  User ${user}`,
      `  IdentityFile ${path('id')}`,
      '  IdentityAgent none',
      `  UserKnownHostsFile ${path('known_hosts')}`,
      '  GlobalKnownHostsFile none',
      '',
    ].join('\n'),
  );
  const child = spawn(program, ['-D', '-e', '-f', path('sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said: string[] = [];
  await listening(child, said);
  return {
    port,
    folder,
    user,
    key: path('id'),
    knownHosts: path('known_hosts'),
    config: path('config'),
    log: () => said.join('\n'),
    path,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGTERM');
        await gone;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Another key is let in. */
export function authorize(sshd: Sshd, publicKey: string): void {
  appendFileSync(sshd.path('authorized_keys'), `${publicKey}\n`);
}

function listening(child: ChildProcess, said: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error(`sshd ended: ${said.join(' | ')}`)));
    createInterface({ input: child.stderr! }).on('line', (line) => {
      said.push(line);
      if (line.startsWith('Server listening')) {
        resolve();
      }
    });
  });
}
