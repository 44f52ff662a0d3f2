/** Comparisons of calculated values as code. `ip[0]` is also a condition: the relation is false for packets without that header. */
import type { Arithmetic, ArithmeticOperator, Relation } from './filter-ast.ts';
import { BPF } from './filter-bpf.ts';
import { type FilterFault, filterFault, isFilterFault } from './filter-fault.ts';
import {
  carries,
  type Ground,
  IPV4,
  IPV6,
  ipv4HeaderToX,
  networkAt,
  networkBytes,
  SIZES,
  TAG_CELL,
} from './filter-link.ts';
import {
  all,
  equals,
  hasBits,
  type Instruction,
  instruction,
  not,
  type Test,
  type Tree,
} from './filter-tree.ts';
import { ETHER_PROTOCOLS } from './filter-words.ts';

/** Code that leaves the value in A; `given` must hold before it may run. */
interface Value {
  code: Instruction[];
  given: Tree;
}

const OPERATIONS: Record<ArithmeticOperator, number> = {
  '+': BPF.ADD,
  '-': BPF.SUB,
  '*': BPF.MUL,
  '/': BPF.DIV,
  '%': BPF.MOD,
  '&': BPF.AND,
  '|': BPF.OR,
  '^': BPF.XOR,
  '<<': BPF.LSH,
  '>>': BPF.RSH,
};

/** The comparison to make, and whether its answer is turned round. */
const JUMPS: Record<Relation, readonly [jump: number, turned: boolean]> = {
  '=': [BPF.JEQ, false],
  '!=': [BPF.JEQ, true],
  '>': [BPF.JGT, false],
  '<=': [BPF.JGT, true],
  '>=': [BPF.JGE, false],
  '<': [BPF.JGE, true],
};

export function compare(
  ground: Ground,
  relation: Relation,
  left: Arithmetic,
  right: Arithmetic,
): Tree | FilterFault {
  const [jump, turned] = JUMPS[relation];
  const a = calculate(ground, left, 0);
  if (isFilterFault(a)) {
    return a;
  }
  if (right.kind === 'constant') {
    if (left.kind === 'constant') {
      return holds(jump, left.value, right.value) !== turned;
    }
    return all(a.given, turnedIf(turned, { kind: 'test', load: a.code, jump, k: right.value, withX: false }));
  }
  const b = calculate(ground, right, 1);
  if (isFilterFault(b)) {
    return b;
  }
  const load = [...a.code, instruction(BPF.ST, 0), ...b.code, instruction(BPF.TAX, 0), fromCell(0)];
  return all(a.given, b.given, turnedIf(turned, { kind: 'test', load, jump, k: 0, withX: true }));
}

function turnedIf(turned: boolean, test: Test): Tree {
  return turned ? not(test) : test;
}

export function holds(jump: number, a: number, b: number): boolean {
  switch (jump) {
    case BPF.JEQ:
      return a === b;
    case BPF.JGT:
      return a > b;
    case BPF.JGE:
      return a >= b;
    default:
      return (a & b) !== 0;
  }
}

/** `cell` is the first memory cell this may use. */
function calculate(ground: Ground, of: Arithmetic, cell: number): Value | FilterFault {
  if (cell >= TAG_CELL) {
    return filterFault(of, 'the expression needs more than 15 values at once', 'Write it with fewer levels.');
  }
  switch (of.kind) {
    case 'constant':
      return { code: [instruction(BPF.LD | BPF.IMM, of.value)], given: true };
    case 'length':
      return { code: [instruction(BPF.LD | BPF.LEN, 0)], given: true };
    case 'negative': {
      const inner = calculate(ground, of.of, cell);
      return isFilterFault(inner)
        ? inner
        : { code: [...inner.code, instruction(BPF.ALU | BPF.NEG, 0)], given: inner.given };
    }
    case 'load':
      return loaded(ground, of, cell);
    case 'binary': {
      const { operator, left, right } = of;
      const a = calculate(ground, left, cell);
      if (isFilterFault(a)) {
        return a;
      }
      const operation = BPF.ALU | OPERATIONS[operator];
      if (right.kind === 'constant') {
        return { code: [...a.code, instruction(operation, right.value)], given: a.given };
      }
      const b = calculate(ground, right, cell + 1);
      if (isFilterFault(b)) {
        return b;
      }
      const keep = [instruction(BPF.ST, cell), ...b.code, instruction(BPF.TAX, 0), fromCell(cell)];
      return { code: [...a.code, ...keep, instruction(operation | BPF.X, 0)], given: all(a.given, b.given) };
    }
  }
}

function fromCell(cell: number): Instruction {
  return instruction(BPF.LD | BPF.MEM, cell);
}

/** Headers behind the one of IPv4, and their protocol numbers. */
const BEHIND_IPV4: ReadonlyMap<string, number> = new Map([
  ['tcp', 6],
  ['udp', 17],
  ['sctp', 132],
  ['icmp', 1],
  ['igmp', 2],
  ['igrp', 9],
  ['pim', 103],
  ['vrrp', 112],
  ['carp', 112],
]);
const ICMP6 = 58;

function loaded(ground: Ground, of: Arithmetic & { kind: 'load' }, cell: number): Value | FilterFault {
  const { protocol, index, size } = of;
  const inner = calculate(ground, index, cell);
  if (isFilterFault(inner)) {
    return inner;
  }
  const given = givenFor(ground, of, inner.given);
  if (isFilterFault(given)) {
    return given;
  }
  const onLink = protocol === 'link';
  const base = onLink ? 0 : networkAt(ground) + (protocol === 'icmp6' ? 40 : 0);
  const width = SIZES.get(size)!;
  const before = BEHIND_IPV4.has(protocol)
    ? ipv4HeaderToX(ground)
    : onLink || !ground.varies
      ? null
      : tagToX();
  // An absolute load from 2^31 on would mean something else to the kernel (SKF_LL_OFF, SKF_AD_OFF).
  const fixed = index.kind === 'constant' && base + index.value < 0x8000_0000 ? base + index.value : null;
  const reach =
    fixed === null ? throughX(inner.code, before, base, width, cell) : straight(before, fixed, width);
  return { code: reach, given };
}

function straight(before: Instruction[] | null, at: number, width: number): Instruction[] {
  return before === null
    ? [instruction(BPF.LD | BPF.ABS | width, at)]
    : [...before, instruction(BPF.LD | BPF.IND | width, at)];
}

function throughX(
  index: Instruction[],
  before: Instruction[] | null,
  base: number,
  width: number,
  cell: number,
): Instruction[] {
  const load = [instruction(BPF.TAX, 0), instruction(BPF.LD | BPF.IND | width, base)];
  return before === null
    ? [...index, ...load]
    : [
        ...index,
        instruction(BPF.ST, cell),
        ...before,
        fromCell(cell),
        instruction(BPF.ALU | BPF.ADD | BPF.X, 0),
        ...load,
      ];
}

function tagToX(): Instruction[] {
  return [instruction(BPF.LDX | BPF.MEM, TAG_CELL)];
}

/** What must hold before the bytes may be loaded. A short packet is rejected by the first test beyond its end: hence the order. */
function givenFor(ground: Ground, of: Arithmetic & { kind: 'load' }, inner: Tree): Tree | FilterFault {
  const { protocol } = of;
  if (protocol === 'link') {
    return ground.linkType === 'network'
      ? filterFault(of, 'the link header is not part of this capture', 'Capture on one interface to see it.')
      : inner;
  }
  const number = BEHIND_IPV4.get(protocol);
  const type = number !== undefined ? IPV4 : protocol === 'icmp6' ? IPV6 : ETHER_PROTOCOLS.get(protocol);
  if (type === undefined || type <= 1500) {
    const hint = 'Count from ip, ip6, tcp, udp, icmp, icmp6, arp or ether.';
    return filterFault(of, `bytes of ${protocol} cannot be named`, hint);
  }
  const carried = carries(ground, type);
  if (carried === null) {
    return behindMpls(of);
  }
  if (number !== undefined) {
    const is = equals(networkBytes(ground, 9, 1), number);
    return all(carried, inner, is, firstFragment(ground));
  }
  return all(inner, carried, protocol === 'icmp6' ? equals(networkBytes(ground, 6, 1), ICMP6) : true);
}

/** IPv4: what follows the header begins in this packet. */
export function firstFragment(ground: Ground): Tree {
  return not(hasBits(networkBytes(ground, 6, 2), 0x1fff));
}

export function behindMpls(of: { from: number; to: number }): FilterFault {
  return filterFault(of, 'behind mpls only ip and ip6 can be told apart', 'Put this condition before mpls.');
}
