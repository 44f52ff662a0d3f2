/** Logins in several steps, as servers with one-time codes have them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type AuthContext } from 'ssh2';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../../../test/needs.ts';
import { authorize, keygen, startSshd } from '../../../test/sshd.ts';
import { connectTo } from './connect.ts';
import type { Ask, SshSettings } from './connection.ts';

interface Person extends Ask {
  readonly asked: string[];
  readonly told: string[];
}

/** What is asked without echo begins with `hidden`. */
function person(...answers: (string | null)[]): Person {
  const asked: string[] = [];
  const told: string[] = [];
  const next = (kind: string) => async (prompt: string) => {
    asked.push(`${kind}: ${prompt}`);
    return answers.shift() ?? null;
  };
  return {
    possible: true,
    asked,
    told,
    password: next('hidden'),
    line: next('shown'),
    say: (text) => told.push(text),
  };
}

let folder = '';
let files = 0;
const servers: ssh2.Server[] = [];
const { missing } = needs('ssh-keygen');
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sockscope-questions-'));
  if (missing === null) {
    keygen(join(folder, 'id'), 'ed25519');
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const server of servers.splice(0)) {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
});

/** A server of a few lines that decides every login as the test says. */
async function serverThat(decides: (context: AuthContext) => void): Promise<string> {
  const key = ssh2.utils.generateKeyPairSync('ed25519').private;
  const server = new ssh2.Server({ hostKeys: [key] }, (connection) => {
    connection.on('error', () => {}).on('authentication', decides);
    // Its types leave it out.
    (connection as unknown as { setNoDelay(on: boolean): void }).setNoDelay(true);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `anna@127.0.0.1:${(server.address() as { port: number }).port}`;
}

const settings = (...identities: string[]): SshSettings => ({
  configFile: 'none',
  // Of its own: a port may come again, with another key.
  knownHosts: join(folder, `known-${files++}`),
  acceptNew: true,
  options: ['IdentityAgent=none', 'IdentityFile=none'],
  identities: identities.map((name) => join(folder, name)),
});

describe('questions of the server', () => {
  const asking = (context: AuthContext): void => {
    if (context.method !== 'keyboard-interactive') {
      context.reject(['keyboard-interactive']);
      return;
    }
    const questions = [
      { prompt: 'Name of your \x1b[2Jcat: ', echo: true },
      { prompt: 'Code: ', echo: false },
    ];
    context.prompt(questions, 'Two\x07 steps', 'Look at your telephone.', (answers) => {
      if (answers.join() === 'Tom,123456') {
        context.accept();
      } else {
        context.reject(['keyboard-interactive']);
      }
    });
  };

  test('are asked with and without echo, as the server wants, and without what would move a cursor', async () => {
    const ask = person('Tom', '123456');
    await (await connectTo(await serverThat(asking), settings(), ask)).end();
    expect(ask.asked).toEqual([
      'shown: (anna@127.0.0.1) Name of your [2Jcat: ',
      'hidden: (anna@127.0.0.1) Code: ',
    ]);
    expect(ask.told).toContain('Two steps\nLook at your telephone.');
  });

  test('come again after a wrong answer, three times in all', async () => {
    const ask = person('Tom', '1', 'Tom', '2', 'Tom', '123456');
    await (await connectTo(await serverThat(asking), settings(), ask)).end();
    expect(ask.asked).toHaveLength(6);
    const never = person(...Array<string>(8).fill('no'));
    await expect(connectTo(await serverThat(asking), settings(), never)).rejects.toMatchObject({
      code: 'SSH_DENIED',
      message: expect.stringContaining('tried keyboard-interactive; the server takes keyboard-interactive'),
    });
    expect(never.asked).toHaveLength(6);
  });

  test('that nobody wants to answer are not asked again', async () => {
    const ask = person(null);
    await expect(connectTo(await serverThat(asking), settings(), ask)).rejects.toMatchObject({
      code: 'SSH_DENIED',
    });
    expect(ask.asked).toHaveLength(1);
  });
});

describe.skipIf(missing)('a key and then a password', () => {
  test('are both given to a server that wants both', async () => {
    const steps: string[] = [];
    let signed = false;
    const target = await serverThat((context) => {
      if (context.method === 'publickey') {
        signed = context.signature !== undefined;
        steps.push(signed ? 'signed' : 'offered');
        if (signed) {
          context.reject(['password'], true);
        } else {
          context.accept();
        }
      } else if (context.method === 'password' && signed && context.password === 'right') {
        steps.push('password');
        context.accept();
      } else {
        context.reject(signed ? ['password'] : ['publickey']);
      }
    });
    const ask = person('right');
    await (await connectTo(target, settings('id'), ask)).end();
    expect(steps).toEqual(['offered', 'signed', 'password']);
    expect(ask.asked).toEqual(["hidden: anna@127.0.0.1's password: "]);
  });
});

const real = needs('sshd', 'ssh-keygen');

describe.skipIf(real.missing)('sshd that wants two keys', () => {
  test('gets two, and is not let down by one', async () => {
    const sshd = await startSshd({ lines: ['AuthenticationMethods publickey,publickey'] });
    try {
      authorize(sshd, keygen(sshd.path('second'), 'ecdsa'));
      const both = { configFile: sshd.config, identities: [sshd.path('second')] };
      const connection = await connectTo('here', both, person());
      expect(connection.software).toMatch(/^OpenSSH_/);
      await connection.end();
      await expect(connectTo('here', { configFile: sshd.config }, person())).rejects.toMatchObject({
        code: 'SSH_DENIED',
      });
    } finally {
      await sshd.stop();
    }
  });
});
