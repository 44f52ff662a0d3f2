/** What every view of the wire shares: where it writes, how it names ends, and what it leaves out. */
import type { SockscopeError } from '../../errors.ts';
import { type Out, putText } from '../../wire/bytes-out.ts';
import type { Spoken } from '../../wire/conversation.ts';
import type { DisplayFilter } from '../../wire/display/filter.ts';
import type { Owner, Subject } from '../../wire/display/subject.ts';
import type { Flow } from '../../wire/flows.ts';
import { type Heard, heard } from '../../wire/heard.ts';
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
  /** Cells of a line of the terminal; absent or null where lines are as long as they are: a pipe, a file. */
  readonly width?: number | null;
}

export interface WireView extends LaneSink {
  /** True when the limit is reached: nothing more will be shown. */
  readonly done: boolean;
  /** After the last packet; what is still to be said goes to `out`. */
  finish(lane: Lane): void;
  /** After `finish`: what was asked for and is not there. */
  complaint?(): SockscopeError | null;
}

export function append(out: Out, text: string): void {
  putText(out, text, Number.POSITIVE_INFINITY);
}

export function ownerText(owner: Owner | null): string {
  return owner === null ? '' : `${owner.program}[${owner.pid}]`;
}

/** Which connections have said something that the filter lets pass: asked when they end, when their messages are gone. */
export function spokenFor(context: WireContext): {
  hear(spoken: Spoken, flow: Flow): void;
  matches(flow: Flow): boolean;
} {
  const matches = judge(context);
  const passed = new WeakSet<Flow>();
  const needed = context.filter?.needsMessages === true;
  return {
    hear(spoken, flow) {
      if (needed && !passed.has(flow) && matches(null, flow, [heard(spoken, context.reveal)])) {
        passed.add(flow);
      }
    },
    matches: (flow) => passed.has(flow) || matches(null, flow, []),
  };
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
