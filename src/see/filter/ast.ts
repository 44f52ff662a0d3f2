/** What a filter means, whatever it was typed as. Numbers are resolved; interface and cgroup names stay names, since they differ between namespaces. */
import type { Protocol } from '../../session/socket.ts';

export type Side = 'local' | 'peer' | 'either';

export type Predicate =
  | { kind: 'everything' }
  | { kind: 'state'; mask: number }
  | { kind: 'host'; side: Side; family: 4 | 6; bytes: Uint8Array; prefix: number }
  | { kind: 'port'; side: Side; from: number; to: number }
  | { kind: 'family'; family: 4 | 6 | 0 }
  | { kind: 'device'; name: string }
  | { kind: 'mark'; value: number; mask: number }
  | { kind: 'cgroup'; path: string }
  | { kind: 'autobound'; from: number; to: number }
  | { kind: 'protocol'; protocol: Protocol }
  | { kind: 'path'; side: Side; pattern: string }
  | { kind: 'program'; text: string }
  | { kind: 'pid'; pid: number }
  | { kind: 'user'; user: number | string };

export type Filter =
  | Predicate
  | { kind: 'and'; of: readonly Filter[] }
  | { kind: 'or'; of: readonly Filter[] }
  | { kind: 'not'; of: Filter };

export const EVERYTHING: Filter = { kind: 'everything' };

/** Both; null is "no filter". */
export function and(...filters: (Filter | null)[]): Filter | null {
  const of = filters.filter((filter) => filter !== null);
  return of.length === 0 ? null : allOf(of);
}

export function allOf(of: readonly Filter[]): Filter {
  const real = of.filter(({ kind }) => kind !== 'everything');
  return real.length === 0 ? EVERYTHING : real.length === 1 ? real[0]! : { kind: 'and', of: real };
}

export function anyOf(of: readonly Filter[]): Filter {
  return of.length === 1 ? of[0]! : { kind: 'or', of };
}

export function not(of: Filter): Filter {
  return of.kind === 'not' ? of.of : { kind: 'not', of };
}

function some(filter: Filter, test: (predicate: Predicate) => boolean): boolean {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.of.some((part) => some(part, test));
    case 'not':
      return some(filter.of, test);
    default:
      return test(filter);
  }
}

/** The rows must know their programs before `evaluate` can judge them. */
export function needsOwners(filter: Filter): boolean {
  return some(filter, ({ kind }) => kind === 'program' || kind === 'pid');
}

/** The person named states: a default selection of states must step back, as it does in ss. */
export function namesStates(filter: Filter): boolean {
  return some(filter, ({ kind }) => kind === 'state');
}
