/** Proving who one is: none, public keys, questions of the server, a password; in ssh's order. */
import type { AnyAuthMethod, AuthenticationType, BaseAgent, ParsedKey, Prompt, SignCallback } from 'ssh2';
import type { HostConfig } from './config.ts';
import type { Ask } from './connection.ts';
import type { Identity } from './identities.ts';
import { plainLine, plainText } from './plain.ts';
import type { Ssh2 } from './ssh2.ts';

export interface Login {
  /** For ssh2. */
  next(left: readonly AuthenticationType[] | null, partial: boolean | null, go: (way: unknown) => void): void;
  /** What was tried, for a sentence. */
  readonly tried: readonly string[];
  /** What the server would take. */
  readonly offers: readonly string[];
}

export interface LoginWish {
  readonly config: HostConfig;
  readonly identities: readonly Identity[];
  /** Passwords and questions. */
  readonly prompts: boolean;
  /** Stops the clock of the connection until the work is done. */
  patiently<T>(work: Promise<T>): Promise<T>;
}

export function createLogin(
  ssh2: Ssh2,
  { config, identities, prompts, patiently }: LoginWish,
  ask: Ask,
): Login {
  const { user } = config;
  const tried: string[] = [];
  let offers: readonly string[] = [];
  let begun = false;
  let key = 0;
  /** The server took a signature and still wants more: its new list of methods has to be asked for (see `refresh`). */
  let signed = false;
  let gaveUp = false;
  const mayAsk = prompts && ask.possible && !config.batch;
  let interactive = mayAsk && config.interactive ? config.prompts : 0;
  let passwords = mayAsk && config.password ? config.prompts : 0;
  const who = `${user}@${config.host}`;

  const withKey = (identity: Identity, publicKey: ParsedKey): AnyAuthMethod => ({
    type: 'agent',
    username: user,
    agent: keyAsAgent(ssh2, publicKey, async (data, hash) => {
      signed = true;
      return patiently(identity.sign(data, hash));
    }),
  });

  async function answers(
    title: string,
    instructions: string,
    questions: readonly Prompt[],
    finish: (said: string[]) => void,
  ): Promise<void> {
    const heading = [plainLine(title), plainText(instructions).trim()]
      .filter((text) => text !== '')
      .join('\n');
    if (heading !== '') {
      ask.say(heading);
    }
    const said: string[] = [];
    for (const { prompt, echo } of questions) {
      const text = `(${who}) ${plainText(prompt)}`;
      const answer = gaveUp ? null : echo === true ? await ask.line(text) : await ask.password(text);
      gaveUp ||= answer === null;
      said.push(answer ?? '');
    }
    finish(said);
  }

  async function choose(): Promise<AnyAuthMethod | false> {
    if (signed) {
      // ssh2 keeps the list of methods of before the keys of an agent, also when one of them was only the first of two steps.
      signed = false;
      return { type: 'none', username: user };
    }
    while (config.publicKey && offers.includes('publickey') && key < identities.length) {
      const identity = identities[key++]!;
      const publicKey = await identity.publicKey();
      tried.push(publicKey === null ? `${identity.name} (locked)` : identity.name);
      if (publicKey !== null) {
        return withKey(identity, publicKey);
      }
    }
    if (!gaveUp && interactive > 0 && offers.includes('keyboard-interactive')) {
      interactive--;
      tried.push('keyboard-interactive');
      return {
        type: 'keyboard-interactive',
        username: user,
        prompt: (title, instructions, _language, questions, finish) => {
          void patiently(answers(title, instructions, questions, finish));
        },
      };
    }
    if (!gaveUp && passwords > 0 && offers.includes('password')) {
      passwords--;
      const password = await ask.password(`${who}'s password: `);
      if (password !== null) {
        tried.push('password');
        return { type: 'password', username: user, password };
      }
      gaveUp = true;
    }
    return false;
  }

  return {
    get tried() {
      return [...new Set(tried)];
    },
    get offers() {
      return offers;
    },
    next(left, _partial, go) {
      if (left !== null) {
        offers = left;
      }
      if (!begun) {
        begun = true;
        go({ type: 'none', username: user });
        return;
      }
      void patiently(choose()).then(go);
    },
  };
}

/** ssh2 signs at once with the keys it is given itself; an agent may take its time, and so may a passphrase. */
function keyAsAgent(
  ssh2: Ssh2,
  key: ParsedKey,
  sign: (data: Buffer, hash: string | undefined) => Promise<Buffer | null>,
): BaseAgent {
  class OneKey extends ssh2.BaseAgent<ParsedKey> {
    override getIdentities(done: (error: Error | undefined, keys?: ParsedKey[]) => void): void {
      done(undefined, [key]);
    }

    override sign(_key: ParsedKey, data: Buffer, options: unknown, done?: unknown): void {
      const tell = (typeof options === 'function' ? options : done) as SignCallback;
      const { hash } = (typeof options === 'function' ? {} : options) as { hash?: string };
      sign(data, hash).then(
        (signature) => (signature === null ? tell(new Error('locked')) : tell(undefined, signature)),
        (error: Error) => tell(error),
      );
    }
  }
  return new OneKey();
}
