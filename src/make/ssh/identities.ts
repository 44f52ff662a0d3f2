/** What somebody can prove to be: the agent's keys and those in files, in the order in which ssh tries them. */
import type { ParsedKey } from 'ssh2';
import { SockscopeError } from '../../errors.ts';
import type { HostConfig } from './config.ts';
import type { Ask } from './connection.ts';
import { readKeyFile } from './key-file.ts';
import type { Ssh2 } from './ssh2.ts';

export interface Identity {
  /** For sentences. */
  readonly name: string;
  /** null: it turned out to be of no use (no passphrase). */
  publicKey(): Promise<ParsedKey | null>;
  /** null: as above. */
  sign(data: Buffer, hash: string | undefined): Promise<Buffer | null>;
}

export interface Identities {
  readonly list: readonly Identity[];
  /** Why some are missing: half sentences. */
  readonly notes: readonly string[];
}

const TRIES = 3;
const USUAL = ['id_ed25519', 'id_ecdsa', 'id_rsa'];

/** What one person has unlocked once is not asked for again: many hosts, one passphrase. */
const unlocked = new WeakMap<Ask, Map<string, Promise<ParsedKey | null>>>();

export interface IdentityWish {
  readonly config: HostConfig;
  /** From the command line: one that does not exist or must not be used is an error. */
  readonly named: readonly string[];
  /** Of the configuration, without tokens. */
  readonly configured: readonly string[];
  readonly folder: string;
  /** Path of the agent's socket. */
  readonly agent: string | null;
}

export async function identitiesOf(ssh2: Ssh2, wish: IdentityWish, ask: Ask): Promise<Identities> {
  const notes: string[] = [];
  const own = [...wish.named, ...wish.configured];
  const paths = own.length > 0 ? [...new Set(own)] : USUAL.map((name) => `${wish.folder}/${name}`);
  const files: Identity[] = [];
  const wanted = new Map<string, string>();
  for (const path of paths) {
    const file = readKeyFile(path, ssh2.utils.parseKey);
    if (wish.named.includes(path) && (file.kind === 'none' || file.kind === 'fault')) {
      throw new SockscopeError(
        'SSH_KEY_FILE',
        file.kind === 'none' ? `There is no key file ${path}.` : `${file.why}.`,
        'Correct that, or name another file with -i.',
        file.kind === 'none' ? 2 : 1,
      );
    }
    if (file.kind === 'fault') {
      notes.push(file.why);
    } else if (file.kind !== 'none') {
      if (file.key !== null) {
        wanted.set(blobOf(file.key), path);
      }
      if (file.kind === 'private') {
        files.push(unlockedFile(path, file.key));
      } else if (file.kind === 'locked') {
        files.push(lockedFile(path, file, ask));
      }
    }
  }
  const inAgent = wish.agent === null ? [] : await agentKeys(ssh2, wish.agent, notes);
  const first = inAgent.filter(({ blob }) => wanted.has(blob));
  const others = wish.config.identitiesOnly ? [] : inAgent.filter(({ blob }) => !wanted.has(blob));
  const held = new Set(first.map(({ blob }) => wanted.get(blob)));
  return {
    list: [
      ...first.map(({ identity }) => identity),
      ...others.map(({ identity }) => identity),
      ...files.filter(({ name }) => !held.has(name)),
    ],
    notes,
  };
}

function blobOf(key: ParsedKey): string {
  return key.getPublicSSH().toString('base64');
}

function signed(key: ParsedKey, data: Buffer, hash: string | undefined): Buffer {
  const made: Buffer | Error = key.sign(data, hash);
  if (made instanceof Error) {
    throw made;
  }
  return made;
}

function unlockedFile(name: string, key: ParsedKey): Identity {
  return {
    name,
    publicKey: async () => key,
    sign: async (data, hash) => signed(key, data, hash),
  };
}

interface Locked {
  readonly key: ParsedKey | null;
  unlock(passphrase: string): ParsedKey | null;
}

/** The server is asked first whether the key is any good to it; the person only then. */
function lockedFile(name: string, file: Locked, ask: Ask): Identity {
  const open = (): Promise<ParsedKey | null> => {
    const mine = unlocked.get(ask) ?? new Map<string, Promise<ParsedKey | null>>();
    unlocked.set(ask, mine);
    const opened = mine.get(name) ?? askFor(name, file, ask);
    mine.set(name, opened);
    return opened;
  };
  return {
    name,
    publicKey: async () => file.key ?? (await open()),
    async sign(data, hash) {
      const key = await open();
      return key === null ? null : signed(key, data, hash);
    },
  };
}

async function askFor(name: string, file: Locked, ask: Ask): Promise<ParsedKey | null> {
  if (!ask.possible) {
    ask.say(`${name} is encrypted, and there is no terminal to ask for its passphrase on.`);
    return null;
  }
  for (let tried = 0; tried < TRIES; tried++) {
    const passphrase = await ask.password(`Passphrase of ${name}: `);
    if (passphrase === null || passphrase === '') {
      return null;
    }
    const key = file.unlock(passphrase);
    if (key !== null) {
      return key;
    }
    ask.say('That passphrase does not open the key.');
  }
  return null;
}

interface AgentKey {
  readonly blob: string;
  readonly identity: Identity;
}

async function agentKeys(ssh2: Ssh2, path: string, notes: string[]): Promise<AgentKey[]> {
  const agent = new ssh2.OpenSSHAgent(path);
  const keys = await new Promise<ParsedKey[] | null>((resolve) => {
    agent.getIdentities((error, found) =>
      resolve(error || found === undefined ? null : (found as ParsedKey[])),
    );
  });
  if (keys === null) {
    notes.push(`no agent answers at ${path}`);
    return [];
  }
  return keys.map((key) => ({
    blob: blobOf(key),
    identity: {
      name: `${key.comment === '' ? key.type : key.comment} (agent)`,
      publicKey: async () => key,
      sign: (data, hash) =>
        new Promise((resolve, reject) => {
          const options = hash === undefined ? {} : { hash: hash as 'sha256' };
          agent.sign(key, data, options, (error, signature) => {
            if (error || signature === undefined) {
              reject(error ?? new Error('the agent did not sign'));
            } else {
              resolve(Buffer.from(signature as Buffer));
            }
          });
        }),
    },
  }));
}
