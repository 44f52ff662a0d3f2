/** Taps as their owner sees them: made, changed and ended from the main thread, wherever their bytes are moved. */
import { SockscopeError } from '../errors.ts';
import type { Address } from '../reactor/reactor.ts';
import type { Command } from '../wire/statistics.ts';
import { type Backend, startHere, startThread } from './backend.ts';
import { portAfter } from './config-defaults.ts';
import type { TapControl, TapState, Verdict } from './control.ts';
import type { Counts, Wants } from './engine.ts';
import { errnoText } from './errno-text.ts';
import type { PlannedFault } from './fault.ts';
import type { Observation } from './observation.ts';
import type { Report } from './orders.ts';
import { placeText } from './place.ts';
import type { Place, TapPlan } from './plan.ts';
import { resolvePlace } from './resolve.ts';
import { type TlsKit, tlsKit } from './tls/kit.ts';
import { whoListens } from './who-listens.ts';

export interface TapsOptions {
  /** The built file of the thread that moves bytes; null: everything in this thread, as it must be where there is no epoll. */
  readonly entry: string | null;
  readonly tell: (observation: Observation) => void;
  readonly wants: Wants;
  readonly patient: boolean;
  readonly seed: number;
  /** CLOCK_MONOTONIC in nanoseconds when the session began. */
  readonly zero: number;
}

export interface Taps extends TapControl {
  /** Searches on from the port in the plan while it is taken, when nobody named that port. */
  createFree(plan: TapPlan): Promise<TapState | SockscopeError>;
  wants(wants: Wants): Promise<void>;
  /** A tap without a listener, for a program that is led through us. */
  lead(plan: TapPlan, enter: Enter): Promise<Led>;
  /** Fresh counts; `list` and `find` answer with them afterwards. */
  report(): Promise<{ readonly taps: readonly TapState[]; readonly commands: readonly Command[] }>;
  /** Connections are closed, everything that was observed is told. The last report. */
  end(): Promise<{ readonly taps: readonly TapState[]; readonly commands: readonly Command[] }>;
}

export interface Led {
  /** 0, or -errno. */
  dial(id: number, target: Address): Promise<number>;
  /** The program's end of it. */
  adopt(id: number, fd: number): void;
  abandon(id: number): void;
  /** What the program listens on now. */
  publish(at: readonly { readonly host: string; readonly port: number }[]): void;
}

/** Connects to a listener of the program from inside: a descriptor, or -errno. */
export type Enter = (host: string, port: number, done: (fd: number) => void) => void;

interface Known {
  plan: TapPlan;
  address: Address | null;
  counts: Counts | null;
}

const EADDRINUSE = -98;
const ECONNREFUSED = -111;
const PORTS_TRIED = 200;

export async function startTaps(options: TapsOptions): Promise<Taps> {
  const { entry } = options;
  const enters = new Map<string, Enter>();
  const backing = {
    ...options,
    enter(tap: string, host: string, port: number, done: (fd: number) => void) {
      const enter = enters.get(tap);
      if (enter === undefined) {
        done(ECONNREFUSED);
      } else {
        enter(host, port, done);
      }
    },
  };
  const loop: { backend: Backend | null } = { backend: null };
  const thread = entry === null ? null : await startThread(entry, backing);
  const known = new Map<string, Known>();

  /** TLS is Node's to do, in Node's loop. */
  function backendOf(plan: TapPlan): Backend {
    if (thread !== null && !decrypts(plan)) {
      return thread;
    }
    loop.backend ??= startHere(backing);
    return loop.backend;
  }

  function backends(): Backend[] {
    return [thread, loop.backend].filter((one) => one !== null);
  }

  function stateOf({ plan, address, counts }: Known): TapState {
    return {
      plan,
      address,
      connections: counts?.connections ?? 0,
      opened: counts?.opened ?? 0,
      fromClient: counts?.fromClient ?? 0,
      fromServer: counts?.fromServer ?? 0,
    };
  }

  async function open(plan: TapPlan): Promise<Address | SockscopeError> {
    const listen = await resolvePlace(plan.listen, 'listen');
    const target = plan.front === 'none' ? await resolvePlace(plan.target, 'target') : [];
    if (listen instanceof SockscopeError) {
      return listen;
    }
    if (target instanceof SockscopeError) {
      return target;
    }
    if (target.some((one) => leadsTo(one, listen[0]!))) {
      return new SockscopeError(
        'TAP_LOOP',
        `This tap would lead to itself: it listens on ${placeText(plan.listen)}.`,
        'Give it another port to listen on, or another target.',
        2,
      );
    }
    let kit: TlsKit | null = null;
    if (decrypts(plan)) {
      try {
        kit = await tlsKit(plan.tls, plan.target.host);
      } catch (error) {
        if (error instanceof SockscopeError) {
          return error;
        }
        throw error;
      }
    }
    const backend = backendOf(plan);
    const answer = await backend.order({
      order: 'open',
      plan: backend === thread ? plan : withoutUrgent(plan),
      listen: listen[0]!,
      target,
      kit,
    });
    return typeof answer === 'number' ? cannotListen(plan.listen, answer) : (answer as Address);
  }

  async function create(plan: TapPlan): Promise<TapState | SockscopeError> {
    if (known.has(plan.name)) {
      return new SockscopeError(
        'TAP_EXISTS',
        `There is a tap ${plan.name} already.`,
        'Give it another name.',
        2,
      );
    }
    const one: Known = { plan, address: null, counts: null };
    known.set(plan.name, one);
    if (plan.enabled) {
      const opened = await open(plan);
      if (opened instanceof SockscopeError) {
        known.delete(plan.name);
        return opened;
      }
      one.address = opened;
    }
    return stateOf(one);
  }

  async function shut(one: Known): Promise<void> {
    if (one.address !== null) {
      one.address = null;
      await backendOf(one.plan).order({ order: 'close', tap: one.plan.name });
    }
  }

  function missing(tap: string): SockscopeError {
    return new SockscopeError('TAP_MISSING', `There is no tap ${tap}.`, 'List them first.', 2);
  }

  async function faults(
    tap: string,
    change: (all: readonly PlannedFault[]) => readonly PlannedFault[],
  ): Promise<TapState | SockscopeError> {
    const one = known.get(tap);
    if (one === undefined) {
      return missing(tap);
    }
    one.plan = { ...one.plan, faults: change(one.plan.faults) };
    if (one.address !== null) {
      await backendOf(one.plan).order({ order: 'faults', tap, faults: one.plan.faults });
    }
    return stateOf(one);
  }

  async function report(): Promise<{ taps: TapState[]; commands: Command[] }> {
    const reports = await Promise.all(
      backends().map(async (backend) => (await backend.order({ order: 'report' })) as Report),
    );
    for (const counts of reports.flatMap(({ taps }) => taps)) {
      const one = known.get(counts.name);
      if (one !== undefined) {
        one.counts = counts;
      }
    }
    return { taps: [...known.values()].map(stateOf), commands: reports.flatMap(({ commands }) => commands) };
  }

  return {
    list: () => [...known.values()].map(stateOf),
    find: (tap) => {
      const one = known.get(tap);
      return one === undefined ? null : stateOf(one);
    },
    create,
    async createFree(plan) {
      let port = plan.listen.port;
      for (let tried = 1; ; tried++) {
        const made = await create({ ...plan, listen: { ...plan.listen, port } });
        if (!(made instanceof SockscopeError) || made.code !== 'PORT_IN_USE' || tried === PORTS_TRIED) {
          return made;
        }
        port = portAfter(port);
      }
    },
    async update(tap, change) {
      const one = known.get(tap);
      if (one === undefined) {
        return missing(tap);
      }
      const before = one.plan;
      const after = { ...before, ...change, name: before.name };
      const stays = one.address !== null && after.enabled && sameRoute(before, after);
      if (stays) {
        one.plan = after;
        return faults(tap, () => after.faults);
      }
      await shut(one);
      one.plan = after;
      if (after.enabled) {
        const opened = await open(after);
        if (opened instanceof SockscopeError) {
          one.plan = { ...after, enabled: false };
          return opened;
        }
        one.address = opened;
      }
      return stateOf(one);
    },
    async remove(tap) {
      const one = known.get(tap);
      if (one === undefined) {
        return false;
      }
      await shut(one);
      return known.delete(tap);
    },
    addFault: (tap, fault) => faults(tap, (all) => [...all, fault]),
    updateFault: (tap, fault) =>
      faults(tap, (all) => all.map((old) => (old.name === fault.name ? fault : old))),
    removeFault: (tap, name) => faults(tap, (all) => all.filter((old) => old.name !== name)),
    release(held: number, verdict: Verdict) {
      for (const backend of backends()) {
        void backend.order({ order: 'release', held, verdict });
      }
    },
    async wants(wants) {
      await Promise.all(backends().map((backend) => backend.order({ order: 'wants', wants })));
    },
    async lead(plan, enter) {
      enters.set(plan.name, enter);
      const backend = backendOf(plan);
      const tap = plan.name;
      known.set(tap, { plan, address: { kind: 'unix', path: '' }, counts: null });
      await backend.order({ order: 'open led', plan });
      return {
        dial: async (id, target) => (await backend.order({ order: 'dial', tap, id, target })) as number,
        adopt: (id, fd) => void backend.order({ order: 'adopt', tap, id, fd }),
        abandon: (id) => void backend.order({ order: 'abandon', tap, id }),
        publish: (at) => void backend.order({ order: 'publish', tap, at }),
      };
    },
    report,
    async end() {
      for (const one of known.values()) {
        await shut(one);
      }
      const last = await report();
      await Promise.all(backends().map((backend) => backend.end()));
      return last;
    },
  };
}

const EVERYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

function leadsTo(target: Address, listen: Address): boolean {
  if (target.kind === 'unix' || listen.kind === 'unix') {
    return target.kind === listen.kind && 'path' in target && 'path' in listen && target.path === listen.path;
  }
  const here = target.host.startsWith('127.') || target.host === '::1' || target.host === listen.host;
  return (
    listen.port !== 0 &&
    target.kind === listen.kind &&
    target.port === listen.port &&
    (target.host === listen.host || (EVERYWHERE.has(listen.host) && here))
  );
}

/** Node cannot keep urgent data in line, and takes no order to. */
function withoutUrgent(plan: TapPlan): TapPlan {
  const { oobinline: _, ...wishes } = plan.wishes;
  return { ...plan, wishes };
}

function decrypts({ tls }: TapPlan): boolean {
  return tls.mode !== 'none' && tls.mode !== 'peek';
}

/** Everything but the faults, which change while connections stand. */
function sameRoute(before: TapPlan, after: TapPlan): boolean {
  return JSON.stringify({ ...before, faults: [] }) === JSON.stringify({ ...after, faults: [] });
}

function cannotListen(place: Place, errno: number): SockscopeError {
  const where = placeText(place);
  if (errno === EADDRINUSE) {
    const who = whoListens(place);
    return new SockscopeError(
      'PORT_IN_USE',
      `${where} is taken${who === '' ? '' : ` by ${who}`}.`,
      `Listen elsewhere: sockscope tap LISTEN TARGET. \`sockscope ls ${place.kind === 'unix' ? place.path : `:${place.port}`}\` shows who has it.`,
      3,
    );
  }
  return new SockscopeError(
    'CANNOT_LISTEN',
    `Cannot listen on ${where}: ${errnoText(errno)}.`,
    errno === -92
      ? 'Not every socket option is possible here: a tap that decrypts TLS runs on Node, which has nodelay and keepalive only.'
      : errno === -13
        ? 'Ports below 1024 need root or CAP_NET_BIND_SERVICE: take a higher one.'
        : 'Choose an address of this machine.',
    3,
  );
}
