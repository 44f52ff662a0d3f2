/** Fault names as people write them, and what holds when they say no more. */

import { nearMisses } from '../session/near.ts';
import type { Fault, PlannedFault } from './fault.ts';
import { faultNamed, faults } from './faults.ts';
import { messageFaults } from './message-faults.ts';

const ALIASES: Readonly<Record<string, string>> = { delay: 'latency' };

/** They would make little sense in one direction. */
const BOTH_WAYS: ReadonlySet<string> = new Set(['noop', 'blackhole', 'unplug', 'refuse', 'accept-delay']);

/** `slow_close` and `slow-close` are one. */
export function faultWritten(word: string): Fault | undefined {
  const name = word.toLowerCase().replaceAll('_', '-');
  const meant = Object.hasOwn(ALIASES, name) ? ALIASES[name]! : name;
  return faultNamed(meant) ?? messageFaults.find((fault) => fault.name === meant);
}

export function unknownFault(word: string): string {
  const names = [...faults, ...messageFaults].map(({ name }) => name);
  const near = nearMisses(word, [...names, ...Object.keys(ALIASES)]);
  const meant = near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '.';
  return `there is no fault ${word}${meant} There are: ${names.join(', ')}`;
}

export function isMessageFault(fault: Fault): boolean {
  return messageFaults.includes(fault);
}

/** Without a direction: a fault that waits for a message waits for one of either side; otherwise what the server sends. */
export function usualStream(fault: string, hasWhen: boolean): PlannedFault['stream'] {
  return hasWhen || BOTH_WAYS.has(fault) ? 'both' : 'downstream';
}

/** What it is called unless it is given a name. */
export function usualName(fault: string, stream: PlannedFault['stream']): string {
  return `${fault}_${stream}`;
}
