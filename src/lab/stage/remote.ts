/** A stage in a process of its own, as a person's program or test speaks with it. */
import { SockscopeError } from '../../errors.ts';
import { createBegun } from '../../session/begun.ts';
import type { Event } from '../../session/events.ts';
import { createTimeline } from '../../session/timeline.ts';
import type { Child, Exit, Host, Program, Rule, Stage, StageWish, Wire } from '../api.ts';
import { createSeen } from '../seen.ts';
import { asError, type Launched, launchStage } from './launch.ts';
import type { FromStage, Handle, HostFacts, Target, ToStage } from './remote-protocol.ts';
import { PROGRAM_VERBS } from './verbs.ts';
import { createWaits, hasReached } from './waits.ts';

type Built = Extract<FromStage, { type: 'built' }>;
type Verb = (...args: readonly unknown[]) => Promise<unknown>;

interface Asked {
  resolve(value: unknown): void;
  reject(error: SockscopeError): void;
}

const HOST_VERBS = [
  'program',
  'start',
  'sysctl',
  'setSysctl',
  'counters',
  'sockets',
  'route',
  'flushNeighbours',
  'powerOff',
  'boot',
] as const;
const CHILD_VERBS = ['write', 'end', 'kill', 'stdout', 'stderr', 'prints'] as const;
const RULE_VERBS = ['hits', 'release', 'remove'] as const;
const WIRE_VERBS = ['path', 'rule', 'drop', 'hold', 'cut', 'plug', 'inject'] as const;

export interface RemoteStage extends Stage {
  /** Hears every event as it becomes known; what happened before as well. */
  onEvents(run: (events: readonly Event[]) => void): void;
}

export async function remoteStage(entry: string, wish: StageWish): Promise<RemoteStage> {
  const launched = await launchStage(entry);
  try {
    return await raise(launched, wish);
  } catch (error) {
    await launched.close();
    throw error;
  }
}

async function raise(launched: Launched, wish: StageWish): Promise<RemoteStage> {
  const timeline = createTimeline();
  const seen = createSeen(timeline);
  const waits = createWaits(seen);
  const asked = new Map<number, Asked>();
  const listeners: ((events: readonly Event[]) => void)[] = [];
  const begunBy = createBegun();
  let next = 1;
  let over: SockscopeError | null = null;
  let closing: Promise<void> | null = null;

  function hear(events: readonly Event[]): void {
    for (const event of events) {
      const before = begunBy(event);
      if (before === null || !timeline.replace(before, event)) {
        timeline.add(event);
      }
    }
    for (const run of listeners) {
      run(events);
    }
    waits.look();
  }

  /** Nothing is answered any more. */
  function ended(error: SockscopeError): void {
    over = error;
    for (const one of asked.values()) {
      one.reject(error);
    }
    asked.clear();
    waits.broke(error);
  }

  const built = await new Promise<Built>((resolve, reject) => {
    launched.onBroken((error) => {
      reject(error);
      ended(error);
    });
    launched.onMessage((message) => {
      switch (message.type) {
        case 'events':
          hear(message.events);
          break;
        case 'built':
          resolve(message);
          break;
        case 'failed':
          reject(asError(message.error));
          break;
        case 'answer':
          asked.get(message.id)?.resolve(message.value);
          asked.delete(message.id);
          break;
        case 'refused':
          asked.get(message.id)?.reject(asError(message.error));
          asked.delete(message.id);
          break;
      }
    });
    send({ type: 'build', wish });
  });

  /** What is sent is cloned, and a function cannot be. */
  function send(message: ToStage): void {
    try {
      launched.send(message);
    } catch (error) {
      throw new SockscopeError(
        'LAB_ARGUMENT',
        `That cannot be sent to the stage: ${error instanceof Error ? error.message : String(error)}`,
        'Give numbers, texts, bytes and plain objects of them.',
        2,
      );
    }
  }

  function ask(of: Target, method: string, args: readonly unknown[]): Promise<unknown> {
    const id = next;
    next += 1;
    const answer = new Promise<unknown>((resolve, reject) => {
      if (over !== null) {
        throw over;
      }
      send({ type: 'ask', id, of, method, args });
      asked.set(id, { resolve, reject });
    }).then(unpacked);
    // A call that nobody waits for may end with the stage.
    answer.catch(() => {});
    return answer;
  }

  function verbs<const N extends string>(of: Target, names: readonly N[]): Record<N, Verb> {
    return Object.fromEntries(
      names.map((name) => [name, (...args: readonly unknown[]) => ask(of, name, args)]),
    ) as Record<N, Verb>;
  }

  function unpacked(value: unknown): unknown {
    if (typeof value !== 'object' || value === null || !('handle' in value)) {
      return value;
    }
    const { handle, kind, pid, host } = value as Handle;
    const of: Target = { what: 'thing', thing: handle };
    switch (kind) {
      case 'rule':
        return { id: handle, ...verbs(of, RULE_VERBS) } as unknown as Rule;
      case 'child':
        return { pid, host, exited: exitOf(of), ...verbs(of, CHILD_VERBS) } as unknown as Child;
      case 'program':
        return { pid, host, exited: exitOf(of), ...verbs(of, PROGRAM_VERBS) } as unknown as Program;
    }
  }

  const exitOf = (of: Target): Promise<Exit> => ask(of, 'exited', []) as Promise<Exit>;

  const hosts = new Map(built.hosts.map((facts) => [facts.name, hostOf(facts)]));

  function hostOf(facts: HostFacts): Host {
    const of: Target = { what: 'host', name: facts.name };
    return { ...facts, ...verbs(of, HOST_VERBS), ...verbs(of, PROGRAM_VERBS) } as unknown as Host;
  }

  function hostNamed(name: string): Host {
    const host = hosts.get(name);
    if (host === undefined) {
      throw new SockscopeError(
        'LAB_HOST',
        `There is no host ${name} on this stage.`,
        `Its hosts are ${[...hosts.keys()].join(', ')}.`,
        2,
      );
    }
    return host;
  }

  const of: Target = { what: 'stage' };

  async function shut(): Promise<void> {
    await ask(of, 'close', []).catch(() => {});
    const error = over ?? closed();
    ended(error);
    await launched.close();
  }

  return {
    seed: built.seed,
    tracing: built.tracing,
    missing: built.missing,
    host: hostNamed,
    wire: verbs({ what: 'wire' }, WIRE_VERBS) as unknown as Wire,
    seen,
    say: async (text) => void (await ask(of, 'say', [text])),
    until: waits.until,
    reached: async (host, state, timeoutMs) => {
      hostNamed(host);
      return waits.until(`a socket of ${host} in ${state}`, hasReached(host, state), timeoutMs);
    },
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    // Answered on the same channel behind every event of before.
    settled: async () => void (await ask(of, 'settled', [])),
    close() {
      closing ??= shut();
      return closing;
    },
    onEvents(run) {
      run(seen.events);
      listeners.push(run);
    },
  };
}

function closed(): SockscopeError {
  return new SockscopeError('LAB_CLOSED', 'The stage has been closed.', 'Build another one: stage().', 2);
}
