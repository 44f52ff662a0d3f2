/** State names as ss, lsof and netstat spell them, and the sets ss has names for. */
import { TCP_STATES } from '../../session/socket.ts';

function bits(...states: (typeof TCP_STATES)[number][]): number {
  return states.reduce((mask, state) => mask | (1 << TCP_STATES.indexOf(state)), 0);
}

export const ALL_STATES = (1 << TCP_STATES.length) - 1;

/** Half-open requests appear under two numbers; people know one name. */
const SYN_RECV = bits('SYN-RECV', 'NEW-SYN-RECV');
const IDLE = bits('CLOSED', 'LISTEN', 'BOUND-INACTIVE');

const SINGLE: Record<string, number> = {
  unknown: bits('UNKNOWN'),
  established: bits('ESTABLISHED'),
  estab: bits('ESTABLISHED'),
  synsent: bits('SYN-SENT'),
  synrecv: SYN_RECV,
  synrcv: SYN_RECV,
  synrcvd: SYN_RECV,
  synreceived: SYN_RECV,
  newsynrecv: SYN_RECV,
  finwait1: bits('FIN-WAIT-1'),
  finwait2: bits('FIN-WAIT-2'),
  timewait: bits('TIME-WAIT'),
  closed: bits('CLOSED'),
  close: bits('CLOSED'),
  unconnected: bits('CLOSED'),
  unconn: bits('CLOSED'),
  closewait: bits('CLOSE-WAIT'),
  lastack: bits('LAST-ACK'),
  listen: bits('LISTEN'),
  listening: bits('LISTEN'),
  closing: bits('CLOSING'),
  boundinactive: bits('BOUND-INACTIVE'),
};

const GROUPS: Record<string, number> = {
  all: ALL_STATES,
  connected: ALL_STATES & ~IDLE,
  synchronized: ALL_STATES & ~(IDLE | bits('SYN-SENT')),
  bucket: SYN_RECV | bits('TIME-WAIT'),
  big: ALL_STATES & ~(SYN_RECV | bits('TIME-WAIT')),
};

/** What an error offers. */
export const STATE_NAMES = [
  'established',
  'syn-sent',
  'syn-recv',
  'fin-wait-1',
  'fin-wait-2',
  'time-wait',
  'closed',
  'close-wait',
  'last-ack',
  'listening',
  'closing',
  'bound-inactive',
] as const;
export const GROUP_NAMES = Object.keys(GROUPS);

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, '');
}

/** One state, `close-wait`, `CLOSE_WAIT` or `closewait`. */
export function stateMask(name: string): number | undefined {
  const key = plain(name);
  return Object.hasOwn(SINGLE, key) ? SINGLE[key] : undefined;
}

export function stateOrGroupMask(name: string): number | undefined {
  const key = name.toLowerCase();
  return Object.hasOwn(GROUPS, key) ? GROUPS[key] : stateMask(name);
}
