/** What every view of the wire shares: where it writes, how it names ends, and what it leaves out. */
import { type Out, putText } from '../../wire/bytes-out.ts';
import type { DisplayFilter } from '../../wire/display/filter.ts';
import type { Owner, Subject } from '../../wire/display/subject.ts';
import type { Flow } from '../../wire/flows.ts';
import type { Heard } from '../../wire/heard.ts';
import type { Lane, LaneSink } from '../../wire/lane.ts';
import type { Painter } from '../colour.ts';
import type { WallClock } from './wall-clock.ts';

export interface WireContext {
  readonly out: Out;
  readonly paint: Painter;
  readonly clock: WallClock;
  readonly filter: DisplayFilter | null;
  /** Secrets as they are. */
  readonly reveal: boolean;
  /** Who holds an end, where that is known. */
  readonly owner: (flow: Flow, end: 0 | 1) => Owner | null;
  /** The interface of the packet at hand, '' where there is only one. */
  readonly device: () => string;
  /** Lines after which nothing more is shown; null for no end. */
  readonly limit: number | null;
}

export interface WireView extends LaneSink {
  /** True when the limit is reached: nothing more will be shown. */
  readonly done: boolean;
  /** After the last packet; what is still to be said goes to `out`. */
  finish(lane: Lane): void;
}

export function append(out: Out, text: string): void {
  putText(out, text, Number.POSITIVE_INFINITY);
}

export function ownerText(owner: Owner | null): string {
  return owner === null ? '' : `${owner.program}[${owner.pid}]`;
}

const NONE: readonly Heard[] = [];

/** Whether the context's filter lets something pass; one subject object for all questions. */
export function judge(
  context: WireContext,
): (lane: Lane | null, flow: Flow | null, messages: readonly Heard[]) => boolean {
  const { filter } = context;
  if (filter === null) {
    return () => true;
  }
  const subject: Subject = {
    lane: null,
    flow: null,
    messages: NONE,
    message: null,
    owners: (flow) => [context.owner(flow, 0), context.owner(flow, 1)].filter((one) => one !== null),
  };
  return (lane, flow, messages) => {
    subject.lane = lane;
    subject.flow = flow;
    subject.messages = messages;
    return filter.matches(subject);
  };
}
