/** One message of a connection, looked at by all rules. */
import type { Spoken } from '../../wire/conversation.ts';
import { type Heard, heard } from '../../wire/heard.ts';
import type { Entry } from './line.ts';
import { add, newOrder, type Order } from './piece.ts';
import { counts, type Rule } from './rule.ts';

export interface Judging {
  readonly rules: readonly Rule[];
  readonly reveal: boolean;
  readonly now: number;
  say(what: string): void;
}

/** Null: no rule is about it. `entry`: the request that it is, or that it answers. */
export function judged(spoken: Spoken, entry: Entry | null, judging: Judging): Order | null {
  const { side } = spoken;
  const asks = spoken.message.kind === 'request';
  let order: Order | null = null;
  let said: Heard | null = null;
  for (const rule of judging.rules) {
    const { action } = rule;
    if (action.do === 'set' && action.set.about === 'request') {
      if (side === 'client' && asks && entry !== null) {
        said ??= heard(spoken, judging.reveal);
        if (rule.matches(said)) {
          entry.sets ??= [];
          entry.sets.push(action.set);
        }
      }
      continue;
    }
    if ((rule.from !== 'both' && rule.from !== side) || (!asks && entry?.met?.includes(rule) === true)) {
      continue;
    }
    said ??= heard(spoken, judging.reveal);
    if (!rule.matches(said)) {
      continue;
    }
    if (asks && entry !== null) {
      entry.met ??= [];
      entry.met.push(rule);
    }
    if (rule.counter !== null && !counts(rule.counter, judging.now)) {
      continue;
    }
    order ??= newOrder(said, entry);
    const wrong = add(order, rule);
    if (wrong !== null) {
      judging.say(wrong);
    }
  }
  if (side !== 'server' || entry === null || entry.sets === null || spoken.message.more === true) {
    return order;
  }
  said ??= heard(spoken, judging.reveal);
  for (const set of entry.sets) {
    if (set.changes(said)) {
      order ??= newOrder(said, entry);
      order.sets.push(set);
      order.by = `set ${set.text}`;
    }
  }
  return order;
}
