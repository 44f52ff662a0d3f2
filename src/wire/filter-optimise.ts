/**
 * Leaves out what is known already: a test whose answer follows from the tests before it, a load of what A holds. What a value is
 * called tells how it was loaded, so a known value was loaded on every way here, and leaving it out cannot accept a packet that is too
 * short for it.
 */
import { ACCEPT, type Block, REJECT } from './filter-blocks.ts';
import { BPF } from './filter-bpf.ts';
import { TAG_CELL } from './filter-link.ts';
import type { Instruction, Test } from './filter-tree.ts';
import { holds } from './filter-value.ts';

/** Answers on the way to a block, the last one first. */
interface Known {
  value: string;
  jump: number;
  k: number;
  holds: boolean;
  before: Known | null;
  depth: number;
}

/** What holds whenever a place is reached; null in a register: nothing is known of it. */
interface State {
  a: string | null;
  x: string | null;
  known: Known | null;
}

/** Looking further back costs more than it finds. */
const LOOK_BACK = 256;

/** Blocks that are never reached are left out. */
export function optimised(blocks: readonly Block[]): Block[] {
  const states: (State | null)[] = blocks.map(() => null);
  states[0] = { a: null, x: null, known: null };
  const kept: (Block | null)[] = blocks.map((block, i) => {
    const state = states[i]!;
    return state === null ? null : visited(blocks, states, block, state);
  });
  return renumbered(kept);
}

function visited(blocks: readonly Block[], states: (State | null)[], block: Block, state: State): Block {
  const after = run(block.test.load, state);
  const loaded = after.a === state.a && after.a !== null && after.x === state.x && !stores(block.test);
  const yes = follow(blocks, states, block.yes, answered(after, block.test, true));
  const no = follow(blocks, states, block.no, answered(after, block.test, false));
  const load = loaded ? [] : withoutKnownX(block.test.load, state);
  return { test: { ...block.test, load }, yes, no };
}

/** `ldx` of what X holds already is left out, and what needs no load keeps its place. */
function withoutKnownX(load: readonly Instruction[], state: State): readonly Instruction[] {
  const first = load[0]!;
  const isLoadX = (first.code & 0x07) === BPF.LDX;
  return isLoadX && state.x !== null && name(first, state).x === state.x ? load.slice(1) : load;
}

/** Goes on from `at` past every test that is answered already, and notes how its end is reached. */
function follow(blocks: readonly Block[], states: (State | null)[], at: number, state: State): number {
  let to = at;
  while (to >= 0) {
    const { test, yes, no } = blocks[to]!;
    const answer = stores(test) ? null : known(test, run(test.load, state).a, state);
    if (answer === null) {
      states[to] = met(states[to]!, state);
      return to;
    }
    to = answer ? yes : no;
  }
  return to;
}

function stores(test: Test): boolean {
  return test.load.some(({ code }) => code === BPF.ST);
}

function known(test: Test, value: string | null, state: State): boolean | null {
  if (value === null || test.withX) {
    return null;
  }
  let steps = 0;
  for (let one = state.known; one !== null && steps < LOOK_BACK; one = one.before, steps++) {
    if (one.value !== value) {
      continue;
    }
    if (one.jump === test.jump && one.k === test.k) {
      return one.holds;
    }
    if (one.jump === BPF.JEQ && one.holds) {
      return holds(test.jump, one.k, test.k);
    }
  }
  return null;
}

function answered(state: State, test: Test, yes: boolean): State {
  const { a, x, known } = state;
  if (a === null || test.withX) {
    return state;
  }
  const depth = (known?.depth ?? 0) + 1;
  return { a, x, known: { value: a, jump: test.jump, k: test.k, holds: yes, before: known, depth } };
}

/** What holds on both ways to a place. */
function met(one: State | null, other: State): State {
  if (one === null) {
    return other;
  }
  let a = one.known;
  let b = other.known;
  while (a !== b) {
    if ((a?.depth ?? 0) >= (b?.depth ?? 0)) {
      a = a!.before;
    } else {
      b = b!.before;
    }
  }
  return { a: one.a === other.a ? one.a : null, x: one.x === other.x ? one.x : null, known: a };
}

interface Registers {
  a: string | null;
  x: string | null;
}

function run(load: readonly Instruction[], state: State): State {
  let registers: Registers = state;
  for (const one of load) {
    registers = name(one, registers);
  }
  return { a: registers.a, x: registers.x, known: state.known };
}

/** What A and X hold after one instruction, by name. */
function name({ code, k }: Instruction, { a, x }: Registers): Registers {
  switch (code & 0x07) {
    case BPF.LD:
      return { a: loadedName(code, k, x), x };
    case BPF.LDX: {
      // Cells hold something else each time, but for the one of the tag: where it is read it changes no more.
      const cell = (code & 0xe0) === BPF.MEM;
      return { a, x: cell && k !== TAG_CELL ? null : `${cell ? 'cell' : 'header'}${k}` };
    }
    case BPF.ALU: {
      const operand = (code & BPF.X) === 0 ? `${k}` : x;
      return { a: a === null || operand === null ? null : `(${a} ${code} ${operand})`, x };
    }
    case BPF.TAX:
      return { a, x: a };
    default:
      return { a, x };
  }
}

function loadedName(code: number, k: number, x: string | null): string | null {
  switch (code & 0xe0) {
    case BPF.MEM:
      return null;
    case BPF.IND:
      return x === null ? null : `${code}@${k}+${x}`;
    default:
      return `${code}@${k}`;
  }
}

function renumbered(kept: readonly (Block | null)[]): Block[] {
  let count = 0;
  const places = kept.map((block) => (block === null ? -1 : count++));
  const moved = (at: number): number => (at === ACCEPT || at === REJECT ? at : places[at]!);
  return kept
    .filter((block) => block !== null)
    .map(({ test, yes, no }) => ({ test, yes: moved(yes), no: moved(no) }));
}
