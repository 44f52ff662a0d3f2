/** The thread that moves bytes: an engine on epoll. Orders wake it, observations leave through a ring. */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { createEpollReactor } from '../reactor/epoll.ts';
import { createProducer } from '../reactor/observations.ts';
import { clockFrom } from '../session/clock-from.ts';
import { encodeObservation } from './codec.ts';
import { createEngine, type Wants } from './engine.ts';
import { type Answer, type Order, obey } from './orders.ts';
import type { Resolved } from './plan.ts';
import { openTable } from './table.ts';

export interface ThreadOrder {
  readonly ring: SharedArrayBuffer;
  /** A recording wants every byte: the thread waits rather than lose one. */
  readonly patient: boolean;
  readonly wants: Wants;
  readonly seed: number;
  readonly zero: number;
}

export interface Numbered {
  readonly id: number;
  readonly order: Order;
}

export type FromThread =
  /** An eventfd: writing to it makes the thread read its orders. */
  | { readonly type: 'ready'; readonly wakeFd: number }
  | { readonly type: 'failed'; readonly errno: number }
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answer }
  /** A name to look up: only Node's own loop can. */
  | { readonly type: 'resolve'; readonly question: number; readonly host: string; readonly port: number }
  /** Somebody outside wants to talk to the led program. */
  | {
      readonly type: 'enter';
      readonly question: number;
      readonly tap: string;
      readonly host: string;
      readonly port: number;
    }
  /** The ring is no longer empty. */
  | { readonly type: 'told' };

export function runThread(port: MessagePort, { ring, patient, wants, seed, zero }: ThreadOrder): void {
  const say = (message: FromThread): void => port.postMessage(message);
  const reactor = createEpollReactor({ clock: clockFrom(zero) });
  if (typeof reactor === 'number') {
    say({ type: 'failed', errno: reactor });
    return;
  }
  const producer = createProducer(ring, { patient, wake: () => say({ type: 'told' }) });
  const table = openTable();
  const asked = new Map<number, (addresses: Resolved) => void>();
  const entering = new Map<number, (fd: number) => void>();
  let questions = 0;
  const engine = createEngine(reactor, {
    wants,
    seed,
    heldFrom: 0,
    listens: (target) => table.listens(target),
    resolve(host, port, done) {
      asked.set(++questions, done);
      say({ type: 'resolve', question: questions, host, port });
    },
    enter(tap, host, port, done) {
      entering.set(++questions, done);
      say({ type: 'enter', question: questions, tap, host, port });
    },
    tell(observation) {
      const record = encodeObservation(observation);
      if (!producer.put(record, 0, record.length) && observation.type === 'held') {
        // Nobody will ever hear of it, so nobody could let it go.
        reactor.soon(() => engine.release(observation.id, { verdict: 'go' }));
      }
    },
  });
  let ended = false;
  const obeyAll = (): void => {
    for (;;) {
      const received = receiveMessageOnPort(port) as { message: Numbered } | undefined;
      if (received === undefined) {
        return;
      }
      const { id, order } = received.message;
      if (order.order === 'resolved') {
        asked.get(order.question)?.(order.addresses);
        asked.delete(order.question);
      }
      if (order.order === 'entered') {
        entering.get(order.question)?.(order.fd);
        entering.delete(order.question);
      }
      obey(engine, order, (answer) => say({ type: 'answer', id, answer }));
      ended ||= order.order === 'end';
    }
  };
  reactor.onWake = obeyAll;
  say({ type: 'ready', wakeFd: reactor.wakeFd });
  reactor.run(() => ended);
  reactor.close();
  table.close();
}
