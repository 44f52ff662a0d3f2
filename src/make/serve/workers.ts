/** The threads of one server, as their owner sees them. */
import { Worker } from 'node:worker_threads';
import { SockscopeError } from '../../errors.ts';
import { closeDescriptor } from '../../kernel/fd-passing.ts';
import * as libc from '../../kernel/libc.ts';
import { openListening } from '../../reactor/listening.ts';
import type { Address } from '../../reactor/reactor.ts';
import type { Access, Common, Over, TlsFiles } from './kind.ts';
import { type Counts, sumOf } from './ledger.ts';
import type { FromThread, ThreadOrder, ToThread } from './thread.ts';

export interface ServerOrder {
  readonly kind: string;
  readonly plan: unknown;
  readonly address: Address;
  readonly over: Over;
  readonly common: Common;
  readonly tls: TlsFiles | null;
  readonly workers: number;
  readonly wantsLines: boolean;
  readonly zero: number;
}

export interface ServerEars {
  /** Resolves or returns when they are shown: then more may come. */
  lines(lines: readonly Access[]): void | Promise<void>;
  say(text: string): void;
  /** A thread died of a bug. */
  broke(error: Error): void;
}

export interface RunningServer {
  readonly address: Address;
  counts(): Counts;
  /** Connections that came to their end, and those that were cut. */
  drain(): Promise<{ readonly drained: number; readonly dropped: number }>;
  /** Everything ends now. */
  close(): Promise<void>;
}

interface Thread {
  readonly address: Address;
  counts: Counts;
  readonly ended: Promise<{ readonly drained: number; readonly dropped: number }>;
  tell(order: ToThread): void;
}

/** A number: -errno of listening. `entry`: the built file that calls `runServer`. Throws what the kind refuses. */
export async function startServer(
  entry: string,
  order: ServerOrder,
  ears: ServerEars,
): Promise<RunningServer | number> {
  const reusePort = order.workers > 1;
  // With SO_REUSEPORT two servers of one user would share a port without a word.
  const alone = reusePort ? probe(order.address) : order.address;
  if (typeof alone === 'number') {
    return alone;
  }
  const first = await startThread(entry, { ...order, address: alone, reusePort }, ears);
  if (typeof first === 'number') {
    return first;
  }
  const threads = [first];
  const end = async (how: ToThread) => {
    for (const thread of threads) {
      thread.tell(how);
    }
    const all = await Promise.all(threads.map((thread) => thread.ended));
    return {
      drained: all.reduce((sum, one) => sum + one.drained, 0),
      dropped: all.reduce((sum, one) => sum + one.dropped, 0),
    };
  };
  while (threads.length < order.workers) {
    const next = await startThread(entry, { ...order, address: first.address, reusePort }, ears);
    if (typeof next === 'number') {
      await end('end');
      return next;
    }
    threads.push(next);
  }
  return {
    address: first.address,
    counts: () => sumOf(threads.map((thread) => thread.counts)),
    drain: () => end('drain'),
    close: async () => void (await end('end')),
  };
}

/** The address, with its real port, when nobody else listens there; -errno. */
function probe(address: Address): Address | number {
  const listening = openListening(address, {});
  if (typeof listening === 'number') {
    return listening;
  }
  listening.path?.remove();
  closeDescriptor(listening.fd);
  return listening.address;
}

function startThread(
  entry: string,
  { workers: _, ...order }: ServerOrder & { readonly reusePort: boolean },
  ears: ServerEars,
): Promise<Thread | number> {
  const seen = new SharedArrayBuffer(4);
  const seenCount = new Int32Array(seen);
  const workerData: ThreadOrder = { ...order, seen };
  const worker = new Worker(entry, { workerData });
  const wakeUp = new Uint8Array(new BigUint64Array([1n]).buffer);
  let wakeFd = -1;
  let thread: Thread | null = null;
  let over: (how: { drained: number; dropped: number }) => void = () => {};
  const ended = new Promise<{ drained: number; dropped: number }>((resolve) => {
    over = resolve;
  });
  const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  let result = { drained: 0, dropped: 0 };
  void gone.then(() => over(result));

  const tell = (message: ToThread): void => {
    worker.postMessage(message);
    if (wakeFd >= 0) {
      libc.write(wakeFd, wakeUp, 8);
    }
  };
  // A thread that waits in the kernel has to be woken before the process can leave.
  const leave = (): void => tell('end');
  process.once('exit', leave);
  void gone.then(() => process.off('exit', leave));

  return new Promise((resolve, reject) => {
    worker.on('message', (message: FromThread) => {
      switch (message.type) {
        case 'ready':
          wakeFd = message.wakeFd;
          thread = { address: message.address, counts: sumOf([]), ended, tell };
          resolve(thread);
          break;
        case 'failed':
          resolve(message.errno);
          break;
        case 'refused':
          reject(new SockscopeError(message.code, message.message, message.hint, 2));
          break;
        case 'lines':
          void Promise.resolve(ears.lines(message.lines)).then(() => Atomics.add(seenCount, 0, 1));
          break;
        case 'say':
          ears.say(message.text);
          break;
        case 'counts':
          if (thread !== null) {
            thread.counts = message.counts;
          }
          break;
        case 'ended':
          result = { drained: message.drained, dropped: message.dropped };
          if (thread !== null) {
            thread.counts = message.counts;
          }
          break;
      }
    });
    worker.once('error', (error) => {
      if (thread === null) {
        reject(error);
      } else {
        ears.broke(error);
      }
    });
  });
}
