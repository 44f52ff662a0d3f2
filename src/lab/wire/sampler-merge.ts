/**
 * Two witnesses of one thing: the kernel's trace tells every change at its moment, but calls a socket CLOSED that lives on as a
 * TIME-WAIT or FIN-WAIT-2 remnant, and knows nothing of requests; looks at the socket table see those, and miss what is quick.
 * Here each change is told once. Pure.
 */
import type { TracedChange } from '../../kernel/state-trace.ts';
import { endpointText, plainAddress } from '../../session/connection.ts';
import { type SocketState, TCP_STATES } from '../../session/socket.ts';
import type { RawEvent, RawState, RawTuple } from '../stage/protocol.ts';

export interface Merge {
  /**
   * `sampled`: what a look gave that began at `at`, at the hosts named in `looked`. `traced`: what the trace gave when it was read
   * after that look, so that it reaches further. Sampled events that are not changes of state are passed on.
   */
  take(
    traced: readonly TracedChange[],
    sampled: readonly RawEvent[],
    looked: readonly string[],
    at: number,
    out: RawEvent[],
  ): void;
}

interface Step {
  readonly at: number;
  readonly to: SocketState;
}

/** One pair of ends on one host, through all the connections that use it. */
interface History {
  readonly key: string;
  readonly host: string;
  readonly tuple: RawTuple;
  /** What has been told, and what the last look saw. */
  told: SocketState;
  seen: SocketState;
  /** The cookie, as soon as a look has seen it. */
  socket: string;
  /** What was traced and no look has seen yet. */
  readonly ahead: Step[];
  /** Closed, says the trace; the next look will show whether a remnant is left. */
  held: number | null;
}

/** From these a socket may leave a remnant behind (tcp_minisocks.c, tcp_time_wait). */
const LEAVES_REMNANT: readonly SocketState[] = ['FIN-WAIT-1', 'FIN-WAIT-2', 'CLOSING'];

/** A change is traced before it is made (inet_sk_state_store), and whoever makes it may be interrupted in between. */
const UNSURE = 2e6;

/** `hostOf`: whose address it is, null when nobody's here. */
export function createMerge(hostOf: (address: string) => string | null): Merge {
  const histories = new Map<string, History>();
  /** Those that the next look may decide. */
  const open = new Set<History>();
  /** A connecting socket's first record, which comes before it has a port; by the socket's address. */
  const portless = new Map<string, TracedChange>();
  let out: RawEvent[] = [];

  function historyOf(host: string, tuple: RawTuple): History {
    const key = `${host} ${endpointText(tuple.local)} ${endpointText(tuple.peer)}`;
    let history = histories.get(key);
    if (history === undefined) {
      history = { key, host, tuple, told: 'CLOSED', seen: 'CLOSED', socket: '', ahead: [], held: null };
      histories.set(key, history);
    }
    return history;
  }

  function tell(history: History, to: SocketState, at: number, source: RawState['source']): void {
    const { host, socket, tuple, told: from } = history;
    if (from !== to) {
      out.push({ type: 'state', at, host, socket, tuple, from, to, source });
      history.told = to;
    }
  }

  /** It was the end; `until` then looks may still have seen a remnant. */
  function release(history: History, until: number): void {
    if (history.held !== null) {
      tell(history, 'CLOSED', history.held, 'traced');
      history.ahead.push({ at: until, to: 'CLOSED' });
      history.held = null;
    }
  }

  function traced(change: TracedChange): void {
    const host = hostOf(plainAddress(change.local.address));
    const to = TCP_STATES[change.to];
    if (host === null || to === undefined) {
      return;
    }
    if (change.local.port === 0 && to === 'SYN-SENT') {
      portless.set(change.sk, change);
      return;
    }
    const history = historyOf(host, { protocol: 'tcp', local: change.local, peer: change.peer });
    const first = portless.get(change.sk);
    portless.delete(change.sk);
    if (first !== undefined && change.from === first.to) {
      advance(history, 'CLOSED', 'SYN-SENT', first.at);
    }
    // A child is made as a copy of its listener.
    const copied = TCP_STATES[change.from] === 'LISTEN' && change.peer.port !== 0;
    advance(history, copied ? 'CLOSED' : TCP_STATES[change.from], to, change.at);
  }

  function advance(history: History, from: SocketState | undefined, to: SocketState, at: number): void {
    open.add(history);
    if (from !== undefined && to === 'CLOSED' && LEAVES_REMNANT.includes(from)) {
      history.held = at;
      return;
    }
    release(history, at);
    // What begins where something else was known ends it; but a request becomes its own child.
    if (from === 'CLOSED' && history.told !== to) {
      if (history.told !== 'CLOSED') {
        tell(history, 'CLOSED', at, 'traced');
        history.ahead.push({ at, to: 'CLOSED' });
      }
      history.socket = '';
    }
    tell(history, to, at, 'traced');
    history.ahead.push({ at, to });
  }

  function sampled(change: RawState): void {
    if (change.to === 'SYN-SENT') {
      name(change);
    }
    const history = historyOf(change.host, change.tuple);
    const { ahead } = history;
    const { to } = change;
    open.add(history);
    history.seen = to;
    if (to !== 'CLOSED') {
      history.socket = change.socket;
    }
    const before = ahead.findLastIndex((step) => step.to === to && step.at < change.at);
    const known = before >= 0 ? before : ahead.findIndex((step) => step.to === to);
    const replaced =
      to === 'TIME-WAIT' ? ahead.findIndex((step) => step.to === 'CLOSED' && step.at >= change.at) : -1;
    if (known >= 0) {
      ahead.splice(0, known + 1);
    } else if (to === 'CLOSED' && history.held !== null) {
      release(history, change.at);
      ahead.length = 0;
    } else if (replaced >= 0) {
      // A remnant whose place has been taken since.
      ahead.splice(0, replaced);
    } else {
      tell(history, to, to === 'TIME-WAIT' ? (history.held ?? change.at) : change.at, 'sampled');
      history.held = null;
      ahead.length = 0;
    }
  }

  /** A look knows the port of a socket whose first record lacks it, if only one can be meant. */
  function name({ host, tuple }: RawState): void {
    const fitting = [...portless.values()].filter(
      ({ local, peer }) =>
        hostOf(plainAddress(local.address)) === host &&
        local.address === tuple.local.address &&
        endpointText(peer) === endpointText(tuple.peer),
    );
    if (fitting.length === 1) {
      portless.delete(fitting[0]!.sk);
      advance(historyOf(host, tuple), 'CLOSED', 'SYN-SENT', fitting[0]!.at);
    }
  }

  /** The look saw everything that had happened when it began, or nearly so. */
  function settle(history: History, at: number): void {
    const { ahead } = history;
    while (ahead.length > 0 && ahead[0]!.at < at - UNSURE) {
      ahead.shift();
    }
    if (history.held !== null && history.held < at) {
      if (history.seen === 'CLOSED') {
        release(history, at);
        ahead.length = 0;
      } else {
        history.held = null;
      }
    }
    if (ahead.length === 0 && history.held === null) {
      tell(history, history.seen, at, 'sampled');
      open.delete(history);
      if (history.seen === 'CLOSED') {
        histories.delete(history.key);
      }
    }
  }

  return {
    take(changes, events, looked, at, into) {
      out = into;
      for (const change of changes) {
        traced(change);
      }
      for (const event of events) {
        if (event.type === 'state') {
          sampled(event);
        } else {
          out.push(event);
        }
      }
      for (const history of open) {
        if (looked.includes(history.host)) {
          settle(history, at);
        }
      }
      out = [];
    },
  };
}
