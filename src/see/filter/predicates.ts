/** The predicates of ss: a name, an optional comparison, a value. Each reads its value word. */
import { type Filter, not, type Side } from './ast.ts';
import type { Context } from './context.ts';
import { fault, isFault, type Parsed } from './fault.ts';
import { familyPrefix, HOST_WORDS, host, portsOf } from './host.ts';
import { integer, isPortFault, LAST_PORT, ports } from './number.ts';
import type { Token } from './tokens.ts';

export type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=';

export const OPERATORS: Record<string, Operator> = {
  '=': '=',
  '==': '=',
  eq: '=',
  '!=': '!=',
  ne: '!=',
  neq: '!=',
  '<': '<',
  lt: '<',
  '<=': '<=',
  le: '<=',
  leq: '<=',
  '>': '>',
  gt: '>',
  '>=': '>=',
  ge: '>=',
  geq: '>=',
};

export interface PredicateWord {
  operators: readonly Operator[];
  /** What may follow, for errors. */
  values: readonly string[];
  read: (value: Token, operator: Operator, context: Context) => Parsed<Filter>;
}

const PORT_WORDS = [':80', ':ssh', '8080', ':*'] as const;
const EQUALITY = ['=', '!='] as const;

function address(side: Side): PredicateWord {
  return {
    operators: EQUALITY,
    values: HOST_WORDS,
    read: (value, operator, context) => negated(host(value, side, context), operator),
  };
}

function port(side: Side): PredicateWord {
  return {
    operators: ['=', '!=', '<', '<=', '>', '>='],
    values: PORT_WORDS,
    read: (value, operator, context) => {
      const split = familyPrefix(value);
      if (isFault(split)) {
        return split;
      }
      if (split.family === 0) {
        return fault(value.at, value.text.length, 'UNIX sockets have no ports', PORT_WORDS);
      }
      const text = split.rest.replace(/^:/, '');
      const start = value.at + value.text.length - text.length;
      const ranges = ports(text, context);
      if (isPortFault(ranges)) {
        return fault(start + ranges.at, ranges.length, ranges.message, PORT_WORDS);
      }
      context.family = split.family ?? context.family;
      if (ranges === null) {
        return anyPort(value, operator);
      }
      if (operator === '=' || operator === '!=') {
        return negated(portsOf(side, ranges), operator);
      }
      const [only] = ranges;
      if (ranges.length !== 1 || only!.from !== only!.to) {
        return fault(start, text.length, `'${operator}' compares with one port`, PORT_WORDS);
      }
      return compared(side, operator, only!.from);
    },
  };
}

function anyPort(value: Token, operator: Operator): Parsed<Filter> {
  return operator === '=' || operator === '!='
    ? negated({ kind: 'everything' }, operator)
    : fault(value.at, Math.max(1, value.text.length), `'${operator}' compares with one port`, [
        ':80',
        ':ssh',
        '8080',
      ]);
}

function compared(side: Side, operator: '<' | '<=' | '>' | '>=', value: number): Filter {
  switch (operator) {
    case '<=':
      return { kind: 'port', side, from: 0, to: value };
    case '>=':
      return { kind: 'port', side, from: value, to: LAST_PORT };
    case '<':
      return not({ kind: 'port', side, from: value, to: LAST_PORT });
    case '>':
      return not({ kind: 'port', side, from: 0, to: value });
  }
}

function negated(filter: Parsed<Filter>, operator: Operator): Parsed<Filter> {
  return isFault(filter) || operator !== '!=' ? filter : not(filter);
}

const device: PredicateWord = {
  operators: EQUALITY,
  values: ['an interface name', 'an interface index'],
  read: (value, operator, context) => {
    const index = context.deviceIndex(value.text);
    const number = index === null ? integer(value.text) : null;
    if (index === null && number === null) {
      return fault(value.at, value.text.length, `there is no interface '${value.text}'`, device.values);
    }
    // Interface 0 is "bound to none": rows carry no name then.
    const name = number === null ? value.text : number === 0 ? '' : context.deviceName(number);
    return negated({ kind: 'device', name }, operator);
  },
};

const mark: PredicateWord = {
  operators: EQUALITY,
  values: ['1', '0x01', '0x01/0xff'],
  read: (value, operator) => {
    const [number, mask, ...more] = value.text.split('/').map(integer);
    if (number === null || number === undefined || mask === null || more.length > 0 || number > 0xffffffff) {
      return fault(value.at, value.text.length, `'${value.text}' is no mark`, mark.values);
    }
    return negated({ kind: 'mark', value: number, mask: mask ?? 0xffffffff }, operator);
  },
};

const cgroup: PredicateWord = {
  operators: EQUALITY,
  values: ['a path below /sys/fs/cgroup, such as /system.slice/ssh.service'],
  read: (value, operator, context) =>
    context.cgroupId(value.text) === null
      ? fault(value.at, value.text.length, `there is no cgroup '${value.text}'`, cgroup.values)
      : negated({ kind: 'cgroup', path: value.text }, operator),
};

export const PREDICATES: ReadonlyMap<string, PredicateWord> = new Map([
  ['dst', address('peer')],
  ['src', address('local')],
  ['dport', port('peer')],
  ['sport', port('local')],
  ['dev', device],
  ['fwmark', mark],
  ['cgroup', cgroup],
]);
