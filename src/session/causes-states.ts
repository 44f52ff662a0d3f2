/** What a change of state and a failing call come from. */
import {
  type Arrival,
  type Cause,
  type End,
  endOf,
  has,
  isCloser,
  isWriter,
  type Segment,
  SOON_NS,
  STAMPS_DIFFER_NS,
} from './causes-model.ts';
import type { Event, StateChange, Syscall } from './events.ts';
import { rfcState } from './tcp-states.ts';

type Came = (segment: Segment, acksFin: boolean) => boolean;

const isSyn: Came = ({ packet }) => has(packet, 'SYN') && !has(packet, 'ACK');
const isFin: Came = ({ packet }) => has(packet, 'FIN');
const isReset: Came = ({ packet }) => isCredibleReset(packet);
const endsIt: Came = (segment, acksFin) => acksFin || isReset(segment, acksFin);

/** `from>to` → the segments that lead from one to the other (tcp-states.ts has the arrows). To CLOSED leads a reset from everywhere. */
const BY_SEGMENT: Readonly<Record<string, Came>> = {
  'LISTEN>SYN-RECV': isSyn,
  'CLOSED>SYN-RECV': isSyn,
  'SYN-SENT>SYN-RECV': isSyn,
  'SYN-SENT>ESTABLISHED': ({ packet }) => has(packet, 'SYN', 'ACK'),
  'SYN-RECV>ESTABLISHED': ({ packet, ack }) => ack !== null && ack >= 1 && !has(packet, 'RST'),
  'SYN-RECV>CLOSE-WAIT': isFin,
  'ESTABLISHED>CLOSE-WAIT': isFin,
  'FIN-WAIT-1>FIN-WAIT-2': (segment, acksFin) => acksFin && !isFin(segment, acksFin),
  'FIN-WAIT-1>CLOSING': (segment, acksFin) => !acksFin && isFin(segment, acksFin),
  'FIN-WAIT-1>TIME-WAIT': (segment, acksFin) => acksFin && isFin(segment, acksFin),
  'FIN-WAIT-2>TIME-WAIT': isFin,
  'CLOSING>TIME-WAIT': (_, acksFin) => acksFin,
  'CLOSING>CLOSED': endsIt,
  'LAST-ACK>CLOSED': endsIt,
};

const isOpener = (call: Syscall): boolean => call.name === 'connect' || isWriter(call);

const BY_CALL: Readonly<Record<string, (call: Syscall) => boolean>> = {
  'CLOSED>SYN-SENT': isOpener,
  'SYN-RECV>FIN-WAIT-1': isCloser,
  'ESTABLISHED>FIN-WAIT-1': isCloser,
  'CLOSE-WAIT>LAST-ACK': isCloser,
};

/** A close that had to reset: the RST tells that it was this and no timer. */
const BY_ABORT = ['SYN-RECV', 'ESTABLISHED', 'CLOSE-WAIT', 'FIN-WAIT-1', 'FIN-WAIT-2'];

/** Only where one single event since the last change can have done it. */
export function statesFrom(end: End): Cause[] {
  const causes: Cause[] = [];
  const fin = end.sent.find(({ packet }) => has(packet, 'FIN'));
  const arrived = walker(end.arrived);
  let since = Number.NEGATIVE_INFINITY;
  for (const change of end.states) {
    const from = rfcState(change.from);
    const to = rfcState(change.to);
    const way = `${from}>${to}`;
    const came = BY_SEGMENT[way] ?? (to === 'CLOSED' && from !== 'CLOSED' ? isReset : undefined);
    const candidates: Event[] = [];
    for (const { segment, by } of arrived(since, change.at)) {
      if (came?.(segment, fin !== undefined && segment.ack === fin.end) === true) {
        candidates.push(by);
      }
    }
    candidates.push(...calledBefore(end, way, change, since));
    const [only, ...more] = candidates;
    if (only !== undefined && more.length === 0 && change.at - lastMoment(only) <= SOON_NS) {
      causes.push({ from: only, to: change, why: 'state from' });
    }
    since = change.at;
  }
  return causes;
}

function calledBefore(end: End, way: string, change: StateChange, since: number): Syscall[] {
  const [from = '', to] = way.split('>');
  const aborts = to === 'CLOSED' && BY_ABORT.includes(from);
  const fits = BY_CALL[way] ?? (aborts ? ({ name }: Syscall) => name === 'close' : undefined);
  if (fits === undefined) {
    return [];
  }
  const called = end.calls.filter((call) => call.at <= change.at && endOf(call) > since && fits(call));
  return aborts ? called.filter((call) => hasReset(end, call.at, change.at)) : called;
}

function hasReset({ sent }: End, from: number, to: number): boolean {
  return sent.some(({ packet }) => has(packet, 'RST') && packet.at >= from && packet.at <= to);
}

/** A call may set something off at any moment until it returns. */
function lastMoment(event: Event): number {
  return event.type === 'syscall' ? endOf(event) : event.at;
}

/** Asked for one span after the other, each arrival is looked at once. */
function walker(arrived: readonly Arrival[]): (since: number, until: number) => Arrival[] {
  let next = 0;
  return (since, until) => {
    const found: Arrival[] = [];
    for (; next < arrived.length && arrived[next]!.by.at <= until; next += 1) {
      if (arrived[next]!.by.at > since) {
        found.push(arrived[next]!);
      }
    }
    return found;
  };
}

function isCredibleReset(packet: Segment['packet']): boolean {
  return (
    has(packet, 'RST') && !packet.notes.some((note) => note === 'out-of-window' || note === 'bad-checksum')
  );
}

const RESET_ERRNOS = new Set(['ECONNRESET', 'EPIPE', 'ECONNREFUSED']);

/** The first call that tells of the reset. One that the kernel did not believe looks the same, so of several only the one that closed the socket counts. */
export function errorsFrom({ calls, arrived, states }: End): Cause[] {
  const [reset, second] = arrived.filter(({ segment }) => isCredibleReset(segment.packet));
  if (reset === undefined) {
    return [];
  }
  const { at } = reset.by;
  const told = calls
    .filter(
      (call) =>
        call.errno !== undefined && RESET_ERRNOS.has(call.errno) && endOf(call) >= at - STAMPS_DIFFER_NS,
    )
    .reduce<Syscall | null>(
      (first, call) => (first === null || endOf(call) < endOf(first) ? call : first),
      null,
    );
  if (
    told === null ||
    (told.errno === 'EPIPE' && calls.some((call) => isCloser(call) && call.at <= told.at))
  ) {
    return [];
  }
  const isSecondEarly = second !== undefined && second.by.at <= endOf(told);
  if (
    isSecondEarly &&
    !states.some(({ to, at: when }) => to === 'CLOSED' && when >= at && when < second.by.at)
  ) {
    return [];
  }
  return [{ from: reset.by, to: told, why: 'error from' }];
}
