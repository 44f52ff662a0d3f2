/** Which states, families and protocols a filter can match at all: the fields of a dump request. Never too few. */
import { PROTOCOLS } from '../../session/socket.ts';
import type { Filter, Predicate } from './ast.ts';
import { ALL_STATES } from './states.ts';

export interface Scope {
  states: number;
  /** Bits: 1 IPv4, 2 IPv6, 4 UNIX. */
  families: number;
  /** Bits in the order of PROTOCOLS. */
  protocols: number;
}

const ALL: Scope = { states: ALL_STATES, families: 7, protocols: (1 << PROTOCOLS.length) - 1 };
export const UNIX_FAMILY = 4;
const FAMILY_BITS = { 4: 1, 6: 2, 0: UNIX_FAMILY } as const;

export function scopeOf(filter: Filter, negated = false): Scope {
  switch (filter.kind) {
    case 'not':
      return scopeOf(filter.of, !negated);
    case 'and':
    case 'or': {
      const scopes = filter.of.map((part) => scopeOf(part, negated));
      return scopes.reduce((filter.kind === 'and') !== negated ? both : either);
    }
    default:
      return leaf(filter, negated);
  }
}

function both(a: Scope, b: Scope): Scope {
  return {
    states: a.states & b.states,
    families: a.families & b.families,
    protocols: a.protocols & b.protocols,
  };
}

function either(a: Scope, b: Scope): Scope {
  return {
    states: a.states | b.states,
    families: a.families | b.families,
    protocols: a.protocols | b.protocols,
  };
}

function leaf(p: Predicate, negated: boolean): Scope {
  const pick = (bits: number, all: number): number => (negated ? all & ~bits : bits);
  switch (p.kind) {
    case 'state':
      return { ...ALL, states: pick(p.mask, ALL.states) };
    case 'family':
      return { ...ALL, families: pick(FAMILY_BITS[p.family], ALL.families) };
    case 'protocol':
      return { ...ALL, protocols: pick(1 << PROTOCOLS.indexOf(p.protocol), ALL.protocols) };
    case 'host':
      // An IPv4 rule also matches IPv4-mapped addresses of IPv6 sockets.
      return negated
        ? ALL
        : { ...ALL, families: p.family === 6 ? FAMILY_BITS[6] : FAMILY_BITS[4] | FAMILY_BITS[6] };
    case 'port':
      return negated || p.side !== 'either' ? ALL : { ...ALL, families: ALL.families & ~UNIX_FAMILY };
    case 'path':
      return negated ? ALL : { ...ALL, families: FAMILY_BITS[0] };
    default:
      return ALL;
  }
}

/** Only states, or only families: then the scope is not merely a bound but the whole meaning. */
export function singleScope(filter: Filter): boolean {
  return only(filter, 'state') || only(filter, 'family');
}

function only(filter: Filter, kind: 'state' | 'family'): boolean {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.of.every((part) => only(part, kind));
    case 'not':
      return only(filter.of, kind);
    default:
      return filter.kind === kind;
  }
}
