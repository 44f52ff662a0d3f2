/** Plays batches of hostile cases, each with a seed of its own, and says which one broke what. */
import { Random, SEED, seedOf } from './random.ts';

/** No single packet, and no single piece of a stream, may cost more. */
export const MOST_PER_PIECE_MS = 50;
/** The collector may have taken the time: only what is slow each time is slow. */
const TRIES = 4;

/** Takes the time of each piece fed: the processor's, as others may have the cores meanwhile. */
export class Clock {
  /** piece's number in the batch → its time, where it was too long. */
  readonly slow = new Map<number, number>();
  slowest = 0;
  private readonly allowed: number;
  private pieces = 0;
  private began = 0;

  constructor(allowed: number) {
    this.allowed = allowed;
  }

  start(): void {
    this.began = processorMs();
  }

  stop(): void {
    const took = processorMs() - this.began;
    this.slowest = Math.max(this.slowest, took);
    if (took > this.allowed) {
      this.slow.set(this.pieces, took);
    }
    this.pieces++;
  }
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

export interface Target {
  readonly name: string;
  /** Milliseconds for a piece, where that is not MOST_PER_PIECE_MS. */
  readonly allowed?: number;
  /** Plays one batch and says how many cases it was. */
  batch(random: Random, clock: Clock): number;
}

export interface Outcome {
  readonly name: string;
  readonly cases: number;
  readonly milliseconds: number;
  readonly slowest: number;
}

export function fuzz(target: Target, atLeast: number): Outcome {
  const began = performance.now();
  let cases = 0;
  let slowest = 0;
  for (let number = 0; cases < atLeast; number++) {
    const { cases: played, clock } = batch(target, number);
    let { slow } = clock;
    let unhurried = clock.slowest;
    for (let tries = 1; tries < TRIES && slow.size > 0; tries++) {
      const again = batch(target, number).clock;
      slow = new Map([...slow].filter(([piece]) => again.slow.has(piece)));
      unhurried = Math.min(unhurried, again.slowest);
    }
    for (const [piece, took] of slow) {
      throw new Error(
        `${target.name}: seed ${SEED}, batch ${number}: piece ${piece} took ${took.toFixed(1)} ms`,
      );
    }
    cases += played;
    slowest = Math.max(slowest, unhurried);
  }
  return { name: target.name, cases, milliseconds: performance.now() - began, slowest };
}

function batch(target: Target, number: number): { cases: number; clock: Clock } {
  const clock = new Clock(target.allowed ?? MOST_PER_PIECE_MS);
  try {
    const cases = target.batch(new Random(seedOf(SEED, target.name, number)), clock);
    return { cases, clock };
  } catch (error) {
    throw new Error(`${target.name}: seed ${SEED}, batch ${number}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** One line for a person: `frames 400 000 (52 000/s, slowest 3.1 ms)`. */
export function told(outcomes: readonly Outcome[]): string {
  const grouped = (value: number) => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ');
  const each = outcomes.map(
    ({ name, cases, milliseconds, slowest }) =>
      `${name} ${grouped(cases)} (${grouped((cases / milliseconds) * 1000)}/s, slowest ${slowest.toFixed(1)} ms)`,
  );
  const total = outcomes.reduce((sum, { cases }) => sum + cases, 0);
  return `seed ${SEED}: ${grouped(total)} cases: ${each.join(', ')}`;
}
