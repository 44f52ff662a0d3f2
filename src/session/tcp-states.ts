/**
 * The states of a TCP connection and what leads from one to the next: RFC 9293 section 3.3.2 (figure 5) and 3.10, and what Linux does
 * beside it. `docs/tcp-states.md` is written from this table.
 */
import type { SocketState } from './socket.ts';

export const RFC_STATES = [
  'CLOSED',
  'LISTEN',
  'SYN-SENT',
  'SYN-RECV',
  'ESTABLISHED',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'CLOSE-WAIT',
  'CLOSING',
  'LAST-ACK',
  'TIME-WAIT',
] as const satisfies readonly SocketState[];
export type TcpState = (typeof RFC_STATES)[number];

export const TCP_EVENTS = [
  'passive open',
  'active open',
  'send',
  'close',
  'abort',
  'close with unread data',
  'rcv SYN',
  'rcv SYN, as a listener’s child',
  'rcv SYN,ACK',
  'rcv ACK of SYN',
  'rcv ACK of a cookie',
  'rcv FIN',
  'rcv ACK of FIN',
  'rcv FIN,ACK of FIN',
  'rcv FIN, too many in TIME-WAIT',
  'rcv ACK of FIN, too many in TIME-WAIT',
  'rcv RST',
  'rcv RST after active open',
  'rcv data after close',
  'rcv ICMP error',
  'user timeout',
  'orphan timeout',
  'timeout 2MSL',
] as const;
export type TcpEvent = (typeof TCP_EVENTS)[number];

export interface Arrow {
  readonly from: TcpState;
  readonly on: TcpEvent;
  readonly to: TcpState;
  readonly sends?: string;
  /** Where it is written: in the figure, in the text of RFC 9293, or in Linux alone. */
  readonly by: 'figure' | 'text' | 'linux';
  /** The section, or what Linux does and where. */
  readonly where: string;
}

type Row = readonly [on: TcpEvent, to: TcpState, sends: string, where: string];

const FIGURE: Readonly<Record<TcpState, readonly Row[]>> = {
  CLOSED: [
    ['passive open', 'LISTEN', '', '3.10.1'],
    ['active open', 'SYN-SENT', 'SYN', '3.10.1'],
  ],
  LISTEN: [
    ['rcv SYN', 'SYN-RECV', 'SYN,ACK', '3.10.7.2'],
    ['send', 'SYN-SENT', 'SYN', '3.10.2'],
    ['close', 'CLOSED', '', '3.10.4'],
  ],
  'SYN-SENT': [
    ['rcv SYN,ACK', 'ESTABLISHED', 'ACK', '3.10.7.3'],
    ['rcv SYN', 'SYN-RECV', 'SYN,ACK', '3.10.7.3, simultaneous open'],
    ['close', 'CLOSED', '', '3.10.4'],
  ],
  'SYN-RECV': [
    ['rcv ACK of SYN', 'ESTABLISHED', '', '3.10.7.4'],
    ['close', 'FIN-WAIT-1', 'FIN', '3.10.4'],
    ['rcv RST', 'LISTEN', '', 'note 1 of the figure: after a passive open'],
  ],
  ESTABLISHED: [
    ['close', 'FIN-WAIT-1', 'FIN', '3.10.4'],
    ['rcv FIN', 'CLOSE-WAIT', 'ACK', '3.10.7.4'],
  ],
  'FIN-WAIT-1': [
    ['rcv ACK of FIN', 'FIN-WAIT-2', '', '3.10.7.4'],
    ['rcv FIN', 'CLOSING', 'ACK', '3.10.7.4, simultaneous close'],
    ['rcv FIN,ACK of FIN', 'TIME-WAIT', 'ACK', 'note 2 of the figure'],
  ],
  'FIN-WAIT-2': [['rcv FIN', 'TIME-WAIT', 'ACK', '3.10.7.4']],
  'CLOSE-WAIT': [['close', 'LAST-ACK', 'FIN', '3.10.4']],
  CLOSING: [['rcv ACK of FIN', 'TIME-WAIT', '', '3.10.7.4']],
  'LAST-ACK': [['rcv ACK of FIN', 'CLOSED', '', '3.10.7.4']],
  'TIME-WAIT': [['timeout 2MSL', 'CLOSED', '', '3.10.8']],
};

const ABORT = ['abort', 'CLOSED', 'RST', '3.10.5'] as const;
const QUIET_ABORT = ['abort', 'CLOSED', '', '3.10.5'] as const;
const RESET = ['rcv RST', 'CLOSED', '', '3.10.7.4'] as const;
const GIVES_UP = ['user timeout', 'CLOSED', '', '3.10.8'] as const;

const TEXT: Readonly<Record<TcpState, readonly Row[]>> = {
  CLOSED: [],
  LISTEN: [QUIET_ABORT],
  'SYN-SENT': [
    ['rcv RST', 'CLOSED', '', '3.10.7.3: it must acknowledge the SYN'],
    ['rcv ICMP error', 'CLOSED', '', '3.9.2.2: hard errors'],
    QUIET_ABORT,
    GIVES_UP,
  ],
  'SYN-RECV': [
    ['rcv RST after active open', 'CLOSED', '', '3.10.7.4'],
    ['rcv FIN', 'CLOSE-WAIT', 'ACK', '3.10.7.4'],
    ABORT,
    GIVES_UP,
  ],
  ESTABLISHED: [RESET, ABORT, GIVES_UP],
  'FIN-WAIT-1': [RESET, ABORT, GIVES_UP],
  'FIN-WAIT-2': [RESET, ABORT, GIVES_UP],
  'CLOSE-WAIT': [RESET, ABORT, GIVES_UP],
  CLOSING: [RESET, QUIET_ABORT, GIVES_UP],
  'LAST-ACK': [RESET, QUIET_ABORT, GIVES_UP],
  'TIME-WAIT': [
    RESET,
    QUIET_ABORT,
    ['rcv SYN', 'SYN-RECV', 'SYN,ACK', '3.6.1 (MAY-2), RFC 6191: with a newer timestamp or a higher number'],
  ],
};

const UNREAD = [
  'close with unread data',
  'CLOSED',
  'RST',
  'what was received and not read is lost, and the peer is told (RFC 2525 2.17; tcp_close)',
] as const;
const ORPHAN_DATA = [
  'rcv data after close',
  'CLOSED',
  'RST',
  'nobody is there to read it any more (tcp_rcv_state_process)',
] as const;
const TOO_MANY = 'tcp_max_tw_buckets is reached (tcp_time_wait)';

const LINUX: Readonly<Record<TcpState, readonly Row[]>> = {
  CLOSED: [
    [
      'rcv SYN, as a listener’s child',
      'SYN-RECV',
      'SYN,ACK',
      'the listener stays in LISTEN; a request socket of its own answers, a socket follows with the ACK',
    ],
    [
      'rcv ACK of a cookie',
      'ESTABLISHED',
      '',
      'with SYN cookies nothing was kept in between (tcp_syncookies)',
    ],
  ],
  LISTEN: [],
  'SYN-SENT': [],
  'SYN-RECV': [['rcv RST', 'CLOSED', '', 'the request goes, the listener was never away (tcp_check_req)']],
  ESTABLISHED: [UNREAD],
  'FIN-WAIT-1': [
    UNREAD,
    ORPHAN_DATA,
    ['rcv FIN, too many in TIME-WAIT', 'CLOSED', 'ACK', TOO_MANY],
    ['orphan timeout', 'CLOSED', '', 'tcp_orphan_retries, or too many orphans (tcp_out_of_resources)'],
  ],
  'FIN-WAIT-2': [
    UNREAD,
    ORPHAN_DATA,
    ['rcv FIN, too many in TIME-WAIT', 'CLOSED', 'ACK', TOO_MANY],
    ['orphan timeout', 'CLOSED', '', 'tcp_fin_timeout or TCP_LINGER2, only when no program holds it'],
  ],
  'CLOSE-WAIT': [UNREAD],
  CLOSING: [
    ['rcv ACK of FIN, too many in TIME-WAIT', 'CLOSED', '', TOO_MANY],
    ['orphan timeout', 'CLOSED', '', 'tcp_orphan_retries'],
  ],
  'LAST-ACK': [['orphan timeout', 'CLOSED', '', 'tcp_orphan_retries']],
  'TIME-WAIT': [
    [
      'active open',
      'SYN-SENT',
      'SYN',
      'its port is taken again for a new connection (tcp_tw_reuse, RFC 6191)',
    ],
  ],
};

/** In the order of RFC_STATES, the figure first, then the text, then Linux. */
export const ARROWS: readonly Arrow[] = RFC_STATES.flatMap((from) => [
  ...arrowsOf(from, 'figure', FIGURE),
  ...arrowsOf(from, 'text', TEXT),
  ...arrowsOf(from, 'linux', LINUX),
]);

function arrowsOf(
  from: TcpState,
  by: Arrow['by'],
  rows: Readonly<Record<TcpState, readonly Row[]>>,
): Arrow[] {
  return rows[from].map(([on, to, sends, where]) => ({
    from,
    on,
    to,
    ...(sends === '' ? {} : { sends }),
    by,
    where,
  }));
}

/** The state of the RFC that a kernel's state is, or null: of other protocols, or not known. */
export function rfcState(state: SocketState): TcpState | null {
  switch (state) {
    case 'NEW-SYN-RECV':
      return 'SYN-RECV';
    case 'BOUND-INACTIVE':
      return 'CLOSED';
    case 'UNKNOWN':
      return null;
    default:
      return state;
  }
}

/** What an event does in a state; nothing when the list is empty. Where Linux does otherwise than the RFC, both are in the list. */
export function step(state: TcpState, event: TcpEvent): readonly Arrow[] {
  return ARROWS.filter((arrow) => arrow.from === state && arrow.on === event);
}

/** One event leads from one state to the other, by the RFC or on Linux. Staying is no step. */
export function isLegal(from: SocketState, to: SocketState): boolean {
  const [one, other] = [rfcState(from), rfcState(to)];
  return ARROWS.some((arrow) => arrow.from === one && arrow.to === other);
}

const OVER: readonly TcpState[] = ['CLOSED', 'LISTEN', 'TIME-WAIT'];

/**
 * The shortest way of one connection from a state to another, both included; null when there is none. What comes
 * after CLOSED, LISTEN or TIME-WAIT is another connection, so none leads on from there unless it begins there. Where ways are equally long, the figure's is taken.
 */
export function path(from: SocketState, to: SocketState): TcpState[] | null {
  const [start, end] = [rfcState(from), rfcState(to)];
  if (start === null || end === null) {
    return null;
  }
  const cameFrom = new Map<TcpState, TcpState | null>([[start, null]]);
  const waiting: TcpState[] = [start];
  for (const state of waiting) {
    if (state === end) {
      return wayTo(state, cameFrom);
    }
    const isOver = state !== start && OVER.includes(state);
    for (const arrow of ARROWS) {
      if (arrow.from === state && !cameFrom.has(arrow.to) && !(isOver && arrow.to !== 'CLOSED')) {
        cameFrom.set(arrow.to, state);
        waiting.push(arrow.to);
      }
    }
  }
  return null;
}

function wayTo(end: TcpState, cameFrom: ReadonlyMap<TcpState, TcpState | null>): TcpState[] {
  const way: TcpState[] = [];
  for (let state: TcpState | null = end; state !== null; state = cameFrom.get(state) ?? null) {
    way.unshift(state);
  }
  return way;
}
