/**
 * Timers that cost nothing while they wait: eight wheels of 64 slots, each slot 64 times as long as one of the wheel below. A timer
 * sits in the slot of the first wheel on which it and the present differ in nothing but that slot; it moves down when its slot comes.
 */
import type { Timer } from './reactor.ts';

export const TICK_NS = 1_000_000;

const SLOTS = 64;
const WHEELS = 8;
/** Eight wheels of 64 slots end here, some 8900 years away: what is later than that waits for ever. */
const LAST_TICK = SLOTS ** WHEELS - 1;
const TICKS_PER_SLOT = Array.from({ length: WHEELS + 1 }, (_, wheel) => SLOTS ** wheel);

export interface TimerWheel {
  /** Runs `run` in an `advance` to at least `now + ns`: never early, less than a tick late. What a callback adds waits for the next `advance`. */
  after(now: number, ns: number, run: () => void): Timer;
  /** Runs what is due, earliest first; of equal deadlines the one added first. */
  advance(now: number): void;
  /**
   * Nanoseconds from `now` until `advance` has something to do, 0 when it is overdue, Infinity without timers. A timer far away may
   * ask for one wake-up per wheel it climbs down, never for one per tick.
   */
  next(now: number): number;
  readonly size: number;
}

class Entry implements Timer {
  before: Entry = this;
  behind: Entry = this;
  /** -1: in no slot, which means that it ran, was cancelled, or is about to run. */
  slot = -1;
  readonly tick: number;
  readonly deadline: number;
  readonly serial: number;
  run: (() => void) | null;
  readonly #cancelled: (entry: Entry) => void;

  constructor(
    tick: number,
    deadline: number,
    serial: number,
    run: (() => void) | null,
    cancelled: (entry: Entry) => void,
  ) {
    this.tick = tick;
    this.deadline = deadline;
    this.serial = serial;
    this.run = run;
    this.#cancelled = cancelled;
  }

  cancel(): void {
    if (this.run !== null) {
      this.run = null;
      this.#cancelled(this);
    }
  }
}

function earliestFirst(a: Entry, b: Entry): number {
  return a.deadline === b.deadline ? a.serial - b.serial : a.deadline - b.deadline;
}

function nothing(): void {}

export function createTimerWheel(): TimerWheel {
  /** Each slot is a ring through an entry that is no timer. */
  const slots = Array.from({ length: WHEELS * SLOTS }, () => new Entry(0, 0, 0, null, nothing));
  /** One bit per slot that holds something, two words per wheel. */
  const occupied = new Uint32Array(WHEELS * 2);
  const due: Entry[] = [];
  /** Every entry in a slot is later than this tick. */
  let present = 0;
  /** While callbacks run: the tick that `advance` is on its way to. */
  let target = 0;
  let serial = 0;
  let size = 0;

  function place(entry: Entry): void {
    let wheel = 0;
    while (
      Math.floor(entry.tick / TICKS_PER_SLOT[wheel + 1]!) !== Math.floor(present / TICKS_PER_SLOT[wheel + 1]!)
    ) {
      wheel++;
    }
    const slot = wheel * SLOTS + (Math.floor(entry.tick / TICKS_PER_SLOT[wheel]!) % SLOTS);
    const ring = slots[slot]!;
    entry.slot = slot;
    entry.before = ring.before;
    entry.behind = ring;
    ring.before.behind = entry;
    ring.before = entry;
    occupied[slot >>> 5]! |= 1 << (slot & 31);
  }

  function cancelled(entry: Entry): void {
    size--;
    if (entry.slot === -1) {
      return;
    }
    entry.before.behind = entry.behind;
    entry.behind.before = entry.before;
    const ring = slots[entry.slot]!;
    if (ring.behind === ring) {
      occupied[entry.slot >>> 5]! &= ~(1 << (entry.slot & 31));
    }
    entry.slot = -1;
    entry.before = entry;
    entry.behind = entry;
  }

  /** The first slot that holds something, or -1: a lower wheel is always sooner than a higher one. */
  function firstSlot(): number {
    for (let word = 0; word < occupied.length; word++) {
      const bits = occupied[word]!;
      if (bits !== 0) {
        return word * 32 + 31 - Math.clz32(bits & -bits);
      }
    }
    return -1;
  }

  /** The tick at which a slot begins, in the current turn of its wheel. */
  function startOf(slot: number): number {
    const wheel = Math.floor(slot / SLOTS);
    const turn = TICKS_PER_SLOT[wheel + 1]!;
    return Math.floor(present / turn) * turn + (slot % SLOTS) * TICKS_PER_SLOT[wheel]!;
  }

  /** Empties a slot that begins now: what is due is gathered, the rest moves to lower wheels. */
  function open(slot: number): void {
    const ring = slots[slot]!;
    let entry = ring.behind;
    ring.before = ring;
    ring.behind = ring;
    occupied[slot >>> 5]! &= ~(1 << (slot & 31));
    while (entry !== ring) {
      const behind = entry.behind;
      if (entry.tick === present) {
        entry.slot = -1;
        due.push(entry);
      } else {
        place(entry);
      }
      entry = behind;
    }
  }

  function runDue(): void {
    if (due.length > 1) {
      due.sort(earliestFirst);
    }
    for (let index = 0; index < due.length; index++) {
      const entry = due[index]!;
      const run = entry.run;
      if (run !== null) {
        entry.run = null;
        size--;
        run();
      }
    }
    due.length = 0;
  }

  return {
    get size() {
      return size;
    },
    after(now, ns, run) {
      const deadline = ns > 0 ? now + ns : now;
      if (size === 0) {
        present = Math.max(present, Math.floor(now / TICK_NS));
      }
      const earliest = Math.max(present, target) + 1;
      const tick = Math.min(LAST_TICK, Math.max(earliest, Math.ceil(deadline / TICK_NS)));
      const entry = new Entry(tick, deadline, serial++, run, cancelled);
      size++;
      place(entry);
      return entry;
    },
    advance(now) {
      target = Math.max(present, Math.floor(now / TICK_NS));
      for (let slot = firstSlot(); slot !== -1; slot = firstSlot()) {
        const start = startOf(slot);
        if (start > target) {
          break;
        }
        present = start;
        open(slot);
        runDue();
      }
      present = target;
    },
    next(now) {
      const slot = firstSlot();
      return slot === -1 ? Number.POSITIVE_INFINITY : Math.max(0, startOf(slot) * TICK_NS - now);
    },
  };
}
