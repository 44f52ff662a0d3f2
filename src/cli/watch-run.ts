/** The main thread of `watch`: it starts the thread that reads the ring and waits for it, for Ctrl-C, and for the end. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { SockscopeError } from '../errors.ts';
import { several } from '../view/units.ts';
import { createWaker, interfaceNames } from '../watch/live.ts';
import { isTerminal, paint, print, warn, width } from './output.ts';
import type { FromWorker, WatchFlags, WatchOrder } from './watch-order.ts';
import { wireFilter } from './wire-filter.ts';
import type { WireWish } from './wire-options.ts';

export function listInterfaces(): void {
  print(`any\n${interfaceNames().join('\n')}\n`);
}

export async function runWatch(words: string, wish: WireWish, flags: WatchFlags): Promise<void> {
  const filter = wireFilter(words, { linkType: 'network', kernel: true }, 'capture');
  checkWish(wish, flags, filter.kind === 'display');
  const waker = createWaker();
  const order: WatchOrder = {
    wish: { ...wish, display: filter.kind === 'display' ? filter.text : '' },
    captureWords: filter.kind === 'capture' ? filter.text : '',
    interfaces: flags.interface ?? [],
    write: flags.write ?? null,
    // A recording is enough by itself; with a view asked for, both.
    quietRecording: flags.write !== undefined && flags.live !== true && !asksForView(flags),
    owners: flags.owners,
    promiscuous: flags.promiscuous === true,
    snapLength: flags.snaplen,
    ringBytes: flags.buffer * 1024 * 1024,
    blockTimeoutMs: Math.max(1, flags.blockTimeout),
    wake: waker.fd,
    colour: paint.bold('x') !== 'x',
    width: isTerminal() ? width() : null,
    screen: flags.live === true,
  };
  if (flags.live === true) {
    const { watchScreen } = await import('./watch-screen.ts');
    return watchScreen(order, waker, (message) => summary(message, order));
  }
  const worker = new Worker(join(__dirname, 'watch-worker.js'), { workerData: order });
  await attend(worker, waker.wake, order);
  waker.close();
}

function checkWish(wish: WireWish, flags: WatchFlags, filtered: boolean): void {
  const view = flags.live === true || asksForView(flags);
  if (wish.what === 'follow' && filtered) {
    throw new SockscopeError(
      'FOLLOW_FILTER',
      '--follow shows all that one connection said; a display filter has no say in it.',
      "Leave the filter out, or give tcpdump's words: port 5432.",
      2,
    );
  }
  if (flags.write !== undefined && filtered && !view) {
    throw new SockscopeError(
      'WRITE_FILTER',
      'A recording holds what the kernel hands over, and what messages say is not known there.',
      "Give tcpdump's words (port 6379), or record everything and filter when you open it; with -m as well, the filter is for what is shown.",
      2,
    );
  }
  if (flags.write === '-' && view) {
    throw new SockscopeError(
      'WRITE_OUTPUT',
      'Standard output cannot take both the recording and what is to be shown.',
      'Record into a file.',
      2,
    );
  }
}

function asksForView(flags: WatchFlags): boolean {
  return (
    flags.messages === true ||
    flags.connections === true ||
    flags.stats === true ||
    flags.json === true ||
    flags.fields !== undefined ||
    flags.follow !== undefined ||
    flags.verbose === true ||
    flags.hex === true ||
    flags.hexText === true ||
    flags.ascii === true
  );
}

function attend(worker: Worker, wake: () => void, order: WatchOrder): Promise<void> {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) {
      process.exit(signal === 'SIGINT' ? 130 : 143);
    }
    stopping = true;
    wake();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  return new Promise((resolve, reject) => {
    worker.on('message', (message: FromWorker) => {
      switch (message.type) {
        case 'ready':
          if (isTerminal() || order.write !== null) {
            warn(paint.dim(`watching ${message.interfaces.join(', ')}; Ctrl-C ends it`));
          }
          break;
        case 'note':
          warn(paint.dim(message.text));
          break;
        case 'refused':
          reject(new SockscopeError(message.code, message.text, message.hint, message.exit));
          break;
        case 'summary':
          if (isTerminal() || order.write !== null || message.lost > 0) {
            warn(summary(message, order));
          }
          break;
      }
    });
    worker.once('error', reject);
    worker.once('exit', () => resolve());
  });
}

function summary(message: Extract<FromWorker, { type: 'summary' }>, { write }: WatchOrder): string {
  const lost =
    message.lost === 0
      ? '0 lost'
      : paint.red(`${several(message.lost, 'packet')} lost: a larger --buffer or a filter helps`);
  const saved = write === null ? '' : `, written to ${write}`;
  return `${several(message.packets, 'packet')}${saved}, ${lost}`;
}
