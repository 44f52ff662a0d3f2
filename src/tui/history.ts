/** One connection's figures over time, kept while its pane is open. Pure; bounded. */
import type { Socket, TcpInfo } from '../session/socket.ts';
import type { Sample } from '../view/sparkline.ts';

/** Ten minutes at one reading a second; older samples fall off. */
export const HISTORY_LIMIT = 600;

export const TRACKS = [
  'rtt',
  'cwnd',
  'delivery',
  'sent',
  'received',
  'retransmits',
  'unacked',
  'recvQueue',
  'sendQueue',
  'accept',
] as const;
export type Track = (typeof TRACKS)[number];

export interface History {
  cookie: string;
  samples: Record<Track, readonly Sample[]>;
  last: { at: number; socket: Socket } | null;
}

export function emptyHistory(cookie: string): History {
  const samples = Object.fromEntries(TRACKS.map((track) => [track, [] as Sample[]])) as Record<
    Track,
    Sample[]
  >;
  return { cookie, samples, last: null };
}

/** What a counter gained; unknown at first, and when it ran backwards. */
function gained(before: TcpInfo | undefined, now: TcpInfo | undefined, name: keyof TcpInfo): Sample {
  const from = before?.[name];
  const to = now?.[name];
  return typeof from === 'number' && typeof to === 'number' && to >= from ? to - from : null;
}

/** `at` in milliseconds on any steady clock. A null socket is a moment at which it was not to be seen. */
export function remember(history: History, at: number, socket: Socket | null): History {
  const tcp = socket?.tcp;
  const before = history.last?.socket.tcp;
  const seconds = history.last === null ? 0 : (at - history.last.at) / 1000;
  const perSecond = (bytes: Sample): Sample => (bytes === null || seconds <= 0 ? null : bytes / seconds);
  const queues = socket !== null && socket.accept === undefined;
  const now: Record<Track, Sample> = {
    rtt: tcp !== undefined && tcp.rttUs > 0 ? tcp.rttUs : null,
    cwnd: tcp?.sndCwnd ?? null,
    delivery: tcp?.deliveryRate ?? null,
    sent: perSecond(gained(before, tcp, 'bytesAcked')),
    received: perSecond(gained(before, tcp, 'bytesReceived')),
    retransmits: gained(before, tcp, 'totalRetrans'),
    unacked: tcp?.unacked ?? null,
    recvQueue: queues ? socket.recvQueue : null,
    sendQueue: queues ? socket.sendQueue : null,
    accept: socket?.accept?.used ?? null,
  };
  const samples = { ...history.samples };
  for (const track of TRACKS) {
    samples[track] = [...history.samples[track], now[track]].slice(-HISTORY_LIMIT);
  }
  return { cookie: history.cookie, samples, last: socket === null ? history.last : { at, socket } };
}
