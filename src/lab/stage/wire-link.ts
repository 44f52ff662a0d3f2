/** The main thread's end of the wire: orders go out, each is answered; what was seen comes in batches. */
import { MessageChannel, Worker } from 'node:worker_threads';
import { SockscopeError } from '../../errors.ts';
import { createWake, wake } from '../../kernel/transparent.ts';
import type { Value } from '../../session/events.ts';
import type { Path } from '../api.ts';
import type { FromWireThread, RawEvent, Start, Tracing, WireOrder, WireThreadData } from './protocol.ts';

type OrderOf<O> = O extends { readonly id: number } ? Omit<O, 'id'> : never;
export type WireWish = OrderOf<WireOrder>;

export interface WireLink {
  ready: Promise<Tracing>;
  /** What it answered; rejects with its reason where it refused. */
  order(wish: WireWish): Promise<Value>;
  /** A program has made a system call: look at what the kernels think now. */
  look(): void;
  /** Ends the thread after it has told everything. */
  finish(): Promise<void>;
}

export interface WireLinkWish {
  readonly entry: string;
  readonly start: Start;
  readonly seed: number;
  readonly path: Path;
  readonly trace: boolean;
  readonly hosts: Readonly<Record<string, string>>;
  onEvents(events: readonly RawEvent[]): void;
  onBroken(why: string): void;
}

interface Waiting {
  resolve(value: Value): void;
  reject(error: Error): void;
}

export function startWire(wish: WireLinkWish): WireLink {
  const bell = createWake();
  const { start, seed, path, trace, hosts } = wish;
  const data: WireThreadData = { start, seed, wake: bell, path, trace, hosts };
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(wish.entry, { workerData: { ...data, port: port2 }, transferList: [port2] });
  const waiting = new Map<number, Waiting>();
  let next = 1;
  let ended = false;
  let isReady: (tracing: Tracing) => void = () => {};
  let isNot: (error: Error) => void = () => {};
  const ready = new Promise<Tracing>((resolve, reject) => {
    isReady = resolve;
    isNot = reject;
  });

  function broke(why: string): void {
    ended = true;
    isNot(new Error(why));
    for (const { reject } of waiting.values()) {
      reject(new Error(why));
    }
    waiting.clear();
  }

  port1.on('message', (message: FromWireThread) => {
    switch (message.type) {
      case 'ready':
        isReady(message.tracing);
        break;
      case 'failed':
        broke(`${message.step} failed (errno ${message.errno})`);
        break;
      case 'batch':
        wish.onEvents(message.events);
        break;
      case 'done': {
        const one = waiting.get(message.id);
        waiting.delete(message.id);
        if (message.why === undefined) {
          one?.resolve(message.value);
        } else {
          one?.reject(
            new SockscopeError(
              'LAB_WIRE',
              `The wire refuses: ${message.why}${message.why.endsWith('?') ? '' : '.'}`,
              'See docs/lab.md.',
              2,
            ),
          );
        }
        break;
      }
    }
  });
  worker.on('error', (error) => {
    broke(`the wire broke: ${error.stack ?? error.message}`);
    wish.onBroken(error.stack ?? error.message);
  });

  function order(wanted: WireWish): Promise<Value> {
    if (ended) {
      return Promise.reject(new Error('the wire has ended'));
    }
    const id = next;
    next += 1;
    const answer = new Promise<Value>((resolve, reject) => waiting.set(id, { resolve, reject }));
    port1.postMessage({ ...wanted, id });
    wake(bell);
    return answer;
  }

  return {
    ready,
    order,
    look: () => wake(bell),
    async finish() {
      if (!ended) {
        await order({ do: 'finish' });
        ended = true;
      }
      port1.close();
      await worker.terminate();
    },
  };
}
