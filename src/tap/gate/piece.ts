/** What was decided about a stretch of one direction's bytes, and how several decisions become one. */
import type { Heard } from '../../wire/heard.ts';
import type { Verdict } from '../control.ts';
import type { PlannedFault } from '../fault.ts';
import type { Made } from '../replies/made.ts';
import type { SetRuleParsed } from '../set/set.ts';
import type { Entry } from './line.ts';
import type { Rule } from './rule.ts';

/** What shall be done with a message that rules found. */
export interface Order {
  readonly heard: Heard;
  hold: boolean;
  delay: number;
  fate: 'go' | 'drop' | 'reply' | 'reset' | 'close' | 'stall';
  sets: SetRuleParsed[];
  over: PlannedFault[];
  made: Made | null;
  readonly entry: Entry | null;
  /** The rules' names, for the person. */
  by: string;
}

export interface Piece {
  /** Of the bytes that wait. */
  length: number;
  readonly order: Order | null;
  /** It is one message and nothing else: it can be cut out. */
  readonly whole: boolean;
  /** Our own reply, to be put in here. */
  readonly made: Made | null;
  /** Asked for, when it is held. */
  id: number;
  verdict: Verdict | null;
  delayed: boolean;
}

export function newOrder(heard: Heard, entry: Entry | null): Order {
  return { heard, hold: false, delay: 0, fate: 'go', sets: [], over: [], made: null, entry, by: '' };
}

const STRENGTH: Readonly<Record<Order['fate'], number>> = {
  go: 0,
  drop: 1,
  reply: 2,
  stall: 3,
  close: 4,
  reset: 5,
};

/** The stronger of two ends of a message wins; the first of equals. */
function ends(order: Order, fate: Order['fate']): boolean {
  if (STRENGTH[fate] <= STRENGTH[order.fate]) {
    return false;
  }
  order.fate = fate;
  return true;
}

/** Null, or why it cannot be done. */
export function add(order: Order, rule: Rule): string | null {
  const { action } = rule;
  order.by = order.by === '' ? rule.name : `${order.by}, ${rule.name}`;
  switch (action.do) {
    case 'hold':
      order.hold = true;
      return null;
    case 'delay':
      order.delay += action.nanoseconds;
      return null;
    case 'set':
      order.sets.push(action.set);
      return null;
    case 'hand over':
      order.over.push(action.fault);
      return null;
    case 'reply':
      if (order.heard.kind !== 'request' || order.heard.decoder !== action.reply.decoder) {
        return `${rule.name}: no reply to this ${order.heard.decoder} ${order.heard.kind} can be made of '${action.reply.text}'`;
      }
      if (ends(order, 'reply')) {
        order.made = action.reply.make(order.heard);
      }
      return null;
    default:
      ends(order, action.do);
      return null;
  }
}

/** For messages that cannot be told apart in the stream. */
export function merged(orders: readonly Order[]): Order {
  const all = { ...orders[0]!, sets: [...orders[0]!.sets], over: [...orders[0]!.over] };
  for (const one of orders.slice(1)) {
    all.hold ||= one.hold;
    all.delay = Math.max(all.delay, one.delay);
    all.sets.push(...one.sets);
    all.over.push(...one.over);
    all.by = `${all.by}, ${one.by}`;
    ends(all, one.fate);
  }
  return all;
}
