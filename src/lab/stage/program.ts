/** A program on a host, as a story speaks with it: each verb is a message to its process, and the answer what the kernel said. */
import { SockscopeError } from '../../errors.ts';
import type { Speaking } from '../../kernel/spawn-lab.ts';
import type { Child, Exit, Program } from '../api.ts';
import type { ChildMessage } from './actor-child.ts';
import { type Children, createChildren } from './children.ts';
import type { ActorOrder, FromActor, RawCall } from './protocol.ts';
import { PLAIN_VERBS } from './verbs.ts';

type Verb = (typeof PLAIN_VERBS)[number];

export interface RunningProgram {
  readonly program: Program;
  /** As it is; nothing is left of it when the promise is kept. */
  end(): Promise<void>;
}

export interface ProgramWish {
  readonly host: string;
  readonly process: Speaking;
  onCall(call: RawCall): void;
}

interface Waiting {
  readonly method: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Kept once the process speaks. */
export async function startProgram(wish: ProgramWish): Promise<RunningProgram> {
  const { process: actor } = wish;
  const waiting = new Map<number, Waiting>();
  const children: Children = createChildren(wish.host, (method, ...args) => ask<void>(method, args));
  let next = 1;
  let over: Exit | null = null;
  let isUp: () => void = () => {};
  let isNotUp: (error: Error) => void = () => {};
  const up = new Promise<void>((resolve, reject) => {
    isUp = resolve;
    isNotUp = reject;
  });

  const exited = new Promise<Exit>((resolve) => {
    actor.onExit((code, signal) => {
      over = { code, signal };
      isNotUp(new Error(`a program of ${wish.host} did not start: ${actor.complaint() || `exit ${code}`}`));
      for (const { method, reject } of waiting.values()) {
        reject(ended(wish.host, method, over));
      }
      waiting.clear();
      resolve(over);
    });
  });

  const silent = new Promise<void>((resolve) => actor.onSilence(resolve));

  actor.onMessage((message) => {
    const said = message as FromActor | ChildMessage;
    switch (said.type) {
      case 'up':
        isUp();
        break;
      case 'call':
        wish.onCall(said.call);
        break;
      case 'answer':
        settle(said.id)?.resolve(said.value);
        break;
      case 'refused':
        settle(said.id)?.reject(
          new SockscopeError('LAB_CALL', said.why, 'See docs/lab.md for the verbs.', 2),
        );
        break;
      default:
        children.hear(said);
    }
  });

  function settle(id: number): Waiting | undefined {
    const one = waiting.get(id);
    waiting.delete(id);
    return one;
  }

  function ask<T>(method: string, args: readonly unknown[]): Promise<T> {
    if (over !== null) {
      return Promise.reject(ended(wish.host, method, over));
    }
    const order: ActorOrder = { id: next, method, args };
    next += 1;
    actor.send(order);
    const answer = new Promise<T>((resolve, reject) => {
      waiting.set(order.id, { method, resolve: (value) => resolve(value as T), reject });
    });
    // A call that nobody waits for may end with its program.
    answer.catch(() => {});
    return answer;
  }

  await up;
  const verbs = Object.fromEntries(
    PLAIN_VERBS.map((verb) => [verb, (...args: readonly unknown[]) => ask(verb, args)]),
  ) as Pick<Program, Verb>;

  const program: Program = {
    ...verbs,
    host: wish.host,
    pid: actor.pid ?? 0,
    exited,
    async spawn(command, args = []): Promise<Child> {
      return children.add(await ask<{ child: number; pid: number }>('spawn', [command, args]));
    },
    async exec(command, args = []): Promise<void> {
      // No answer comes from what is another program now; the channel closes instead.
      await Promise.race([ask<void>('exec', [command, args]).catch(becameAnother), silent]);
    },
    async kill(signal): Promise<void> {
      actor.kill(signal);
    },
    async exit(status): Promise<void> {
      ask<void>('exit', [status]).catch(() => {});
      await exited;
    },
  };

  function becameAnother(error: Error): void {
    if (error instanceof SockscopeError && error.code !== 'LAB_PROGRAM_ENDED') {
      throw error;
    }
  }

  return {
    program,
    async end(): Promise<void> {
      if (over === null) {
        actor.kill('SIGKILL');
        await exited;
      }
    },
  };
}

function ended(host: string, method: string, { code, signal }: Exit): SockscopeError {
  return new SockscopeError(
    'LAB_PROGRAM_ENDED',
    `The program on ${host} has ended (${signal ?? `exit ${code}`}) before ${method} was answered.`,
    'Start another one with host.program().',
    1,
  );
}
