/** Rules: what is done to frames before they set out. Each sees the frames that those before it let pass. */
import { createRandom } from '../../session/random.ts';
import type { Headers } from '../../wire/headers.ts';
import type { Act, Match } from '../api.ts';
import type { Leg } from './leg.ts';
import { createMatcher, describeMatch, type Matcher } from './match.ts';

export interface Held {
  readonly leg: Leg;
  readonly since: number;
}

export interface CableRule {
  readonly id: number;
  readonly act: Act;
  readonly match: Match;
  readonly matcher: Matcher;
  readonly held: Held[];
  /** 0 ≤ n < 1: which bit. */
  readonly random: () => number;
}

export type Verdict =
  | { readonly what: 'pass' }
  | { readonly what: 'drop'; readonly why: string }
  | { readonly what: 'hold'; readonly why: string; readonly by: CableRule };

const MOST_DELAY_MS = 3_600_000;

export function createRule(id: number, act: Act, match: Match, seed: number): CableRule | string {
  if (act.do === 'delay' && !(act.ms >= 0 && act.ms <= MOST_DELAY_MS)) {
    return `a rule delays by 0 to ${MOST_DELAY_MS} ms, not ${act.ms}`;
  }
  const matcher = createMatcher(match, seed, id);
  return typeof matcher === 'string'
    ? matcher
    : { id, act, match, matcher, held: [], random: createRandom(seed, 'bit', id) };
}

/** Every rule in turn until one takes the frame away. */
export function judge(rules: Iterable<CableRule>, leg: Leg, headers: Headers): Verdict {
  for (const rule of rules) {
    if (!rule.matcher.meets(headers, leg.from, leg.to.host)) {
      continue;
    }
    const { act } = rule;
    switch (act.do) {
      case 'drop':
        return { what: 'drop', why: `rule: ${rule.matcher.describe()}` };
      case 'hold':
        return { what: 'hold', why: `rule: ${rule.matcher.describe()}`, by: rule };
      case 'duplicate':
        leg.copies++;
        break;
      case 'delay':
        leg.late += act.ms * 1e6;
        leg.notes.push(`${act.ms} ms late`);
        break;
      case 'corrupt':
        corrupt(leg, headers, rule.random());
        break;
    }
  }
  return { what: 'pass' };
}

/** In the payload; where there is none in the transport's header, and where there is no transport behind the link header. */
function corrupt(leg: Leg, h: Headers, chance: number): void {
  const all = { from: Math.min(14, leg.frame.length - 1), to: leg.frame.length };
  const transport = h.transportAt >= 0 ? { from: h.transportAt - h.from, to: h.netEnd - h.from } : all;
  const payload =
    h.payloadEnd > h.payloadAt && h.payloadAt >= 0
      ? { from: h.payloadAt - h.from, to: h.payloadEnd - h.from }
      : transport;
  const place = payload.to > payload.from && payload.to <= leg.frame.length ? payload : all;
  const bit = Math.floor(chance * 8 * (place.to - place.from));
  const at = place.from + (bit >> 3);
  // Others have the same bytes: the event that tells of the frame, and its copies.
  leg.frame = leg.frame.slice();
  leg.frame[at]! ^= 1 << (bit & 7);
  leg.notes.push(`corrupted: bit ${bit & 7} of byte ${at} flipped`);
}

/** `drop the 3rd A from client` */
export function describeRule(act: Act, match: Match): string {
  const what = describeMatch(match);
  return act.do === 'delay' ? `delay ${what} by ${act.ms} ms` : `${act.do} ${what}`;
}
