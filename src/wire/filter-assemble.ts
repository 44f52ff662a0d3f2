/** Tests as a program for the kernel: struct sock_filter, little endian. */
import { ACCEPT, type Block } from './filter-blocks.ts';
import { BPF } from './filter-bpf.ts';
import { TAG_CELL } from './filter-link.ts';
import { type Instruction, instruction } from './filter-tree.ts';

export const INSTRUCTION_SIZE = 8;
/** A conditional jump has one byte for each way: beyond that it goes to an instruction behind it that knows the way. */
const NEAR = 255;

/** `accepted`: how many bytes of a packet are kept. */
export function assemble(blocks: readonly Block[], accepted: number): Uint8Array {
  const before = blocks.some(({ test }) => test.load.some(usesTagCell))
    ? [instruction(BPF.LD | BPF.IMM, 0), instruction(BPF.ST, TAG_CELL)]
    : [];
  const far = blocks.map(() => ({ yes: false, no: false }));
  let layout = laidOut(blocks, far, before.length);
  while (widened(blocks, far, layout)) {
    layout = laidOut(blocks, far, before.length);
  }
  return written(blocks, far, layout, before, accepted);
}

interface Far {
  yes: boolean;
  no: boolean;
}

interface Layout {
  starts: number[];
  accept: number;
  reject: number;
}

function laidOut(blocks: readonly Block[], far: readonly Far[], start: number): Layout {
  const starts: number[] = [];
  let at = start;
  for (const [i, { test }] of blocks.entries()) {
    starts.push(at);
    at += test.load.length + 1 + (far[i]!.yes ? 1 : 0) + (far[i]!.no ? 1 : 0);
  }
  return { starts, accept: at, reject: at + 1 };
}

function target({ starts, accept, reject }: Layout, to: number): number {
  return to >= 0 ? starts[to]! : to === ACCEPT ? accept : reject;
}

/** Marks the ways that are too long; a block that grows may make others too long. */
function widened(blocks: readonly Block[], far: readonly Far[], layout: Layout): boolean {
  let changed = false;
  for (const [i, { test, yes, no }] of blocks.entries()) {
    const next = layout.starts[i]! + test.load.length + 1;
    const one = far[i]!;
    if (!one.yes && target(layout, yes) - next > NEAR) {
      one.yes = true;
      changed = true;
    }
    if (!one.no && target(layout, no) - next > NEAR) {
      one.no = true;
      changed = true;
    }
  }
  return changed;
}

function written(
  blocks: readonly Block[],
  far: readonly Far[],
  layout: Layout,
  before: readonly Instruction[],
  accepted: number,
): Uint8Array {
  const program = new Uint8Array((layout.reject + 1) * INSTRUCTION_SIZE);
  const view = new DataView(program.buffer);
  let at = 0;
  const put = ({ code, k }: Instruction, yes = 0, no = 0): void => {
    view.setUint16(at, code, true);
    program[at + 2] = yes;
    program[at + 3] = no;
    view.setUint32(at + 4, k, true);
    at += INSTRUCTION_SIZE;
  };
  const end = (to: number): Instruction => instruction(BPF.RET, to === ACCEPT ? accepted : 0);
  for (const one of before) {
    put(one);
  }
  for (const [i, { test, yes, no }] of blocks.entries()) {
    for (const one of test.load) {
      put(one);
    }
    const next = layout.starts[i]! + test.load.length + 1;
    const { yes: yesFar, no: noFar } = far[i]!;
    const compare = instruction(BPF.JMP | test.jump | (test.withX ? BPF.X : 0), test.k);
    put(
      compare,
      yesFar ? 0 : target(layout, yes) - next,
      noFar ? (yesFar ? 1 : 0) : target(layout, no) - next,
    );
    for (const to of [...(yesFar ? [yes] : []), ...(noFar ? [no] : [])]) {
      const past = at / INSTRUCTION_SIZE + 1;
      put(to < 0 ? end(to) : instruction(BPF.JMP | BPF.JA, target(layout, to) - past));
    }
  }
  put(instruction(BPF.RET, accepted));
  put(instruction(BPF.RET, 0));
  return program;
}

function usesTagCell({ code, k }: Instruction): boolean {
  return code === (BPF.LDX | BPF.MEM) && k === TAG_CELL;
}
