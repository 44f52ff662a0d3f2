/** What a kernel knows of a socket, when it is news: a queue that stays, a timer that repeats, a window that shrinks. */
import type { Info } from '../../session/events.ts';
import type { Glyphs } from './glyphs.ts';
import { type Line, piece } from './text.ts';
import { span } from './times.ts';

export interface InfoNews {
  readonly kind: string;
  readonly line: Line;
}

interface Told {
  accept: number;
  receive: number;
  timer: string;
  window: number;
  opened: boolean;
}

/** Sockets that are remembered. */
const MOST = 8192;
/** Bytes that a program fetches so soon are not worth a word. */
export const FETCHED_SOON = 20e6;

export interface InfoWords {
  /** `fetched`: the queue is empty again a moment later. */
  news(info: Info, fetched: boolean): InfoNews[];
  listens(socket: string): void;
}

export function infoKey({ host, socket, connection, side }: Info): string {
  return socket ?? `${host}|${connection ?? ''}|${side ?? ''}`;
}

export function createInfoWords(glyphs: Glyphs, detail: boolean): InfoWords {
  const told = new Map<string, Told>();
  const listeners = new Set<string>();

  return {
    listens(socket) {
      if (listeners.size < MOST) {
        listeners.add(socket);
      }
    },
    news(info, fetched) {
      const key = infoKey(info);
      let known = told.get(key);
      if (known === undefined) {
        if (told.size >= MOST) {
          told.delete(told.keys().next().value!);
        }
        known = { accept: 0, receive: 0, timer: '', window: 0, opened: false };
        told.set(key, known);
      }
      const news: InfoNews[] = [];
      const { recvQueue, sendQueue, timer, tcp } = info;
      // Of a listener, inet_diag's queues are connections waiting for accept(2) and the limit (net/ipv4/tcp_diag.c).
      if (listeners.has(info.socket ?? '') || (info.connection === undefined && sendQueue > 0)) {
        if (recvQueue !== known.accept && !fetched) {
          known.accept = recvQueue;
          const full = recvQueue > sendQueue;
          news.push({
            kind: full ? 'accept queue full' : 'accept queue',
            line: [piece(`accept queue ${recvQueue}/${sendQueue}`, full ? 'red' : 'dim')],
          });
        }
        return news;
      }
      if (recvQueue > 0 && recvQueue !== known.receive && !fetched) {
        news.push({ kind: 'Recv-Q', line: [piece(`Recv-Q ${recvQueue}`, 'dim')] });
      }
      known.receive = recvQueue;
      const counts = timer !== undefined && timer.retransmits > 0;
      // Everything that was sent has a retransmission timer; it is news when it has run out.
      const matters = timer !== undefined && (timer.kind !== 'retransmit' || counts);
      const state = matters ? `${timer.kind} ${timer.retransmits}` : '';
      if (matters && state !== known.timer) {
        const times = counts ? ` ${glyphs.times}${timer.retransmits}` : '';
        const text = `timer ${timer.kind} ${span(timer.expiresMs * 1e6)}${times}`;
        news.push({ kind: `timer ${timer.kind}`, line: [piece(text, 'dim')] });
      }
      known.timer = state;
      if (tcp !== undefined) {
        const before = known.window;
        // A window that shrinks says that something was lost; one that grows is for those who ask.
        if (before !== 0 && (tcp.sndCwnd < before || (detail && tcp.sndCwnd !== before))) {
          const text = `cwnd ${before} ${glyphs.to} ${tcp.sndCwnd}`;
          news.push({ kind: tcp.sndCwnd < before ? 'cwnd falls' : 'cwnd grows', line: [piece(text, 'dim')] });
        }
        known.window = tcp.sndCwnd;
      }
      return news;
    },
  };
}
