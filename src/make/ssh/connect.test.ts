import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../../../test/needs.ts';
import { authorize, keygen, type Sshd, startSshd } from '../../../test/sshd.ts';
import { SockscopeError } from '../../errors.ts';
import { connectTo } from './connect.ts';
import type { Ask, SshConnection, SshSettings } from './connection.ts';

const { missing } = needs('linux', 'sshd', 'ssh', 'ssh-keygen', 'ssh-agent', 'ssh-add');

/** Answers from a list; `asked` is what it was asked. */
function person(...answers: (string | null)[]): Ask & { readonly asked: string[]; readonly told: string[] } {
  const asked: string[] = [];
  const told: string[] = [];
  const next = async (prompt: string): Promise<string | null> => {
    asked.push(prompt);
    return answers.shift() ?? null;
  };
  return { possible: true, asked, told, password: next, line: next, say: (text) => told.push(text) };
}

function nobody(): Ask & { readonly told: string[] } {
  const told: string[] = [];
  return {
    possible: false,
    told,
    password: async () => null,
    line: async () => null,
    say: (text) => told.push(text),
  };
}

async function refusal(target: string, settings: SshSettings, ask: Ask): Promise<SockscopeError> {
  try {
    await (await connectTo(target, settings, ask)).end();
  } catch (error) {
    expect(error).toBeInstanceOf(SockscopeError);
    return error as SockscopeError;
  }
  throw new Error('it connected');
}

describe.skipIf(missing)('a connection to sshd', () => {
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await startSshd({ hostKeys: ['ed25519', 'ecdsa'] });
  });
  afterAll(() => sshd?.stop());

  /** A configuration of one's own: other lines first. */
  const config = (name: string, ...lines: string[]): string => {
    const path = sshd.path(name);
    writeFileSync(path, `${lines.join('\n')}\n${readFileSync(sshd.config, 'utf8')}`);
    return path;
  };
  const connected = async (settings: SshSettings, ask: Ask, target = 'here'): Promise<void> => {
    const connection: SshConnection = await connectTo(target, settings, ask);
    expect(connection).toMatchObject({
      name: target,
      user: sshd.user,
      host: '127.0.0.1',
      port: sshd.port,
      lost: null,
    });
    await connection.end();
    expect(connection.lost).toBeNull();
  };
  const fingerprintOf = (type: string): string =>
    spawnSync('ssh-keygen', ['-l', '-f', sshd.path(`host_${type}.pub`)], { encoding: 'utf8' }).stdout.split(
      ' ',
    )[1]!;

  test('logs in with a key of the configuration, to a host that is known', async () => {
    const connection = await connectTo('here', { configFile: sshd.config }, nobody());
    expect(connection.hostKey).toBe(fingerprintOf('ed25519'));
    await connection.end();
  });

  test('-i, -p, -l without any configuration', async () => {
    const settings = { configFile: 'none', knownHosts: sshd.knownHosts, port: sshd.port, user: sshd.user };
    await connected({ ...settings, identities: [sshd.key] }, nobody(), '127.0.0.1');
  });

  test('an unknown host is refused where nobody can be asked, and nothing is written', async () => {
    const knownHosts = sshd.path('kh-none');
    const error = await refusal('here', { configFile: sshd.config, knownHosts }, nobody());
    expect(error).toMatchObject({ code: 'SSH_HOST_UNKNOWN', exit: 1 });
    expect(error.message).toContain(fingerprintOf('ed25519'));
    expect(error.hint).toContain('--accept-new');
    expect(existsSync(knownHosts)).toBe(false);
  });

  test('"no" and another fingerprint refuse it; "yes" and its fingerprint add it, once, for its owner only', async () => {
    for (const answer of ['no', 'SHA256:other', null]) {
      const error = await refusal(
        'here',
        { configFile: sshd.config, knownHosts: sshd.path('kh-no') },
        person(answer),
      );
      expect(error.code).toBe('SSH_HOST_UNKNOWN');
    }
    expect(existsSync(sshd.path('kh-no'))).toBe(false);
    for (const [file, answer] of [
      ['kh-yes', 'yes'],
      ['kh-print', fingerprintOf('ed25519')],
    ] as const) {
      const settings = { configFile: sshd.config, knownHosts: sshd.path(file) };
      const asked = person('what?', answer);
      await connected(settings, asked);
      expect(asked.asked).toHaveLength(2);
      expect(statSync(sshd.path(file)).mode & 0o777).toBe(0o600);
      await connected(settings, nobody());
      expect(readFileSync(sshd.path(file), 'utf8').split('\n')).toHaveLength(2);
    }
  });

  test('--accept-new adds an unknown host; ssh itself knows it then', async () => {
    const knownHosts = sshd.path('kh-new');
    writeFileSync(knownHosts, '# no line end');
    const ask = nobody();
    await connected(
      { configFile: config('hashing', 'HashKnownHosts yes'), knownHosts, acceptNew: true },
      ask,
    );
    expect(ask.told.join()).toContain('is known from now on');
    expect(readFileSync(knownHosts, 'utf8')).toMatch(/^# no line end\n\|1\|/);
    const found = spawnSync('ssh-keygen', ['-F', `[127.0.0.1]:${sshd.port}`, '-f', knownHosts]);
    expect(found.status).toBe(0);
  });

  test('known_hosts that cannot be written is said, and the key is believed this once', async () => {
    const ask = nobody();
    const knownHosts = '/proc/nowhere/known_hosts';
    await connected({ configFile: sshd.config, knownHosts, acceptNew: true }, ask);
    expect(ask.told.join()).toContain(`believed this once: ${knownHosts} could not be written (ENOENT`);
  });

  test('a changed key is refused, whoever is there and whatever was allowed, with both keys, the place and the way out', async () => {
    const knownHosts = sshd.path('kh-changed');
    const other = keygen(sshd.path('other-host'), 'ed25519');
    writeFileSync(knownHosts, `\n[127.0.0.1]:${sshd.port} ${other}\n`);
    const configFile = config('trusting', 'StrictHostKeyChecking no');
    const ask = person('yes', 'yes');
    const error = await refusal('here', { configFile, knownHosts, acceptNew: true }, ask);
    expect(error).toMatchObject({ code: 'SSH_HOST_KEY_CHANGED', exit: 1 });
    expect(error.message).toContain('HAS CHANGED');
    expect(error.message).toContain(fingerprintOf('ed25519'));
    expect(error.message).toContain(`${knownHosts}:2`);
    expect(error.hint).toContain(`ssh-keygen -R '[127.0.0.1]:${sshd.port}' -f '${knownHosts}'`);
    expect(ask.asked).toEqual([]);
    expect(readFileSync(knownHosts, 'utf8')).toContain(other);
  });

  test('a key of another type than the known one counts as changed, for ssh and for us, and we say so', async () => {
    const knownHosts = sshd.path('kh-other-type');
    const other = keygen(sshd.path('other-type'), 'rsa', '', '-b', '2048');
    writeFileSync(knownHosts, `[127.0.0.1]:${sshd.port} ${other}\n`);
    const ask = person('yes', 'yes');
    const error = await refusal('here', { configFile: sshd.config, knownHosts, acceptNew: true }, ask);
    expect(error.code).toBe('SSH_HOST_KEY_CHANGED');
    expect(error.message).toContain('of another type than those that are known');
    expect(error.message).toMatch(/known: {2}ssh-rsa SHA256.*\n {2}now: {4}ssh-ed25519/);
    expect(ask.asked).toEqual([]);
    expect(readFileSync(knownHosts, 'utf8')).toBe(`[127.0.0.1]:${sshd.port} ${other}\n`);

    const settings = [
      `UserKnownHostsFile=${knownHosts}`,
      'StrictHostKeyChecking=accept-new',
      'BatchMode=yes',
    ];
    const words = ['-F', sshd.config, ...settings.flatMap((one) => ['-o', one]), 'here', 'true'];
    const theirs = spawnSync('ssh', words, { encoding: 'utf8' });
    expect(theirs.status).toBe(255);
    expect(theirs.stderr).toContain('Offending RSA key');
  });

  test('a revoked key is refused', async () => {
    const knownHosts = sshd.path('kh-revoked');
    const [, key = ''] = readFileSync(sshd.knownHosts, 'utf8').split('\n')[0]!.split(`${sshd.port} `);
    writeFileSync(knownHosts, `[127.0.0.1]:${sshd.port} ${key}\n@revoked * ${key}\n`);
    const error = await refusal('here', { configFile: sshd.config, knownHosts }, nobody());
    expect(error.code).toBe('SSH_HOST_KEY_REVOKED');
  });

  test('of a server with several keys the one that is known is asked for', async () => {
    const knownHosts = sshd.path('kh-ecdsa');
    const line = readFileSync(sshd.knownHosts, 'utf8')
      .split('\n')
      .find((one) => one.includes('ecdsa'));
    writeFileSync(knownHosts, `${line}\n`);
    await connected({ configFile: sshd.config, knownHosts }, nobody());
  });

  test('an encrypted key asks for its passphrase, three times at most, once for several hosts', async () => {
    const path = sshd.path('locked');
    authorize(sshd, keygen(path, 'ed25519', 'secret'));
    const configFile = config('locked-config', 'IdentitiesOnly yes');
    writeFileSync(configFile, readFileSync(configFile, 'utf8').replace(sshd.key, path));
    const ask = person('wrong', 'secret');
    await Promise.all([connected({ configFile }, ask), connected({ configFile }, ask, 'there')]);
    expect(ask.asked).toEqual([`Passphrase of ${path}: `, `Passphrase of ${path}: `]);

    const thrice = person('a', 'b', 'c', 'secret');
    expect((await refusal('here', { configFile, password: false }, thrice)).code).toBe('SSH_DENIED');
    expect(thrice.asked).toHaveLength(3);
    const alone = nobody();
    expect((await refusal('here', { configFile }, alone)).code).toBe('SSH_DENIED');
    expect(alone.told.join()).toContain('no terminal');
  });

  test('a key that the server does not know is not unlocked', async () => {
    const path = sshd.path('useless');
    keygen(path, 'ed25519', 'secret');
    const ask = person();
    await connected({ configFile: sshd.config, identities: [path] }, ask);
    expect(ask.asked).toEqual([]);
  });

  describe('a key file', () => {
    // A key of RSA is slow to make: one, written in all the ways.
    const made = new Map<string, string>();
    const keyOf = (type: string): string => {
      const path = sshd.path(`kind-${type}`);
      if (!made.has(type)) {
        made.set(type, path);
        authorize(sshd, keygen(path, type, '', ...(type === 'rsa' ? ['-b', '2048'] : [])));
      }
      return path;
    };

    test.each([
      ['rsa', '', []],
      ['rsa', '', ['-m', 'PEM']],
      ['rsa', 'secret', ['-m', 'PEM']],
      ['rsa', 'secret', ['-m', 'PKCS8']],
      ['ecdsa', '', ['-m', 'PEM']],
      ['ecdsa', 'secret', []],
    ])('of type %s, passphrase "%s", %j', async (type, passphrase, more) => {
      const path = sshd.path(`key-${type}-${passphrase}-${more[1] ?? 'own'}`);
      copyFileSync(keyOf(type), path);
      const changed = spawnSync('ssh-keygen', [
        ...['-q', '-p', '-P', '', '-N', passphrase, '-a', '1', '-f', path],
        ...more,
      ]);
      expect(changed.status).toBe(0);
      const settings = {
        configFile: 'none',
        knownHosts: sshd.knownHosts,
        port: sshd.port,
        identities: [path],
      };
      await connected(settings, person(passphrase), `${sshd.user}@127.0.0.1`);
    });
  });

  test('a key that others can read is refused, with the chmod that helps', async () => {
    const path = sshd.path('open');
    authorize(sshd, keygen(path, 'ed25519'));
    chmodSync(path, 0o644);
    const error = await refusal('here', { configFile: sshd.config, identities: [path] }, nobody());
    expect(error).toMatchObject({ code: 'SSH_KEY_FILE', exit: 1 });
    expect(error.message).toContain(`0644 lets others read it (\`chmod 600 ${path}\`)`);

    const configFile = config('open-config');
    writeFileSync(configFile, readFileSync(configFile, 'utf8').replace(sshd.key, path));
    const denied = await refusal('here', { configFile }, nobody());
    expect(denied.code).toBe('SSH_DENIED');
    expect(denied.hint).toContain(`chmod 600 ${path}`);
  });

  test('whoever is not let in hears what was tried and what the server takes', async () => {
    const path = sshd.path('stranger');
    keygen(path, 'ed25519');
    const configFile = config('strange');
    writeFileSync(configFile, readFileSync(configFile, 'utf8').replace(sshd.key, path));
    const error = await refusal('here', { configFile }, nobody());
    expect(error.message).toContain(`tried ${path}`);
    expect(error.message).toContain('the server takes publickey');
  });

  test('a key file that does not exist is said when it was named, and passed over in a configuration', async () => {
    const absent = sshd.path('absent');
    const error = await refusal('here', { configFile: sshd.config, identities: [absent] }, nobody());
    expect(error).toMatchObject({ exit: 2, message: `There is no key file ${absent}.` });
    await connected({ configFile: config('absent-config', `IdentityFile ${absent}`) }, nobody());
  });

  describe('an agent', () => {
    let agent: ChildProcess;
    let socket = '';
    beforeAll(async () => {
      socket = sshd.path('agent');
      agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
      await new Promise((resolve) => agent.stdout!.once('data', resolve));
      for (const name of ['agent-a', 'agent-b']) {
        const key = keygen(sshd.path(name), name === 'agent-a' ? 'ed25519' : 'ecdsa');
        const added = spawnSync('ssh-add', ['-q', sshd.path(name)], {
          env: { ...process.env, SSH_AUTH_SOCK: socket },
        });
        expect(added.status).toBe(0);
        if (name === 'agent-b') {
          authorize(sshd, key);
        }
      }
    });
    afterAll(async () => {
      const gone = new Promise((resolve) => agent.once('exit', resolve));
      agent.kill();
      await gone;
    });
    const agentConfig = (name: string, ...lines: string[]): string => {
      const path = sshd.path(name);
      const kept = readFileSync(sshd.config, 'utf8').replace(/.*IdentityFile.*\n/, '');
      writeFileSync(path, `${lines.join('\n')}\nIdentityAgent ${socket}\n${kept}`);
      return path;
    };

    test('its keys log in', async () => {
      await connected({ configFile: agentConfig('with-agent') }, nobody());
    });

    test('with IdentitiesOnly only those of which a file is named, and the public one is enough', async () => {
      writeFileSync(sshd.path('only.pub'), readFileSync(sshd.path('agent-b.pub')));
      const only = `IdentityFile ${sshd.path('only')}`;
      await connected({ configFile: agentConfig('only-config', 'IdentitiesOnly yes', only) }, nobody());
      const other = `IdentityFile ${sshd.path('agent-a.pub')}`;
      const error = await refusal(
        'here',
        { configFile: agentConfig('other-config', 'IdentitiesOnly yes', other) },
        nobody(),
      );
      expect(error.message).toContain('tried ed25519 (agent);');
    });

    test('one that does not answer is only mentioned', async () => {
      const configFile = agentConfig(
        'dead',
        `IdentityAgent ${sshd.path('no-agent')}`,
        `IdentityFile ${sshd.key}`,
      );
      await connected({ configFile }, nobody());
    });
  });

  test('over two hops, each with its host key verified', async () => {
    const configFile = config('hops', 'Host far', '  ProxyJump near1,near2', '  HostKeyAlias far', 'Host *');
    const knownHosts = sshd.path('kh-hops');
    const key = readFileSync(sshd.knownHosts, 'utf8');
    writeFileSync(knownHosts, key);
    const error = await refusal('far', { configFile, knownHosts }, nobody());
    expect(error.message).toMatch(/^far is not a host that is known/);
    writeFileSync(knownHosts, `${key}${key.replace(/\[127.0.0.1\]:\d+/g, 'far')}`);
    await connected({ configFile, knownHosts }, nobody(), 'far');
  });

  test('hops in a ring, and a program as the way, are sentences', async () => {
    const ring = config('ring', 'Host a', '  ProxyJump b', 'Host b', '  ProxyJump a', 'Host *');
    expect((await refusal('a', { configFile: ring }, nobody())).code).toBe('SSH_JUMPS');
    const command = config('command', 'ProxyCommand nc %h %p');
    expect(await refusal('a', { configFile: command }, nobody())).toMatchObject({
      code: 'SSH_PROXY_COMMAND',
      exit: 3,
    });
  });

  test('a host beyond a hop that does not answer', async () => {
    const configFile = config('beyond', 'Host far', '  ProxyJump near', '  Port 1', 'Host *');
    const error = await refusal('far', { configFile }, nobody());
    expect(error).toMatchObject({ code: 'SSH_JUMP', exit: 1 });
  });

  test('nothing in common: both lists are named', async () => {
    const configFile = config('exotic', 'HostKeyAlgorithms rsa-sha2-256');
    const error = await refusal('here', { configFile }, nobody());
    expect(error.code).toBe('SSH_NO_COMMON_ALGORITHM');
    expect(error.message).toContain(
      'It offers ssh-ed25519, ecdsa-sha2-nistp256; here there is rsa-sha2-256.',
    );
  });

  test('no such host, nothing there, nobody answers', async () => {
    const plain = { configFile: 'none', knownHosts: sshd.knownHosts };
    expect((await refusal('nowhere.invalid', plain, nobody())).code).toBe('SSH_NO_NAME');
    expect((await refusal('127.0.0.1:1', plain, nobody())).code).toBe('SSH_REFUSED');
    const sockets: Socket[] = [];
    const silent = await listening((socket) => sockets.push(socket));
    const other = await listening((socket) => socket.end('HTTP/1.0 400 Bad Request\r\n\r\n'));
    try {
      const late = await refusal(
        `127.0.0.1:${portOf(silent)}`,
        { ...plain, connectTimeoutMs: 150 },
        nobody(),
      );
      expect(late).toMatchObject({ code: 'SSH_TIMEOUT', exit: 1 });
      const wrong = await refusal(
        `127.0.0.1:${portOf(other)}`,
        { ...plain, connectTimeoutMs: 2000 },
        nobody(),
      );
      expect(wrong.code).toBe('SSH_HANDSHAKE');
    } finally {
      for (const socket of sockets) {
        socket.destroy();
      }
      silent.close();
      other.close();
    }
  });
});

function listening(take: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      take(socket);
    });
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}
