/** The clauses that every fault can have: direction, chance, client, connections, time, name. */

import { durationNs, shareOf } from '../session/quantities.ts';
import { parseConnections, parsePrefix } from './applies.ts';
import type { Fault, PlannedFault } from './fault.ts';
import type { FaultTextError, Token } from './fault-tokens.ts';

export type Value = number | string | boolean;

export const STREAMS: Readonly<Record<string, PlannedFault['stream']>> = {
  up: 'upstream',
  upstream: 'upstream',
  down: 'downstream',
  downstream: 'downstream',
  both: 'both',
};

export const CLAUSES = ['toxicity', 'client', 'connection', 'connections', 'at', 'for', 'name'] as const;
export type Clause = (typeof CLAUSES)[number];

/** What was read so far. */
export interface Draft {
  readonly fault: Fault;
  readonly attributes: Record<string, Value>;
  readonly clauses: {
    stream?: PlannedFault['stream'];
    toxicity?: number;
    client?: string;
    connections?: string;
    at?: number;
    lasts?: number;
    name?: string;
  };
}

export function readClause(clause: Clause, value: Token, draft: Draft): FaultTextError | null {
  const { clauses } = draft;
  switch (clause) {
    case 'toxicity': {
      const share = shareOf(value.text);
      const twice = once(clauses.toxicity, value);
      clauses.toxicity = share ?? 1;
      return share === null ? wrong(value, 'toxicity wants a share such as 50% or 0.5') : twice;
    }
    case 'client': {
      const twice = once(clauses.client, value);
      clauses.client = value.text;
      return parsePrefix(value.text) === null
        ? wrong(value, 'client wants an address, or a prefix such as 10.0.0.0/8')
        : twice;
    }
    case 'connection':
    case 'connections': {
      const twice = once(clauses.connections, value);
      clauses.connections = value.text;
      return parseConnections(value.text) === null
        ? wrong(value, 'connection wants a number from 1 or a range: 3, 2-5, 10-')
        : twice;
    }
    case 'at':
    case 'for': {
      const ns = durationNs(value.text);
      const key = clause === 'at' ? 'at' : 'lasts';
      const twice = once(clauses[key], value);
      clauses[key] = ns ?? 0;
      return ns === null ? wrong(value, `${clause} wants a duration such as 5s`) : twice;
    }
    case 'name': {
      const twice = once(clauses.name, value);
      clauses.name = value.text;
      return value.text === '' ? wrong(value, 'name wants a name') : twice;
    }
  }
}

export function isClause(text: string): text is Clause {
  return (CLAUSES as readonly string[]).includes(text);
}

export function once(before: Value | undefined, word: Token): FaultTextError | null {
  return before === undefined ? null : wrong(word, `${word.text} says again what was said before`);
}

export function wrong(word: Token, why: string): FaultTextError {
  return { why, at: word.at, length: Math.max(1, word.end - word.at) };
}
