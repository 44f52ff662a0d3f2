/**
 * Filter → what the kernel is asked for. What it cannot decide is left out in such a way that it never selects too little;
 * then `exact` is false and `evaluate` must look at the rows.
 */
import { PROTOCOLS, type Protocol } from '../../session/socket.ts';
import type { Filter, Predicate, Side } from './ast.ts';
import {
  assemble,
  hostCondition,
  numbersCondition,
  OP,
  portCondition,
  simplified,
  type Tree,
} from './bytecode.ts';
import { LAST_PORT } from './number.ts';
import { type Scope, scopeOf, singleScope, UNIX_FAMILY } from './scope.ts';

export interface KernelOptions {
  /** Null: no such interface here. Without the function the kernel is not asked about interfaces. */
  deviceIndex?: (name: string) => number | null;
  cgroupId?: (path: string) => number | null;
  /** MARK_COND wants CAP_NET_ADMIN; without it the kernel refuses the whole request (EPERM). */
  netAdmin?: boolean;
  /** The program will be sent for this protocol only. */
  protocol?: Protocol;
}

export interface KernelFilter {
  /** INET_DIAG_REQ_BYTECODE, or null when every socket of these states and families is wanted. */
  bytecode: Uint8Array | null;
  /** idiag_states: `1 << index in TCP_STATES`. */
  states: number;
  /** 0 stands for UNIX sockets. A family that is not here need not be asked. */
  families: readonly (4 | 6 | 0)[];
  protocols: readonly Protocol[];
  /** The kernel's choice, with these states and families, is the whole filter. For UNIX sockets never: they have no bytecode. */
  exact: boolean;
}

interface Pass {
  options: KernelOptions;
  exact: boolean;
}

export function compileForKernel(filter: Filter | null, options: KernelOptions = {}): KernelFilter {
  if (filter === null) {
    return result(scopeOf({ kind: 'everything' }), null, true);
  }
  const pass: Pass = { options, exact: true };
  const scope = scopeOf(filter);
  // What a field of the request selects alone needs no bytecode and stays exact.
  const rest = conjuncts(filter, false).filter(([part]) => !singleScope(part));
  const tree = simplified({ all: rest.map(([part, negated]) => treeOf(part, negated, pass)) });
  if (tree === false) {
    // No TCP, UDP or RAW socket can match; UNIX sockets, which bytecode is not about, still may.
    return result({ ...scope, families: scope.families & UNIX_FAMILY }, null, pass.exact);
  }
  if (tree === true) {
    return result(scope, null, pass.exact);
  }
  const bytecode = assemble(tree);
  return result(scope, bytecode, pass.exact && bytecode !== null);
}

function result(scope: Scope, bytecode: Uint8Array | null, exact: boolean): KernelFilter {
  return {
    bytecode,
    states: scope.states,
    families: FAMILIES.filter((_, i) => (scope.families & (1 << i)) !== 0),
    protocols: PROTOCOLS.filter((_, i) => (scope.protocols & (1 << i)) !== 0),
    exact,
  };
}

const FAMILIES = [4, 6, 0] as const;

/** The parts that must all hold, through `and`, `not (… or …)` and double negation. */
function conjuncts(filter: Filter, negated: boolean): [Filter, boolean][] {
  if (filter.kind === 'not') {
    return conjuncts(filter.of, !negated);
  }
  if (filter.kind === (negated ? 'or' : 'and')) {
    return (filter as { of: readonly Filter[] }).of.flatMap((part) => conjuncts(part, negated));
  }
  return [[filter, negated]];
}

function treeOf(filter: Filter, negated: boolean, pass: Pass): Tree {
  switch (filter.kind) {
    case 'not':
      return treeOf(filter.of, !negated, pass);
    case 'and':
    case 'or': {
      const parts = filter.of.map((part) => treeOf(part, negated, pass));
      return (filter.kind === 'and') !== negated ? { all: parts } : { any: parts };
    }
    default:
      return leaf(filter, negated, pass);
  }
}

const NO_ADDRESS = new Uint8Array(16);

function leaf(p: Predicate, negated: boolean, pass: Pass): Tree {
  const { options } = pass;
  switch (p.kind) {
    case 'everything':
      return !negated;
    case 'port':
      return bothSides(p.side, negated, (peer) => portTree(peer, p.from, p.to, negated));
    case 'host':
      return bothSides(p.side, negated, (peer) =>
        hostCondition(peer ? OP.D_COND : OP.S_COND, p.family, p.bytes, p.prefix, negated),
      );
    case 'family':
      return p.family === 0
        ? negated
        : hostCondition(OP.S_COND, 6, NO_ADDRESS, 0, (p.family === 6) === negated);
    case 'device': {
      const index = p.name === '' ? 0 : options.deviceIndex?.(p.name);
      return index === null
        ? negated
        : index === undefined
          ? unknown(pass)
          : numbersCondition(OP.DEV_COND, [index], negated);
    }
    case 'cgroup': {
      const id = options.cgroupId?.(p.path);
      return id === null
        ? negated
        : id === undefined
          ? unknown(pass)
          : numbersCondition(OP.CGROUP_COND, [id % 2 ** 32, Math.floor(id / 2 ** 32)], negated);
    }
    case 'mark':
      return options.netAdmin === true
        ? numbersCondition(OP.MARK_COND, [p.value, p.mask], negated)
        : unknown(pass);
    case 'autobound':
      // ss asks the kernel whether bind() named the port AND looks at the port's range; the row does not show the former.
      pass.exact = false;
      return { op: OP.AUTO, payload: new Uint8Array(0), negated };
    case 'protocol':
      return options.protocol === undefined ? unknown(pass) : (p.protocol === options.protocol) !== negated;
    case 'path':
      return negated; // only UNIX sockets have one, and they are not asked by bytecode
    case 'state':
    case 'program':
    case 'pid':
    case 'user':
      return unknown(pass);
  }
}

/** "Perhaps" counts as yes, under a negation too. */
function unknown(pass: Pass): true {
  pass.exact = false;
  return true;
}

function bothSides(side: Side, negated: boolean, of: (peer: boolean) => Tree): Tree {
  if (side !== 'either') {
    return of(side === 'peer');
  }
  const parts = [of(false), of(true)];
  return negated ? { all: parts } : { any: parts };
}

function portTree(peer: boolean, from: number, to: number, negated: boolean): Tree {
  const least = peer ? OP.D_GE : OP.S_GE;
  const most = peer ? OP.D_LE : OP.S_LE;
  if (from === to) {
    return portCondition(peer ? OP.D_EQ : OP.S_EQ, from, negated);
  }
  if (negated) {
    const below: Tree = from === 0 ? false : portCondition(most, from - 1);
    const above: Tree = to >= LAST_PORT ? false : portCondition(least, to + 1);
    return { any: [below, above] };
  }
  return {
    all: [from === 0 ? true : portCondition(least, from), to >= LAST_PORT ? true : portCondition(most, to)],
  };
}
