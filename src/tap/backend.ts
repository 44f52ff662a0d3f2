/** Where an engine runs: in a thread of its own on epoll, or in Node's loop. Both take the same orders. */
import { Worker } from 'node:worker_threads';
import { SockscopeError } from '../errors.ts';
import * as libc from '../kernel/libc.ts';
import { createNodeReactor } from '../reactor/node.ts';
import { createConsumer, createRing } from '../reactor/observations.ts';
import { clockFrom } from '../session/clock-from.ts';
import { decodeObservation } from './codec.ts';
import { createEngine, type Wants } from './engine.ts';
import { errnoText } from './errno-text.ts';
import type { Observation } from './observation.ts';
import { type Answer, type Order, obey } from './orders.ts';
import type { Resolved } from './plan.ts';
import { resolvePlace } from './resolve.ts';
import { openTable } from './table.ts';
import type { FromThread, ThreadOrder } from './thread.ts';

/** Observations that wait for the main thread, in bytes. */
const RING_BYTES = 16 * 1024 * 1024;
/** The thread counts held messages from 1; no session holds so many. */
const HELD_HERE = 1_000_000;
/** Taken in one go before the main thread does something else. */
const TAKEN_AT_ONCE = 1000;

export interface Backend {
  order(order: Order): Promise<Answer>;
  /** Everything is closed, everything that was observed is told, the thread has ended. */
  end(): Promise<void>;
}

export interface BackendOptions {
  readonly tell: (observation: Observation) => void;
  readonly wants: Wants;
  /** A recording wants every byte: the engine waits for it rather than lose one. */
  readonly patient: boolean;
  /** Connects to a listener of the led program from inside: a descriptor, or -errno. */
  readonly enter: (tap: string, host: string, port: number, done: (fd: number) => void) => void;
  readonly seed: number;
  /** CLOCK_MONOTONIC in nanoseconds when the session began: the 0 of every `at`. */
  readonly zero: number;
}

/** `entry`: the built file that calls `runThread`. */
export function startThread(
  entry: string,
  { tell, wants, patient, seed, zero, enter }: BackendOptions,
): Promise<Backend> {
  const ring = createRing(RING_BYTES);
  const consumer = createConsumer(ring);
  const workerData: ThreadOrder = { ring, patient, wants, seed, zero };
  const worker = new Worker(entry, { workerData });
  const waiting = new Map<number, (answer: Answer) => void>();
  const wakeUp = new Uint8Array(new BigUint64Array([1n]).buffer);
  let next = 0;
  let wakeFd = -1;
  let taking = false;

  function take(): void {
    taking = false;
    const taken = consumer.take(
      (record, from, to) => tell(decodeObservation(record, from, to)),
      TAKEN_AT_ONCE,
    );
    const lost = consumer.lost();
    if (lost > 0) {
      tell({ type: 'lost', at: -1, count: lost, why: 'they came faster than they could be shown' });
    }
    if (taken === TAKEN_AT_ONCE) {
      takeSoon();
    }
  }

  function takeSoon(): void {
    if (!taking) {
      taking = true;
      setImmediate(take);
    }
  }

  /** Leaving at once waits for a thread that waits in the kernel: it has to be woken. */
  function leave(): void {
    worker.postMessage({ id: next++, order: { order: 'end' } });
    libc.write(wakeFd, wakeUp, 8);
  }
  process.once('exit', leave);

  const backend: Backend = {
    order(order) {
      const id = next++;
      const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve));
      worker.postMessage({ id, order });
      libc.write(wakeFd, wakeUp, 8);
      return answered;
    },
    async end() {
      const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
      await backend.order({ order: 'end' });
      await gone;
      process.off('exit', leave);
      while (consumer.take((record, from, to) => tell(decodeObservation(record, from, to))) > 0) {}
      take();
    },
  };

  return new Promise((resolve, reject) => {
    worker.on('message', (message: FromThread) => {
      switch (message.type) {
        case 'ready':
          wakeFd = message.wakeFd;
          resolve(backend);
          break;
        case 'failed':
          reject(
            new SockscopeError(
              'REACTOR',
              `The event loop could not begin: ${errnoText(message.errno)}.`,
              'sockscope abilities says what this process may do here.',
              3,
            ),
          );
          break;
        case 'answer':
          waiting.get(message.id)?.(message.answer);
          waiting.delete(message.id);
          break;
        case 'enter': {
          const { question, tap, host, port } = message;
          enter(tap, host, port, (fd) => void backend.order({ order: 'entered', question, fd }));
          break;
        }
        case 'resolve': {
          const { question, host, port } = message;
          void addressesOf(host, port).then((addresses) =>
            backend.order({ order: 'resolved', question, addresses }),
          );
          break;
        }
        case 'told':
          takeSoon();
          break;
      }
    });
    worker.once('error', reject);
  });
}

/** Empty when there is no such name. */
async function addressesOf(host: string, port: number): Promise<Resolved> {
  const found = await resolvePlace({ kind: 'tcp', host, port, path: '' }, 'target');
  return found instanceof SockscopeError ? [] : found;
}

/** In this thread: where there is no epoll, and for TLS, which Node's own loop does. */
export function startHere({ tell, wants, seed, zero, enter }: BackendOptions): Backend {
  const reactor = createNodeReactor({ clock: clockFrom(zero) });
  const table = openTable();
  const engine = createEngine(reactor, {
    wants,
    seed,
    heldFrom: HELD_HERE,
    enter,
    resolve: (host, port, done) => void addressesOf(host, port).then(done),
    listens: (target) => table.listens(target),
    // What is told here is kept by others, and bytes are only borrowed.
    tell: (observation) =>
      tell(observation.type === 'bytes' ? { ...observation, bytes: observation.bytes.slice() } : observation),
  });
  return {
    order: (order) => new Promise((resolve) => obey(engine, order, resolve)),
    async end() {
      engine.closeAll();
      table.close();
      await reactor.close();
    },
  };
}
