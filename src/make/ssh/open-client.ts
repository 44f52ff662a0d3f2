/** From a socket to a client that is logged in: the handshake, the host key, the login, and a clock over all of it. */
import type { Algorithms, Client, ConnectConfig } from 'ssh2';
import type { SockscopeError } from '../../errors.ts';
import type { HostConfig } from './config.ts';
import type { Ask } from './connection.ts';
import { gatherWrites } from './copy-socket.ts';
import { type Attempt, failureOf, timedOut } from './failures.ts';
import { type HostKeyRules, judgeHostKey } from './host-key.ts';
import type { Identities } from './identities.ts';
import { fingerprint } from './known-hosts.ts';
import { createLogin } from './login.ts';
import { plainLine, plainText } from './plain.ts';
import type { Ssh2 } from './ssh2.ts';

export interface OpenWish {
  readonly ssh2: Ssh2;
  readonly config: HostConfig;
  readonly rules: HostKeyRules;
  readonly algorithms: Algorithms;
  readonly identities: Identities;
  readonly prompts: boolean;
  readonly timeoutMs: number;
  /** Both sides' lists of algorithms are wanted. ssh2 tells them only as it tells everything else, packet by packet, and never stops. */
  readonly lists: boolean;
  /** A hop's channel; null: a socket of its own. */
  readonly sock: NonNullable<ConnectConfig['sock']> | null;
}

export interface Watch {
  readonly lost: string | null;
  end(): Promise<void>;
}

export interface Opened {
  readonly client: Client;
  readonly hostKey: string;
  /** As the server names itself. */
  readonly software: string;
  readonly watch: Watch;
}

/** ssh2 has no event for it. */
interface Greeted {
  readonly _remoteVer?: string;
}

const PARTING_MS = 1000;

export function openClient(wish: OpenWish, ask: Ask): Promise<Opened> {
  const { ssh2, config, rules, identities } = wish;
  const client = new ssh2.Client();
  const clock = createClock(wish.timeoutMs);
  const login = createLogin(
    ssh2,
    { config, identities: identities.list, prompts: wish.prompts, patiently: clock.patiently },
    ask,
  );
  const lists = new Map<string, { local?: string; remote?: string }>();
  const attempt: Attempt = {
    host: config.hostName,
    port: config.port,
    user: config.user,
    lists,
    login,
    notes: identities.notes,
    shaken: false,
  };
  let accepted: Buffer | null = null;
  let remember: (() => void) | null = null;

  return new Promise((resolve, reject) => {
    let settled = false;
    const fail = (error: SockscopeError): void => {
      if (!settled) {
        settled = true;
        clock.stop();
        client.on('error', () => {});
        reject(error);
        client.destroy();
        wish.sock?.destroy();
      }
    };

    /** Also asked whenever the keys of the session are renewed. */
    const verify = (key: Buffer, tell: (valid: boolean) => void): void => {
      if (accepted !== null) {
        tell(key.equals(accepted));
        return;
      }
      void clock.patiently(judgeHostKey(rules, key, ask)).then((judged) => {
        if ('refused' in judged) {
          fail(judged.refused);
          return;
        }
        accepted = Buffer.from(key);
        remember = judged.remember;
        tell(true);
      });
    };

    client.on('handshake', () => {
      attempt.shaken = true;
      remember?.();
      remember = null;
    });
    client.on('banner', (text) => ask.say(plainText(text).trimEnd()));
    // A key that the agent did not sign with is one key less; ssh2 goes on to the next.
    client.on('error', (error) => {
      if (!settled && (error as { level?: string }).level !== 'agent') {
        fail(failureOf(attempt, error));
      }
    });
    client.on('close', () => fail(failureOf(attempt, new Error('the server closed the connection'))));
    client.on('ready', () => {
      if (settled) {
        return;
      }
      settled = true;
      clock.stop();
      client.removeAllListeners('close');
      client.removeAllListeners('error');
      client.removeAllListeners('handshake');
      resolve({
        client,
        hostKey: fingerprint(accepted ?? Buffer.alloc(0)),
        software: plainLine((client as unknown as Greeted)._remoteVer ?? ''),
        watch: watchOver(client),
      });
    });
    clock.start(() => fail(timedOut(attempt, wish.timeoutMs)));
    client.connect({
      host: config.hostName,
      port: config.port,
      username: config.user,
      algorithms: wish.algorithms,
      hostVerifier: verify,
      // Ours stands still while somebody is asked.
      readyTimeout: 0,
      keepaliveInterval: config.aliveInterval * 1000,
      keepaliveCountMax: config.aliveCount,
      authHandler: (left, partial, go) => login.next(left, partial, go as (way: unknown) => void),
      ...(wish.lists ? { debug: (line: string) => noteLists(line, lists) } : {}),
      ...(config.family === 4 ? { forceIPv4: true } : config.family === 6 ? { forceIPv6: true } : {}),
      ...(config.bindAddress === null ? {} : { localAddress: config.bindAddress }),
      ...(wish.sock === null ? {} : { sock: wish.sock }),
    });
    // From the first packet on: a login is ten small ones, and Nagle's algorithm made it wait 200 ms in all.
    gatherWrites(client);
  });
}

function noteLists(line: string, lists: Map<string, { local?: string; remote?: string }>): void {
  const [, side, name, list] = /^Handshake: \((local|remote)\) (.+?): (.*)$/.exec(line) ?? [];
  if (side === undefined || name === undefined) {
    return;
  }
  const key = name === 'KEX method' ? 'key exchange' : name.toLowerCase();
  lists.set(key, { ...lists.get(key), [side]: list });
}

interface Clock {
  start(late: () => void): void;
  stop(): void;
  /** The server is not late while a person thinks. */
  patiently<T>(work: Promise<T>): Promise<T>;
}

function createClock(ms: number): Clock {
  let timer: NodeJS.Timeout | undefined;
  let over: (() => void) | null = null;
  let thinking = 0;
  const run = (): void => {
    clearTimeout(timer);
    if (over !== null && thinking === 0) {
      timer = setTimeout(over, ms);
    }
  };
  return {
    start(late) {
      over = late;
      run();
    },
    stop() {
      over = null;
      run();
    },
    async patiently(work) {
      thinking++;
      run();
      try {
        return await work;
      } finally {
        thinking--;
        run();
      }
    },
  };
}

function watchOver(client: Client): Watch {
  let lost: string | null = null;
  let ours = false;
  let closed = (): void => {};
  const over = new Promise<void>((resolve) => {
    closed = resolve;
  });
  client.on('error', (error) => {
    lost ??= plainLine(error.message);
  });
  client.on('close', () => {
    if (!ours) {
      lost ??= 'the other end closed the connection';
    }
    closed();
  });
  return {
    get lost() {
      return ours ? null : lost;
    },
    async end() {
      if (lost === null) {
        ours = true;
      }
      client.end();
      // A server that does not answer any more cannot keep us.
      const timer = setTimeout(() => {
        client.destroy();
        closed();
      }, PARTING_MS);
      await over;
      clearTimeout(timer);
    },
  };
}
