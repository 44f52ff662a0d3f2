import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { needs } from '../../../test/needs.ts';
import { SockscopeError } from '../../errors.ts';
import { type ConfigText, type HostConfig, type HostWish, resolveConfig } from './config.ts';
import { configTexts, includedTexts } from './config-files.ts';
import { configLine } from './config-words.ts';

const bytes = fc.uint8Array({ maxLength: 60 }).map((raw) => Buffer.from(raw).toString('latin1'));

const localUser = userInfo().username;

function resolve(
  text: string,
  wish: Partial<HostWish> & { host: string },
  files: Record<string, string> = {},
): HostConfig {
  const named = (name: string): ConfigText[] =>
    Object.hasOwn(files, name) ? [{ name, text: files[name]!, own: true }] : [];
  return resolveConfig({ options: [], ...wish }, [{ name: 'config', text, own: true }], {
    localUser,
    include: named,
  });
}

const folder = mkdtempSync(join(tmpdir(), 'sockscope-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What `ssh -G` prints, in the words of our own. */
function ours(config: HostConfig): Record<string, readonly string[]> {
  const yes = (flag: boolean): string[] => [flag ? 'yes' : 'no'];
  const some = (text: string | null): string[] => (text === null ? [] : [text]);
  return {
    hostname: [config.hostName],
    port: [String(config.port)],
    user: [config.user],
    identityfile: config.identityFiles,
    identitiesonly: yes(config.identitiesOnly),
    identityagent: some(config.identityAgent),
    hostkeyalias: some(config.hostKeyAlias),
    hashknownhosts: yes(config.hashKnownHosts),
    stricthostkeychecking: [
      { yes: 'true', no: 'false', ask: 'ask', 'accept-new': 'accept-new' }[config.strict],
    ],
    userknownhostsfile: [config.userKnownHosts.map((path) => path.replace(/^~/, homedir())).join(' ')],
    proxyjump: some(config.proxyJump),
    proxycommand: some(config.proxyCommand),
    connecttimeout: [config.connectTimeout === 0 ? 'none' : String(config.connectTimeout)],
    serveraliveinterval: [String(config.aliveInterval)],
    serveralivecountmax: [String(config.aliveCount)],
    numberofpasswordprompts: [String(config.prompts)],
    batchmode: yes(config.batch),
    passwordauthentication: yes(config.password),
    sendenv: config.sendEnv,
    setenv: config.setEnv,
    addressfamily: [{ 0: 'any', 4: 'inet', 6: 'inet6' }[config.family]],
  };
}

function theirs(
  file: string,
  host: string,
  more: readonly string[],
): Record<string, readonly string[]> | string {
  const ran = spawnSync('ssh', ['-G', '-F', file, ...more, host], { encoding: 'utf8' });
  if (ran.status !== 0) {
    return ran.stderr;
  }
  const found: Record<string, string[]> = {};
  for (const line of ran.stdout.split('\n')) {
    const [key = '', ...rest] = line.split(' ');
    found[key] = [...(found[key] ?? []), rest.join(' ')];
  }
  return found;
}

const CONFIGS: Readonly<Record<string, string>> = {
  'first value wins': 'Host web*\n Port 2201\n User a\nHost *\n Port 2202\n User b\n HostName %h.example\n',
  negation: 'Host *.x !db.x\n User in\nHost *\n User out\n',
  'equals signs and quotes':
    'Host=web1\nUser = "a b"\nHostName="h.example"\nIdentityFile "/k/with space"\nPort\t=\t77\n',
  'single quotes, backslashes, comments':
    "Host web1 # not a comment in old ssh\nIdentityFile '/k/q' # a comment\nIdentityFile /k/a\\ b\n  # whole line\n\n",
  'identity files gather':
    'IdentityFile ~/.ssh/a\nHost web1\nIdentityFile %d/b\nIdentityFile ~/.ssh/a\nHost *\nIdentityFile none\n',
  'case of keywords': 'hOST WEB1 web1\nuSER x\nSTRICTHOSTKEYCHECKING Yes\nidentitiesonly TRUE\n',
  'match host':
    'Host web1\n HostName real.example\nMatch host real.*\n User r\nMatch originalhost web1\n Port 99\nMatch host web1\n Port 98\n',
  'match user':
    'Host web1\n User x\nMatch user x,y\n Port 5\nMatch !user x\n Port 6\nMatch all\n ConnectTimeout 1m30s\n',
  'match localuser': `Match localuser ${localUser} host web?\n Port 41\nMatch localuser nobody-here\n Port 42\n`,
  'strict off':
    'StrictHostKeyChecking off\nServerAliveInterval 15\nServerAliveCountMax 2\nNumberOfPasswordPrompts 1\n',
  'strict accept-new':
    'StrictHostKeyChecking accept-new\nHashKnownHosts yes\nBatchMode yes\nServerAliveInterval 5\nPasswordAuthentication no\n',
  'known hosts': 'UserKnownHostsFile ~/.ssh/a /k/b\nUserKnownHostsFile /k/c\nHostKeyAlias other\n',
  jump: 'Host web1\n ProxyJump a@b:22,c\nHost *\n ProxyJump none\n ProxyCommand nc %h %p\n',
  'jump none': 'Host web1\n ProxyJump none\nHost *\n ProxyJump x\n',
  'proxy command first': 'ProxyCommand nc %h %p\nProxyJump x\n',
  environment: 'SendEnv LANG LC_*\nHost web1\nSendEnv X Y\nSendEnv -LC_*\nSetEnv A=1 "B=2 3"\nSetEnv C=4\n',
  agent: 'Host web1\nIdentityAgent SSH_AUTH_SOCK\nHost *\nIdentityAgent /a\nAddressFamily inet6\n',
  include: 'Host web1\nInclude INCLUDED\nPort 9\nHost *\nUser last\n',
  'include in another block': 'Host nobody\nInclude INCLUDED\nHost *\nUser last\n',
  'ignore unknown': 'IgnoreUnknown UseKeychain,Foo*\nFooBar 1\nUser x\n',
};

const INCLUDED = 'User included\nHost web2\n Port 10\nHost web1\n ConnectTimeout 7\n';

const { missing } = needs('ssh');

describe.skipIf(missing)('a configuration means what it means to ssh -G', () => {
  const included = join(folder, 'included');
  writeFileSync(included, INCLUDED, { mode: 0o600 });
  for (const [name, text] of Object.entries(CONFIGS)) {
    test(name, () => {
      const file = join(folder, 'config');
      writeFileSync(file, text.replaceAll('INCLUDED', included), { mode: 0o600 });
      for (const host of name === 'negation' ? ['web1', 'db.x', 'a.x'] : ['web1', 'web2']) {
        const config = resolveConfig({ host, options: [] }, configTexts(file, homedir()), {
          localUser,
          include: (pattern, own) => includedTexts(pattern, own, homedir()),
        });
        const want = theirs(file, host, []);
        expect(want).toBeTypeOf('object');
        const told = want as Record<string, readonly string[]>;
        const mine = ours(config);
        for (const key of Object.keys(mine)) {
          // Without any of its own ssh lists its usual key files.
          if (key !== 'identityfile' || mine[key]!.length > 0) {
            const theirsNow = (told[key] ?? []).filter(
              (value) => value !== 'none' || key === 'connecttimeout' || key === 'identityfile',
            );
            expect({ host, [key]: theirsNow }).toEqual({ host, [key]: mine[key] });
          }
        }
      }
    });
  }

  test.each([
    'Port 0\n',
    'Port 22 23\n',
    'Host nobody\n Port x\n',
    'User\n',
    'Frobnicate yes\n',
    'Host web1\nHostName "x\n',
    'StrictHostKeyChecking maybe\n',
    'ConnectTimeout soon\n',
    'Match frob x\n',
    'Match all host x\n',
    'Match host\n',
    'Host\n',
    'IdentitiesOnly perhaps\n',
  ])('%j is refused by both', (text) => {
    const file = join(folder, 'bad');
    writeFileSync(file, text, { mode: 0o600 });
    expect(theirs(file, 'web1', [])).toBeTypeOf('string');
    expect(() => resolve(text, { host: 'web1' })).toThrow(SockscopeError);
  });

  test('options of the command line come first, for both', () => {
    const file = join(folder, 'options');
    writeFileSync(file, 'Port 1\nUser x\nIdentityFile /f\n', { mode: 0o600 });
    const options = ['Port=2', 'IdentityFile /o'];
    const told = theirs(file, 'web1', ['-l', 'me', ...options.flatMap((one) => ['-o', one])]);
    const mine = resolveConfig({ host: 'web1', user: 'me', options }, configTexts(file, homedir()), {
      localUser,
      include: () => [],
    });
    expect(told).toMatchObject({ port: ['2'], user: ['me'], identityfile: ['/o', '/f'] });
    expect(mine).toMatchObject({ port: 2, user: 'me', identityFiles: ['/o', '/f'] });
  });
});

describe('a configuration', () => {
  test('names the file, the line and the nearest word for what is no option', () => {
    try {
      resolve('Host *\n IdentityFle x\n', { host: 'x' });
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'SSH_CONFIG', exit: 2 });
      expect((error as SockscopeError).message).toContain('config:2');
      expect((error as SockscopeError).hint).toContain('identityfile');
    }
  });

  test('a Match that would run a program is passed over, and said', () => {
    const config = resolve('Match exec "true"\n User evil\nMatch all\n Port 7\n', { host: 'x' });
    expect(config.user).toBe(localUser);
    expect(config.port).toBe(7);
    expect(config.notices).toEqual([
      'config:1: "Match exec" is not supported here: its block is passed over.',
    ]);
  });

  test('!exec is passed over too: nothing is guessed', () => {
    expect(resolve('Match !exec "false"\n User evil\n', { host: 'x' }).user).toBe(localUser);
  });

  test('a file that includes itself is an error, not the end', () => {
    const files = { loop: 'Include loop\n' };
    expect(() => resolve('Include loop\n', { host: 'x' }, files)).toThrow(/too deeply/);
  });

  test('any text is read, or refused with our own error', () => {
    const piece = fc.constantFrom(
      'Host',
      'Match',
      'host',
      'exec',
      '*',
      '!',
      '"',
      "'",
      '\\',
      '=',
      ' ',
      '\t',
      '\n',
      '#',
      'Port',
      '22',
      'User',
      'Include',
      'IdentityFile',
      'all',
      '%h',
      'é',
      '\0',
    );
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: piece, maxLength: 60 }), bytes), (text) => {
        try {
          resolve(text, { host: 'web1' });
        } catch (error) {
          expect(error).toBeInstanceOf(SockscopeError);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('words that were quoted come back as they were', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme-ascii', minLength: 1 }), { minLength: 1, maxLength: 4 }),
        (args) => {
          const line = `SetEnv ${args.map((arg) => `"${arg.replace(/[\\"']/g, (c) => `\\${c}`)}"`).join(' ')}`;
          expect(configLine(line)).toEqual({ keyword: 'setenv', args });
        },
      ),
    );
  });
});
