/**
 * The socket filter language of inet_diag (linux/inet_diag.h, net/ipv4/inet_diag.c). A program is a row of conditions; each says how far
 * to go on `yes` (its own size: the audit walks along `yes`) and on `no` (forward, onto a condition, the end, or 4 beyond the end).
 * At the end the socket is taken, 4 beyond it is left out.
 */
export const OP = {
  NOP: 0,
  JMP: 1,
  S_GE: 2,
  S_LE: 3,
  D_GE: 4,
  D_LE: 5,
  AUTO: 6,
  S_COND: 7,
  D_COND: 8,
  DEV_COND: 9,
  MARK_COND: 10,
  S_EQ: 11,
  D_EQ: 12,
  CGROUP_COND: 13,
} as const;

export interface Condition {
  op: number;
  payload: Uint8Array;
  negated: boolean;
}

/** A filter the kernel can decide; `true` and `false` are decided already. */
export type Tree = boolean | Condition | { all: readonly Tree[] } | { any: readonly Tree[] };

/** The audit's work grows with the square of the size. */
export const MOST_BYTES = 16 * 1024;
const OP_SIZE = 4;

/** Constants folded, nested groups of the same kind merged. */
export function simplified(tree: Tree): Tree {
  if (typeof tree === 'boolean' || 'op' in tree) {
    return tree;
  }
  const isAll = 'all' in tree;
  const parts: Tree[] = [];
  for (const part of (isAll ? tree.all : tree.any).map(simplified)) {
    if (part === !isAll) {
      return part;
    }
    if (part === isAll) {
      continue;
    }
    const inner = typeof part === 'boolean' || 'op' in part ? null : isAll === 'all' in part ? part : null;
    parts.push(...(inner === null ? [part] : 'all' in inner ? inner.all : inner.any));
  }
  if (parts.length < 2) {
    return parts[0] ?? isAll;
  }
  return isAll ? { all: parts } : { any: parts };
}

interface Label {
  at: number;
}

interface Step {
  op: number;
  payload: Uint8Array;
  no: Label;
  at: number;
}

/** Null: too long for the kernel to audit quickly. The tree must be simplified and not a constant. */
export function assemble(tree: Exclude<Tree, boolean>): Uint8Array | null {
  const steps: Step[] = [];
  let size = 0;
  const rejected: Label = { at: -1 };

  const emit = (op: number, payload: Uint8Array, no: Label): void => {
    steps.push({ op, payload, no, at: size });
    size += OP_SIZE + payload.length;
  };
  /** Falls through when it holds, goes to `no` when not. */
  const place = (part: Tree, no: Label): void => {
    if (typeof part === 'boolean') {
      return;
    }
    if ('op' in part) {
      if (!part.negated) {
        emit(part.op, part.payload, no);
        return;
      }
      const over: Label = { at: size + OP_SIZE + part.payload.length + OP_SIZE };
      emit(part.op, part.payload, over);
      emit(OP.JMP, NOTHING, no);
    } else if ('all' in part) {
      for (const each of part.all) {
        place(each, no);
      }
    } else {
      const end: Label = { at: -1 };
      for (const each of part.any.slice(0, -1)) {
        const other: Label = { at: -1 };
        place(each, other);
        emit(OP.JMP, NOTHING, end);
        other.at = size;
      }
      place(part.any.at(-1)!, no);
      end.at = size;
    }
  };

  place(tree, rejected);
  rejected.at = size + OP_SIZE;
  return size > MOST_BYTES ? null : written(steps, size);
}

const NOTHING = new Uint8Array(0);

function written(steps: readonly Step[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (const { op, payload, no, at } of steps) {
    bytes[at] = op;
    bytes[at + 1] = OP_SIZE + payload.length;
    view.setUint16(at + 2, no.at - at, true);
    bytes.set(payload, at + OP_SIZE);
  }
  return bytes;
}

/** Ports travel in the `no` field of a second operation. */
export function portCondition(op: number, port: number, negated = false): Condition {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint16(2, port, true);
  return { op, payload, negated };
}

const AF_INET = 2;
const AF_INET6 = 10;
const ANY_PORT = -1;

/** struct inet_diag_hostcond; a prefix of 0 asks for the family only. */
export function hostCondition(
  op: number,
  family: 4 | 6,
  bytes: Uint8Array,
  prefix: number,
  negated: boolean,
): Condition {
  const payload = new Uint8Array(8 + bytes.length);
  payload[0] = family === 4 ? AF_INET : AF_INET6;
  payload[1] = prefix;
  new DataView(payload.buffer).setInt32(4, ANY_PORT, true);
  payload.set(bytes, 8);
  return { op, payload, negated };
}

export function numbersCondition(op: number, numbers: readonly number[], negated: boolean): Condition {
  const payload = new Uint8Array(numbers.length * 4);
  const view = new DataView(payload.buffer);
  for (const [i, number] of numbers.entries()) {
    view.setUint32(i * 4, number, true);
  }
  return { op, payload, negated };
}
