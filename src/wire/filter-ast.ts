/** A capture filter as it was read, before it knows the link it will run on. */
import type { Span } from './filter-fault.ts';

export type Direction = 'src' | 'dst' | 'or' | 'and';
export type IdType = 'host' | 'net' | 'port' | 'portrange' | 'proto';

/** The words in front of an id. They are inherited: in `tcp port 80 or 443` the second number has those of the first. */
export interface Qualifiers {
  protocol: string | null;
  direction: Direction | null;
  type: IdType | null;
}

export type Id =
  | { kind: 'number'; value: number }
  | { kind: 'name'; text: string }
  | { kind: 'ip4'; text: string; prefix: number | null; mask: string | null }
  | { kind: 'ip6'; text: string; prefix: number | null }
  | { kind: 'mac'; text: string };

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '<<' | '>>';
export type Relation = '=' | '!=' | '<' | '<=' | '>' | '>=';

export type Arithmetic = Span &
  (
    | { kind: 'constant'; value: number }
    | { kind: 'length' }
    | { kind: 'negative'; of: Arithmetic }
    | { kind: 'binary'; operator: ArithmeticOperator; left: Arithmetic; right: Arithmetic }
    | { kind: 'load'; protocol: string; index: Arithmetic; size: number }
  );

export type Expression =
  | { kind: 'and' | 'or'; of: Expression[] }
  | { kind: 'not'; of: Expression }
  | (Span &
      (
        | { kind: 'id'; qualifiers: Qualifiers; id: Id }
        | { kind: 'protocol'; name: string }
        | { kind: 'relation'; relation: Relation; left: Arithmetic; right: Arithmetic }
        | { kind: 'cast'; far: 'broadcast' | 'multicast'; protocol: string | null }
        | { kind: 'shorter' | 'longer'; than: number }
        | { kind: 'bound'; outward: boolean }
        | { kind: 'ifindex'; value: number }
        | { kind: 'vlan' | 'mpls'; value: number | null }
        | { kind: 'pppoed' }
      ));
