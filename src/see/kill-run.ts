/** Carries a kill out: looks, lets somebody choose, signals exactly those, waits, and says what became of the ports. */
import { basename } from 'node:path';
import { SockscopeError } from '../errors.ts';
import { type ProcessInfo, processInfo } from '../kernel/proc.ts';
import { clockTicks, parseSignal, releaseGrip, type Signal } from '../kernel/signals.ts';
import type { Protocol } from '../session/socket.ts';
import { printable } from '../wire/printable.ts';
import { type KillPlan, planKill } from './kill.ts';
import { carryOut, holdOf, result, type VictimResult } from './kill-signal.ts';
import { isListener, parseTarget } from './kill-targets.ts';
import { type Named, ownersOf, type Place, type ProcessFacts, type Victim } from './kill-victims.ts';
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

export type { Outcome, VictimResult } from './kill-signal.ts';

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

const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp', 'udplite', 'unix'];

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
    name: printable(name),
    files,
    command: printable(info.command.join(' ') || name),
    cwd: cwd === null ? null : printable(cwd),
    user,
    container: container === null ? null : `${container.runtime} ${container.id.slice(0, ID_SHOWN)}`,
    parents: parents.map((parent) => ({ pid: parent.pid, name: printable(parent.name) })),
  };
}
