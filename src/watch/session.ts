/** The moment a session begins, and the namespace it looks at: what its packets and events are dated by. */
import { type Clock, startClock } from '../kernel/clock.ts';
import { ownNetns } from '../kernel/names.ts';

export interface Session {
  readonly clock: Clock;
  readonly netns: number;
  /** The wall clock at 0, split so that no digit is lost. */
  readonly seconds: number;
  readonly nanoseconds: number;
}

export function startSession(): Session {
  const clock = startClock();
  const { ns } = clock.startedAt;
  return {
    clock,
    netns: ownNetns() ?? 0,
    seconds: Number(ns / 1_000_000_000n),
    nanoseconds: Number(ns % 1_000_000_000n),
  };
}
