/** A connection to an SSH server that was asked for by name: configuration, hops, host key, login. */
import { homedir, hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Client } from 'ssh2';
import { SockscopeError } from '../../errors.ts';
import { algorithmsFor } from './algorithms.ts';
import { type HostConfig, resolveConfig } from './config.ts';
import { configTexts, includedTexts } from './config-files.ts';
import type { Ask, SshConnection, SshSettings } from './connection.ts';
import { environmentOf } from './environment.ts';
import { expanded, type Tokens } from './expand.ts';
import { NO_COMMON_ALGORITHM } from './failures.ts';
import { type HostKeyRules, nameOf, readKnownHosts } from './host-key.ts';
import { identitiesOf } from './identities.ts';
import { knownTypes } from './known-hosts.ts';
import { type Opened, openClient } from './open-client.ts';
import { loadSsh2 } from './ssh2.ts';
import { readTarget, type Target } from './target.ts';

export type { Ask, SshConnection, SshSettings } from './connection.ts';

/** Hops behind each other; configurations can point at each other. */
const MOST_HOPS = 16;
/** When neither the command line nor the configuration says one. */
const CONNECT_TIMEOUT_MS = 20_000;

/** `target` is `[user@]host[:port]`, `[user@][v6]:port` or `ssh://user@host:port`. Whatever goes wrong is a SockscopeError. */
export function connectTo(target: string, settings: SshSettings, ask: Ask): Promise<SshConnection> {
  return reach(target, readTarget(target), settings, ask, null, 0);
}

/** `hops`: instead of those of the configuration; null leaves it to that. */
async function reach(
  name: string,
  target: Target,
  settings: SshSettings,
  ask: Ask,
  hops: readonly string[] | null,
  depth: number,
): Promise<SshConnection> {
  const config = configFor(target, settings);
  for (const notice of config.notices) {
    ask.say(notice);
  }
  if (config.proxyCommand !== null) {
    throw new SockscopeError(
      'SSH_PROXY_COMMAND',
      `The configuration reaches ${config.host} through a program (ProxyCommand ${config.proxyCommand}).`,
      'Use ProxyJump, which is supported, or -o ProxyCommand=none.',
      3,
    );
  }
  const way = hops ?? hopsOf(config);
  const below = way.length === 0 ? null : await through(way, config, settings, ask, depth);
  try {
    return await login(name, config, settings, ask, below);
  } catch (error) {
    await below?.end();
    throw error;
  }
}

function hopsOf({ proxyJump, host, port }: HostConfig): string[] {
  const hops = proxyJump?.split(',').map((hop) => hop.trim()) ?? [];
  const last = hops.length === 0 ? null : readTarget(hops[hops.length - 1]!);
  // `Host *` with a ProxyJump means everybody but the jump host itself.
  return last !== null && last.host === host && (last.port ?? port) === port ? [] : hops;
}

/** The last hop is reached through those before it, or as its own configuration says. */
async function through(
  hops: readonly string[],
  config: HostConfig,
  settings: SshSettings,
  ask: Ask,
  depth: number,
): Promise<SshConnection> {
  if (depth >= MOST_HOPS) {
    throw new SockscopeError(
      'SSH_JUMPS',
      `The way to ${config.host} has more than ${MOST_HOPS} hops.`,
      'Two lines of ProxyJump point at each other: look at ~/.ssh/config.',
      2,
    );
  }
  const before = hops.slice(0, -1);
  const hop = hops[hops.length - 1]!;
  // As for ssh: a user, port, key or option of the command line is meant for the end of the way.
  const { port: _port, user: _user, identities: _identities, options: _options, ...kept } = settings;
  return reach(hop, readTarget(hop), kept, ask, before.length === 0 ? null : before, depth + 1);
}

function configFor(target: Target, settings: SshSettings): HostConfig {
  const home = homedir();
  const user = target.user ?? settings.user;
  const port = target.port ?? settings.port;
  return resolveConfig(
    {
      host: target.host,
      options: settings.options ?? [],
      ...(user === undefined ? {} : { user }),
      ...(port === undefined ? {} : { port }),
    },
    configTexts(settings.configFile ?? null, home),
    { localUser: localUser(), include: (pattern, own) => includedTexts(pattern, own, home) },
  );
}

function localUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run as a number that has no name.
    return process.env.USER ?? 'root';
  }
}

function tokensOf(config: HostConfig): Tokens {
  return {
    home: homedir(),
    environment: process.env,
    of: {
      h: config.hostName,
      i: String(process.getuid?.() ?? 0),
      k: config.hostKeyAlias ?? config.host,
      L: hostname().split('.')[0]!,
      l: hostname(),
      n: config.host,
      p: String(config.port),
      r: config.user,
      u: localUser(),
    },
  };
}

function rulesOf(config: HostConfig, tokens: Tokens, settings: SshSettings): HostKeyRules {
  const paths = (list: readonly string[]): string[] =>
    list.filter((path) => path.toLowerCase() !== 'none').map((path) => expanded(path, tokens));
  return {
    host: config.hostKeyAlias ?? config.hostName,
    port: config.hostKeyAlias === null ? config.port : null,
    own: settings.knownHosts === undefined ? paths(config.userKnownHosts) : [settings.knownHosts],
    global: settings.knownHosts === undefined ? paths(config.globalKnownHosts) : [],
    strict: config.strict,
    acceptNew: settings.acceptNew ?? false,
    hash: config.hashKnownHosts,
  };
}

/** Path of the agent's socket; null: none is wanted, or there is none. */
function agentPath({ identityAgent }: HostConfig, tokens: Tokens): string | null {
  if (identityAgent === null || identityAgent === 'SSH_AUTH_SOCK') {
    return process.env.SSH_AUTH_SOCK || null;
  }
  if (identityAgent.toLowerCase() === 'none') {
    return null;
  }
  const [, variable] = /^\$([A-Za-z_][A-Za-z0-9_]*)$/.exec(identityAgent) ?? [];
  return variable === undefined ? expanded(identityAgent, tokens) : (process.env[variable] ?? null);
}

async function login(
  name: string,
  config: HostConfig,
  settings: SshSettings,
  ask: Ask,
  below: SshConnection | null,
): Promise<SshConnection> {
  const ssh2 = await loadSsh2();
  const tokens = tokensOf(config);
  const rules = rulesOf(config, tokens, settings);
  const identities = await identitiesOf(
    ssh2,
    {
      config,
      named: (settings.identities ?? []).map((path) => expanded(path, { ...tokens, of: {} })),
      configured: config.identityFiles
        .filter((path) => path.toLowerCase() !== 'none')
        .map((path) => expanded(path, tokens)),
      folder: join(homedir(), '.ssh'),
      agent: agentPath(config, tokens),
    },
    ask,
  );
  const timeout =
    settings.connectTimeoutMs ??
    (config.connectTimeout > 0 ? config.connectTimeout * 1000 : CONNECT_TIMEOUT_MS);
  const open = async (lists: boolean): Promise<Opened> =>
    openClient(
      {
        ssh2,
        config,
        rules,
        algorithms: algorithmsFor(config, knownTypes(readKnownHosts(rules), nameOf(rules))),
        identities,
        prompts: settings.password ?? true,
        timeoutMs: timeout,
        lists,
        sock: below === null ? null : await forward(below, config),
      },
      ask,
    );
  const { client, hostKey, software, watch } = await open(false).catch((error: unknown) => {
    // Once more, to hear what the other side would have taken.
    if (error instanceof SockscopeError && error.code === NO_COMMON_ALGORITHM) {
      return open(true);
    }
    throw error;
  });
  return {
    client,
    name,
    user: config.user,
    host: config.hostName,
    port: config.port,
    hostKey,
    software,
    env: environmentOf(config.sendEnv, config.setEnv, process.env),
    get lost() {
      return watch.lost;
    },
    async end() {
      await watch.end();
      await below?.end();
    },
  };
}

type Tunnel = Parameters<Parameters<Client['forwardOut']>[4] & object>[1];

function forward(below: SshConnection, { hostName, port }: HostConfig): Promise<Tunnel> {
  return new Promise((resolve, reject) => {
    below.client.forwardOut('127.0.0.1', 0, hostName, port, (error, channel) => {
      if (error) {
        reject(
          new SockscopeError(
            'SSH_JUMP',
            `${below.name} cannot reach ${hostName}:${port}: ${error.message}.`,
            'Try it from there; sshd may also forbid it (AllowTcpForwarding).',
            1,
            error,
          ),
        );
      } else {
        resolve(channel);
      }
    });
  });
}
