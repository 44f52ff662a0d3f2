/** `watch --live`: the thread that reads packets feeds the screen; the screen's end is that thread's end. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { SockscopeError } from '../errors.ts';
import type { Batch } from '../view/wire/screen-rows.ts';
import type { Waker } from '../watch/live.ts';
import { decoders, vocabulary } from '../wire/app/decoders.ts';
import { warn } from './output.ts';
import type { FromWorker, Taken, WatchOrder } from './watch-order.ts';

type Told<T extends FromWorker['type']> = Extract<FromWorker, { type: T }>;

type Add = (batch: Batch) => void;
type Say = (text: string) => void;

interface Capture {
  /** Resolves when the rings are open; rejects when they were refused. */
  readonly ready: Promise<Told<'ready'>>;
  /** Resolves when the thread has ended; rejects when it failed. */
  readonly ended: Promise<void>;
  readonly summary: () => Told<'summary'> | null;
  /** Batches that came before are handed over at once. */
  readonly attach: (add: Add, say: Say) => void;
}

export async function watchScreen(
  order: WatchOrder,
  waker: Waker,
  summary: (message: Told<'summary'>) => string,
): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new SockscopeError(
      'NOT_A_TERMINAL',
      'The live screen needs a terminal, and input or output is not one.',
      'Run it in a terminal, or leave out --live; --json is for scripts.',
      2,
    );
  }
  // Loaded while the rings are being opened: ink takes longer.
  const face = import('../tui/wire.tsx');
  const capture = startCapture(order);
  const { interfaces } = await capture.ready;
  const { watchWire } = await face;
  try {
    await watchWire({
      interfaces,
      captureWords: order.captureWords,
      displayWords: order.wish.display,
      recording: order.write ?? '',
      view: order.wish.what === 'messages' ? 'messages' : 'packets',
      vocabulary: vocabulary(decoders),
      attach: capture.attach,
      ended: capture.ended,
    });
  } finally {
    waker.wake();
    await capture.ended;
    waker.close();
  }
  const told = capture.summary();
  if (told !== null) {
    warn(summary(told));
  }
}

function startCapture(order: WatchOrder): Capture {
  const worker = new Worker(join(__dirname, 'watch-worker.js'), { workerData: order });
  const taken: Taken = 'taken';
  const early: Batch[] = [];
  let add: Add = (batch) => early.push(batch);
  let say: Say = () => {};
  let summary: Told<'summary'> | null = null;
  const ended = new Promise<void>((resolve, reject) => {
    worker.once('error', reject).once('exit', () => resolve());
  });
  const ready = new Promise<Told<'ready'>>((resolve, reject) => {
    worker.on('message', (message: FromWorker) => {
      switch (message.type) {
        case 'ready':
          resolve(message);
          break;
        case 'batch':
          add(message.batch);
          worker.postMessage(taken);
          break;
        case 'note':
          say(message.text);
          break;
        case 'refused':
          reject(new SockscopeError(message.code, message.text, message.hint, message.exit));
          break;
        case 'summary':
          summary = message;
          break;
      }
    });
    ended.catch(reject);
  });
  return {
    ready,
    ended,
    summary: () => summary,
    attach(adding, saying) {
      add = adding;
      say = saying;
      early.splice(0).forEach(add);
    },
  };
}
