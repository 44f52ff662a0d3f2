/** Carries a kill out: looks, lets somebody choose, signals exactly those, waits, and says what became of the ports. */
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SockscopeError } from '../errors.ts';
import { type ProcessInfo, processInfo } from '../kernel/proc.ts';
import {
  clockTicks,
  type Grip,
  gripProcess,
  hasEnded,
  parseSignal,
  releaseGrip,
  type Signal,
  signalProcess,
  whyAlive,
} from '../kernel/signals.ts';
import type { Protocol } from '../session/socket.ts';
import {
  type KillPlan,
  type Named,
  ownersOf,
  type Place,
  type ProcessFacts,
  planKill,
  type Victim,
} from './kill.ts';
import { isListener, parseTarget } from './kill-targets.ts';
import { readSockets } from './sockets.ts';

export interface KillOptions {
  /** `:8080`, `127.0.0.1:8080`, `node`, `pid:1234`. */
  targets: readonly string[];
  /** Programs that merely have a connection with the port, or do not listen at all, too. */
  clients?: boolean;
  /** Even pid 1, this process and those it runs inside. */
  force?: boolean;
  /** `TERM` (default), `SIGHUP`, `9` … */
  signal?: string;
  /** SIGKILL to whoever is still there after this time. */
  forceAfterMs?: number;
  /** How long to wait for the end; default 5 s. */
  waitMs?: number;
  dryRun?: boolean;
  /** Which of the victims to take; default all. Called before anything is signalled. */
  choose?: (plan: KillPlan, signal: Signal) => Promise<readonly Victim[]>;
}

export type Outcome =
  | 'ended'
  | 'killed' // by SIGKILL, after it had outlived the first signal
  | 'survived'
  | 'signalled' // with a signal that is not meant to end it
  | 'gone before' // ended by itself between looking and signalling
  | 'not permitted'
  | 'left alone' // not chosen
  | 'would be signalled'; // dry run

export interface VictimResult {
  victim: Victim;
  outcome: Outcome;
  /** Why, where there is more to say. */
  reason: string | null;
}

export interface PlaceResult extends Place {
  free: boolean;
  holders: Named[];
  /** Connections of ended programs that the kernel still finishes on this port (FIN-WAIT, TIME-WAIT …). */
  lingering: number;
}

export interface KillReport {
  plan: KillPlan;
  signal: Signal;
  results: VictimResult[];
  places: PlaceResult[];
  exit: 0 | 1 | 3;
}

const DEFAULT_WAIT_MS = 5000;
const POLL_MS = 10;
const SIGKILL: Signal = { name: 'SIGKILL', number: 9 };
/** Sent in order to end a program. The others often mean something else to it: reload, reopen the log, dump the state. */
const ENDING = ['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGQUIT', 'SIGABRT'];
/** How long to watch for the effect of a signal that need not end anything. */
const GLANCE_MS = 300;
const EPERM = 1;
const ESRCH = 3;
const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp', 'udplite', 'unix'];

interface Held {
  victim: Victim;
  /** null: already gone when we wanted to take hold of it. */
  grip: Grip | null;
}

export async function kill(options: KillOptions): Promise<KillReport> {
  const signal = wantedSignal(options.signal ?? 'TERM');
  const targets = options.targets.map(parseTarget);
  if (targets.length === 0) {
    throw new SockscopeError(
      'NO_TARGET',
      'Nothing was named.',
      'Name a port (`:8080`), a program (`node`) or `pid:1234`.',
      2,
    );
  }
  const lookedAt = clockTicks();
  const { sockets, notes } = readSockets({ protocols: PROTOCOLS, owners: 'always' });
  const plan = planKill(targets, sockets, lookup(), self(), options);
  if (plan.refusals.some(({ kind }) => kind === 'not visible')) {
    plan.notes.push(...notes);
  }
  const held = plan.victims.map((victim) => ({ victim, grip: holdOf(victim, lookedAt) }));
  try {
    if (options.dryRun) {
      return report(
        plan,
        signal,
        plan.victims.map((victim) => result(victim, 'would be signalled')),
        [],
      );
    }
    const chosen = plan.victims.length === 0 ? [] : await (options.choose?.(plan, signal) ?? plan.victims);
    const taken = held.filter(({ victim }) => chosen.includes(victim));
    const left = held.filter(({ victim }) => !chosen.includes(victim));
    const results = [
      ...(await carryOut(taken, signal, options)),
      ...left.map(({ victim }) => result(victim, 'left alone')),
    ];
    return report(plan, signal, results, placesAfter(results));
  } finally {
    for (const { grip } of held) {
      if (grip !== null) {
        releaseGrip(grip);
      }
    }
  }
}

function wantedSignal(text: string): Signal {
  const signal = parseSignal(text);
  if (signal === null) {
    throw new SockscopeError(
      'BAD_SIGNAL',
      `\`${text}\` is not a signal.`,
      'Write a name or a number, such as TERM, SIGHUP, KILL or 9.',
      2,
    );
  }
  return signal;
}

/** A process that started after the sockets were read is not the one that held them: its pid was given away again. */
function holdOf(victim: Victim, lookedAt: number): Grip | null {
  const grip = gripProcess(victim.process.pid);
  if (grip !== null && grip.startTicks > lookedAt + 1) {
    releaseGrip(grip);
    return null;
  }
  return grip;
}

async function carryOut(
  held: readonly Held[],
  signal: Signal,
  options: KillOptions,
): Promise<VictimResult[]> {
  const done: VictimResult[] = [];
  const waiting: { victim: Victim; grip: Grip }[] = [];
  for (const { victim, grip } of held) {
    const sent = grip === null ? -ESRCH : signalProcess(grip, signal.number);
    if (grip !== null && sent === 0) {
      waiting.push({ victim, grip });
    } else {
      done.push(notSent(victim, sent));
    }
  }
  const waitMs = options.waitMs ?? DEFAULT_WAIT_MS;
  const forceAfter = options.forceAfterMs;
  const ending = ENDING.includes(signal.name) || forceAfter !== undefined;
  await waitForEnd(waiting, forceAfter ?? (ending ? waitMs : Math.min(waitMs, GLANCE_MS)));
  const alive = waiting.filter(({ grip }) => !hasEnded(grip));
  if (forceAfter !== undefined) {
    for (const { grip } of alive) {
      signalProcess(grip, SIGKILL.number);
    }
    await waitForEnd(alive, waitMs);
  }
  for (const { victim, grip } of waiting) {
    const outlived = alive.some((other) => other.grip === grip);
    done.push(
      hasEnded(grip)
        ? outlived && forceAfter !== undefined
          ? result(victim, 'killed', `it outlived ${signal.name}`)
          : result(victim, 'ended')
        : result(
            victim,
            ending ? 'survived' : 'signalled',
            whyAlive(grip.pid, forceAfter === undefined ? signal : SIGKILL),
          ),
    );
  }
  return done;
}

function notSent(victim: Victim, error: number): VictimResult {
  if (error === -EPERM) {
    return result(
      victim,
      'not permitted',
      `it belongs to ${victim.process.user}: run as root or as that user`,
    );
  }
  return error === -ESRCH
    ? result(victim, 'gone before')
    : result(victim, 'survived', `the signal could not be sent (errno ${-error})`);
}

function result(victim: Victim, outcome: Outcome, reason: string | null = null): VictimResult {
  return { victim, outcome, reason };
}

async function waitForEnd(waiting: readonly { grip: Grip }[], ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (performance.now() < deadline && !waiting.every(({ grip }) => hasEnded(grip))) {
    await sleep(Math.min(POLL_MS, Math.max(1, deadline - performance.now())));
  }
}

/** Who holds what the ended programs listened on. A child that inherited the socket keeps the port taken. */
function placesAfter(results: readonly VictimResult[]): PlaceResult[] {
  const touched = results.filter(({ outcome }) =>
    ['ended', 'killed', 'gone before', 'survived'].includes(outcome),
  );
  const wanted = new Map<string, Place>();
  for (const place of touched.flatMap(({ victim }) => victim.listens)) {
    wanted.set(`${place.protocol} ${place.address} ${place.port}`, place);
  }
  if (wanted.size === 0) {
    return [];
  }
  const { sockets } = readSockets({ protocols: PROTOCOLS, owners: 'always' });
  return [...wanted.values()].map((place) => {
    const there = sockets.filter(
      ({ protocol, local }) =>
        protocol === place.protocol &&
        (protocol === 'unix' ? local.address === place.address : local.port === place.port),
    );
    const listeners = there.filter((s) => isListener(s) && s.local.address === place.address);
    const lingering = there.filter((s) => !isListener(s) && s.inode === 0).length;
    return { ...place, free: listeners.length === 0, holders: ownersOf(listeners), lingering };
  });
}

function report(plan: KillPlan, signal: Signal, results: VictimResult[], places: PlaceResult[]): KillReport {
  const denied =
    results.some(({ outcome }) => outcome === 'not permitted') ||
    plan.refusals.some(({ kind }) => kind === 'not visible');
  const failed =
    plan.missed.length > 0 ||
    plan.refusals.length > 0 ||
    results.some(({ outcome }) => outcome === 'survived' || outcome === 'left alone') ||
    places.some(({ free }) => !free);
  return { plan, signal, results, places, exit: denied ? 3 : failed ? 1 : 0 };
}

function self(): { pid: number; ancestors: number[] } {
  return {
    pid: process.pid,
    ancestors: processInfo(process.pid)?.parents.map(({ pid }) => pid) ?? [process.ppid],
  };
}

function lookup(): (pid: number) => ProcessFacts | null {
  const known = new Map<number, ProcessFacts | null>();
  return (pid) => {
    const before = known.get(pid);
    if (before !== undefined) {
      return before;
    }
    const info = processInfo(pid);
    const facts = info === null ? null : factsOf(info);
    known.set(pid, facts);
    return facts;
  };
}

const ID_SHOWN = 12;

function factsOf(info: ProcessInfo): ProcessFacts {
  const { pid, name, cwd, user, parents, container } = info;
  const files = [info.exe, info.command[0]].flatMap((path) => (path ? [basename(path)] : []));
  return {
    pid,
    name,
    files,
    command: info.command.join(' ') || name,
    cwd,
    user,
    container: container === null ? null : `${container.runtime} ${container.id.slice(0, ID_SHOWN)}`,
    parents,
  };
}
