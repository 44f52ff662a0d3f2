/** Signals the chosen processes, waits, and says what became of each. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Grip,
  gripProcess,
  hasEnded,
  releaseGrip,
  type Signal,
  signalProcess,
  whyAlive,
} from '../kernel/signals.ts';
import type { Victim } from './kill-victims.ts';

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

const DEFAULT_WAIT_MS = 5000;
const POLL_MS = 10;
const SIGKILL: Signal = { name: 'SIGKILL', number: 9 };
/** Sent in order to end a program. The others often mean something else to it: reload, reopen the log, dump the state. */
const ENDING = ['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGQUIT', 'SIGABRT'];
/** How long to watch for the effect of a signal that need not end anything. */
const GLANCE_MS = 300;
const EPERM = 1;
const ESRCH = 3;

export interface SignalOptions {
  forceAfterMs?: number;
  waitMs?: number;
}

export interface Held {
  victim: Victim;
  /** null: already gone when we wanted to take hold of it. */
  grip: Grip | null;
}

/** A process that started after the sockets were read is not the one that held them: its pid was given away again. */
export function holdOf(victim: Victim, lookedAt: number): Grip | null {
  const grip = gripProcess(victim.process.pid);
  if (grip !== null && grip.startTicks > lookedAt + 1) {
    releaseGrip(grip);
    return null;
  }
  return grip;
}

export async function carryOut(
  held: readonly Held[],
  signal: Signal,
  options: SignalOptions,
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

export function result(victim: Victim, outcome: Outcome, reason: string | null = null): VictimResult {
  return { victim, outcome, reason };
}

async function waitForEnd(waiting: readonly { grip: Grip }[], ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (performance.now() < deadline && !waiting.every(({ grip }) => hasEnded(grip))) {
    await sleep(Math.min(POLL_MS, Math.max(1, deadline - performance.now())));
  }
}
