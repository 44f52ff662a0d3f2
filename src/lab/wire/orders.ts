/** What the stage asks of the wire, done; what is broken on purpose is told. */
import type { Value } from '../../session/events.ts';
import type { RawEvent, WireOrder } from '../stage/protocol.ts';
import type { Cable } from './cable.ts';
import { describePath, pathFault } from './paths.ts';
import { describeRule } from './rules.ts';
import type { Samplers } from './samplers.ts';

export interface Answer {
  readonly value: Value;
  readonly why?: string;
}

const DONE: Answer = { value: true };
const ETHERNET_HEADER = 14;

const refused = (why: string): Answer => ({ value: null, why });

/** Told in `out` at `at`. `finish` is the thread's own business. */
export function obey(
  order: WireOrder,
  cable: Cable,
  samplers: Samplers,
  at: number,
  out: RawEvent[],
): Answer {
  const fault = (what: string, on: string): void => void out.push({ type: 'fault', at, what, on });
  switch (order.do) {
    case 'add':
      for (const port of order.ports) {
        cable.add(port);
      }
      if (order.sampled !== null) {
        samplers.add(order.sampled);
      }
      return DONE;
    case 'remove':
      cable.remove(order.host);
      samplers.remove(order.host);
      return DONE;
    case 'path': {
      const { path, from, to } = order;
      const wrong = pathFault(path);
      if (wrong !== null) {
        return refused(wrong);
      }
      cable.path(path, from, to);
      fault(
        describePath(path),
        from === undefined && to === undefined ? 'wire' : `${from ?? '*'} → ${to ?? '*'}`,
      );
      return DONE;
    }
    case 'rule': {
      const made = cable.rule(order.act, order.match);
      if (typeof made === 'string') {
        return refused(made);
      }
      fault(describeRule(order.act, order.match), 'wire');
      return { value: made };
    }
    case 'unrule':
    case 'release':
    case 'hits':
      return withRule(order, cable, at, out);
    case 'cut':
    case 'plug':
      cable[order.do](order.host);
      fault(order.do === 'cut' ? 'is cut' : 'is plugged in again', `cable of ${order.host}`);
      return DONE;
    case 'off':
      // What its kernel still does while it is taken apart never happened.
      samplers.remove(order.host);
      cable.off(order.host);
      fault('is switched off', order.host);
      return DONE;
    case 'inject':
      if (order.frame.length < ETHERNET_HEADER) {
        return refused('a frame has a header of 14 bytes');
      }
      cable.inject(at, order.frame, out);
      return DONE;
    case 'sample':
      samplers.sampleAll(at, out, true);
      samplers.countersDue(at, out, true);
      return DONE;
    case 'counters':
      return { value: samplers.counters(order.host) };
    case 'finish':
      return DONE;
  }
}

function withRule(
  order: Extract<WireOrder, { do: 'unrule' | 'release' | 'hits' }>,
  cable: Cable,
  at: number,
  out: RawEvent[],
): Answer {
  const rule = cable.rules.get(order.rule);
  if (rule === undefined) {
    return refused(`there is no rule ${order.rule}`);
  }
  const told = describeRule(rule.act, rule.match);
  switch (order.do) {
    case 'hits':
      return { value: rule.matcher.hits };
    case 'unrule':
      out.push({ type: 'fault', at, what: `no longer: ${told}`, on: 'wire' });
      cable.unrule(order.rule, at, out);
      return DONE;
    case 'release': {
      const count = Math.min(rule.held.length, order.count ?? Number.POSITIVE_INFINITY);
      out.push({ type: 'fault', at, what: `release ${count} held by: ${told}`, on: 'wire' });
      return { value: cable.release(order.rule, count, at, out) };
    }
  }
}
