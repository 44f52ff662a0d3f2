/**
 * What can stand between the two ends of one direction: faults, rewriting, the gate that holds messages. Pure steps: a stage
 * is told what comes and the time, and says what to do; it owns no socket and no timer.
 */
import type { Side } from '../wire/app/decoder.ts';

export interface StageOut {
  /** Monotonic nanoseconds. */
  readonly now: number;
  /** To the next stage, and after the last one to the other end. The bytes are given away. `readAt`: when they were read from their sender. */
  pass(bytes: Uint8Array, readAt: number): void;
  /** Their sender's FIN, to the next stage. */
  end(): void;
  /** `timer` is called at `at` or soon after. A stage has one such moment: a second call moves it; Infinity forgets it. */
  wake(at: number): void;
  /** Bytes to the one who sends on this direction, as if the other end had said them. */
  answer(bytes: Uint8Array): void;
  /** RST to both ends, now. */
  reset(): void;
  /** What was passed on is delivered, then both ends are closed with FIN. */
  close(): void;
  /** For the person: what was done to this connection, in a few words (`reset`, `delayed 200 ms`). */
  say(what: string): void;
}

export interface Stage {
  /** Bytes that are in this stage and nowhere else: while all stages together hold too much, their sender is not read. */
  readonly held: number;
  /** The bytes now belong to the stage. */
  data(bytes: Uint8Array, readAt: number, out: StageOut): void;
  /** Their sender's FIN; `out.end()` passes it on, later if need be. */
  end(out: StageOut): void;
  /** Also called once when the stage is put in; it must bear being called early. */
  timer(out: StageOut): void;
  /** The stage is being taken away while the connection lives: pass on what is held, or close, as the fault wants. */
  removed?(out: StageOut): void;
}

/** The same for UDP, where what is passed is whole datagrams. */
export interface DatagramStage {
  readonly held: number;
  datagram(bytes: Uint8Array, at: number, out: DatagramOut): void;
  timer(out: DatagramOut): void;
  removed?(out: DatagramOut): void;
}

export interface DatagramOut {
  readonly now: number;
  pass(bytes: Uint8Array): void;
  wake(at: number): void;
  answer(bytes: Uint8Array): void;
  say(what: string): void;
}

/** Where a stage stands. */
export interface Link {
  /** Whose bytes go through it. */
  readonly from: Side;
  /** The connection's number on its tap, from 1. */
  readonly connection: number;
  /** 0 ≤ n < 1; the same numbers for the same seed, connection, fault and direction. */
  random(): number;
  /** One object per planned fault, for all its connections: a bandwidth they share. The fault keeps there what it likes. */
  readonly shared: Record<string, unknown>;
}
