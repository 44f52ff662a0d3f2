/** Decides who would be signalled and who would not. Pure: no process is touched here. */
import type { Socket } from '../session/socket.ts';
import { isListener, matchesPlace, type Target } from './kill-targets.ts';
import {
  type Named,
  ownersOf,
  type ProcessFacts,
  parentsFirst,
  type Victim,
  victimOf,
} from './kill-victims.ts';

export interface Refusal extends Named {
  target: string;
  kind: 'protected' | 'not visible';
  reason: string;
}

export interface KillPlan {
  victims: Victim[];
  refusals: Refusal[];
  /** Targets that hit nobody, one sentence each. */
  missed: string[];
  notes: string[];
}

export interface Self {
  pid: number;
  ancestors: readonly number[];
}

export interface PlanOptions {
  clients?: boolean;
  force?: boolean;
}

export type Lookup = (pid: number) => ProcessFacts | null;

export function planKill(
  targets: readonly Target[],
  sockets: readonly Socket[],
  processes: Lookup,
  self: Self,
  options: PlanOptions = {},
): KillPlan {
  const plan: KillPlan = { victims: [], refusals: [], missed: [], notes: [] };
  const chosen = new Map<number, Set<string>>();
  for (const target of targets) {
    for (const pid of choose(target, sockets, processes, options.clients === true, plan)) {
      chosen.set(pid, (chosen.get(pid) ?? new Set()).add(target.text));
    }
  }
  const facts: { process: ProcessFacts; because: string[] }[] = [];
  for (const [pid, texts] of chosen) {
    const because = [...texts];
    const process = processes(pid);
    const reason = options.force ? null : protection(pid, self);
    if (process === null) {
      plan.notes.push(`process ${pid} ended while we looked`);
    } else if (reason !== null) {
      plan.refusals.push({ target: because.join(' '), pid, name: process.name, kind: 'protected', reason });
    } else {
      facts.push({ process, because });
    }
  }
  const doomed = new Set(facts.map(({ process }) => process.pid));
  plan.victims = facts.map((fact) => victimOf(fact, sockets, doomed)).sort(parentsFirst);
  return plan;
}

/** Why a process is never hit without --force; null when it may be. */
function protection(pid: number, self: Self): string | null {
  if (pid === 1) {
    return 'it is pid 1, which everything else here depends on (if it holds the port for a service, stop its socket unit)';
  }
  if (pid === self.pid) {
    return 'it is this program itself';
  }
  return self.ancestors.includes(pid) ? 'this program runs inside it' : null;
}

function choose(
  target: Target,
  sockets: readonly Socket[],
  processes: Lookup,
  clients: boolean,
  plan: KillPlan,
): Set<number> {
  switch (target.kind) {
    case 'pid': {
      const found = processes(target.pid) !== null;
      if (!found) {
        plan.missed.push(`there is no process ${target.pid}`);
      }
      return new Set(found ? [target.pid] : []);
    }
    case 'name':
      return byName(target.name, target.text, sockets, processes, clients, plan);
    case 'port':
      return byPort(target, sockets, clients, plan);
  }
}

function byPort(
  target: Extract<Target, { kind: 'port' }>,
  sockets: readonly Socket[],
  clients: boolean,
  plan: KillPlan,
): Set<number> {
  const inet = sockets.filter(({ protocol }) => protocol !== 'unix' && protocol !== 'raw');
  const listeners = listenersAt(target, inet);
  const others = inet.filter(
    (s) => !isListener(s) && (matchesPlace(target, s.local) || matchesPlace(target, s.peer)),
  );
  const listening = ownersOf(listeners);
  const connected = ownersOf(others).filter(({ pid }) => !listening.some((owner) => owner.pid === pid));
  for (const socket of listeners.filter(({ owners }) => owners.length === 0)) {
    plan.refusals.push(hiddenOwner(target.text, socket));
  }
  if (clients) {
    listening.push(...connected);
  } else if (connected.length > 0 && listeners.length > 0) {
    plan.notes.push(`left alone, as they only have connections with ${target.text}: ${listNames(connected)}`);
  }
  if (listening.length === 0 && listeners.length === 0) {
    const hint = connected.length === 0 ? '' : clientHint(connected, `connections with it`);
    plan.missed.push(`nothing listens on ${target.text}${hint}`);
  }
  return new Set(listening.map(({ pid }) => pid));
}

/** Who would answer at that address: the socket bound to exactly it, else the ones bound to every address. */
function listenersAt(target: { address: string | null; port: number }, inet: readonly Socket[]): Socket[] {
  const here = inet.filter((s) => isListener(s) && s.local.port === target.port);
  const exact = here.filter((s) => matchesPlace(target, s.local));
  if (target.address === null || exact.length > 0) {
    return exact;
  }
  const wanted = target.address.includes(':') ? 6 : 4;
  return here.filter(
    ({ local, family, v6only }) =>
      (local.address === '0.0.0.0' && wanted === 4) ||
      (local.address === '::' && (wanted === family || v6only !== true)),
  );
}

function byName(
  name: string,
  text: string,
  sockets: readonly Socket[],
  processes: Lookup,
  clients: boolean,
  plan: KillPlan,
): Set<number> {
  const known = new Map<number, boolean>();
  const isNamed = (owner: Named): boolean => {
    let answer = known.get(owner.pid);
    if (answer === undefined) {
      // The kernel's short name is cut at 15 bytes and threads may rename it, so the program's file counts too.
      answer = owner.name === name || processes(owner.pid)?.files.includes(name) === true;
      known.set(owner.pid, answer);
    }
    return answer;
  };
  const listening = ownersOf(sockets.filter(isListener)).filter(isNamed);
  if (listening.length > 0 && !clients) {
    return new Set(listening.map(({ pid }) => pid));
  }
  const any = ownersOf(sockets.filter(({ protocol }) => protocol !== 'unix')).filter(isNamed);
  if (clients && (any.length > 0 || listening.length > 0)) {
    return new Set([...listening, ...any].map(({ pid }) => pid));
  }
  plan.missed.push(
    `no program called ${text} listens here${any.length === 0 ? '' : clientHint(any, 'connections')}`,
  );
  return new Set();
}

function clientHint(connected: readonly Named[], what: string): string {
  const [verb, them] = connected.length === 1 ? ['has', 'it'] : ['have', 'them'];
  return `; ${listNames(connected)} only ${verb} ${what}: --clients would hit ${them} too`;
}

const NAMES_SHOWN = 5;

export function listNames(programs: readonly Named[]): string {
  const shown = programs.slice(0, NAMES_SHOWN).map(({ name, pid }) => `${name} (${pid})`);
  const rest = programs.length - shown.length;
  return shown.join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

function hiddenOwner(target: string, socket: Socket): Refusal {
  const reason =
    socket.ownerGap === 'none'
      ? 'no process holds that socket: it belongs to the kernel itself'
      : `its owner is not visible: a process of user ${socket.uid}; run as root or as that user`;
  return { target, pid: 0, name: '', kind: 'not visible', reason };
}
