/** A filter as tests on bytes, joined by and, or and not. A test loads something into A and compares it. */
import { BPF } from './filter-bpf.ts';

export interface Instruction {
  code: number;
  k: number;
}

export interface Test {
  kind: 'test';
  load: readonly Instruction[];
  jump: number;
  /** What A is compared with; unused when it is compared with X. */
  k: number;
  withX: boolean;
}

export type Tree = boolean | Test | { kind: 'and' | 'or'; of: Tree[] } | { kind: 'not'; of: Tree };

export function all(...parts: Tree[]): Tree {
  return joined('and', parts);
}

export function any(...parts: Tree[]): Tree {
  return joined('or', parts);
}

export function not(tree: Tree): Tree {
  return typeof tree === 'boolean' ? !tree : tree.kind === 'not' ? tree.of : { kind: 'not', of: tree };
}

/** What decides the whole alone ends the list; what cannot decide anything is dropped. */
function joined(kind: 'and' | 'or', parts: readonly Tree[]): Tree {
  const deciding = kind === 'or';
  const of: Tree[] = [];
  for (const part of parts) {
    if (part === deciding) {
      return deciding;
    }
    if (typeof part !== 'boolean') {
      of.push(part);
    }
  }
  return of.length > 1 ? { kind, of } : (of[0] ?? !deciding);
}

export function instruction(code: number, k: number): Instruction {
  return { code, k: k >>> 0 };
}

export function equals(load: readonly Instruction[], k: number): Tree {
  return { kind: 'test', load, jump: BPF.JEQ, k: k >>> 0, withX: false };
}

export function above(load: readonly Instruction[], k: number): Tree {
  return { kind: 'test', load, jump: BPF.JGT, k: k >>> 0, withX: false };
}

export function atLeast(load: readonly Instruction[], k: number): Tree {
  return { kind: 'test', load, jump: BPF.JGE, k: k >>> 0, withX: false };
}

export function hasBits(load: readonly Instruction[], k: number): Tree {
  return { kind: 'test', load, jump: BPF.JSET, k: k >>> 0, withX: false };
}

/** `(A & mask) == k`; a mask without a bit asks nothing. */
export function equalsMasked(load: readonly Instruction[], mask: number, k: number): Tree {
  if (mask === 0) {
    return true;
  }
  const whole = mask >>> 0 === 0xffff_ffff;
  return equals(whole ? load : [...load, instruction(BPF.ALU | BPF.AND, mask)], k);
}
