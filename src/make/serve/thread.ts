/** One server in a thread of its own. Orders wake it, lines and numbers leave as messages. */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { SockscopeError } from '../../errors.ts';
import { createEpollReactor } from '../../reactor/epoll.ts';
import { createNodeReactor } from '../../reactor/node.ts';
import type { Address, Reactor } from '../../reactor/reactor.ts';
import { clockFrom } from '../../session/clock-from.ts';
import type { Access, AnyKind, Common, Engine, Over, TlsFiles } from './kind.ts';
import { kinds } from './kinds.ts';
import { type Counts, createLedger, type Ledger } from './ledger.ts';
import { openNodeHost } from './node-host.ts';
import { openRawHost, type RunningHost } from './raw-host.ts';
import { secureListener } from './secure-listener.ts';

export interface ThreadOrder {
  readonly kind: string;
  readonly plan: unknown;
  readonly address: Address;
  readonly over: Over;
  readonly common: Common;
  readonly tls: TlsFiles | null;
  readonly reusePort: boolean;
  readonly wantsLines: boolean;
  /** Batches of lines that were shown: one Int32. */
  readonly seen: SharedArrayBuffer;
  readonly zero: number;
}

export type ToThread = 'drain' | 'end';

export type FromThread =
  | { readonly type: 'ready'; readonly wakeFd: number; readonly address: Address }
  | { readonly type: 'failed'; readonly errno: number }
  | { readonly type: 'refused'; readonly code: string; readonly message: string; readonly hint: string }
  | { readonly type: 'lines'; readonly lines: readonly Access[] }
  | { readonly type: 'say'; readonly text: string }
  | { readonly type: 'counts'; readonly counts: Counts }
  | { readonly type: 'ended'; readonly drained: number; readonly dropped: number; readonly counts: Counts };

const COUNTS_MS = 250;
const MS = 1e6;

export async function runServer(port: MessagePort, order: ThreadOrder): Promise<void> {
  const kind = (await kinds.find((one) => one.name === order.kind)!.load()).kind;
  const engine = kind.engine?.(order.plan, order.over) ?? (kind.raw === undefined ? 'node' : 'raw');
  if (engine !== 'raw' || order.tls !== null) {
    await runInNode(port, order, kind, engine);
    return;
  }
  runOnEpoll(port, order, kind);
}

function ledgerOf(
  port: MessagePort,
  { common, wantsLines, seen, zero }: ThreadOrder,
  later: (ms: number, run: () => void) => void,
): Ledger {
  const clock = clockFrom(zero);
  return createLedger({
    common,
    wantsLines,
    seen: new Int32Array(seen),
    now: () => clock.now(),
    later,
    lines: (lines) => port.postMessage({ type: 'lines', lines } satisfies FromThread),
    say: (text) => port.postMessage({ type: 'say', text } satisfies FromThread),
  });
}

/** The thread waits in the kernel, and reads its orders when it is woken. */
function runOnEpoll(port: MessagePort, order: ThreadOrder, kind: AnyKind): void {
  const say = (message: FromThread): void => port.postMessage(message);
  const reactor = createEpollReactor({ clock: clockFrom(order.zero) });
  if (typeof reactor === 'number') {
    void runInNode(port, order, kind, 'raw');
    return;
  }
  const ledger = ledgerOf(port, order, (ms, run) => void reactor.after(ms * MS, run));
  const host = openRawHost(order.address, order.over, {
    kind,
    plan: order.plan,
    ledger,
    reactor,
    reusePort: order.reusePort,
    listenSecurely: null,
  });
  if (typeof host === 'number') {
    say({ type: 'failed', errno: host });
    reactor.close();
    return;
  }
  let ended = false;
  const end = (drained: number, dropped: number): void => {
    ended = true;
    ledger.flush();
    say({ type: 'ended', drained, dropped, counts: ledger.counts() });
  };
  reactor.onWake = () => {
    for (;;) {
      const received = receiveMessageOnPort(port) as { message: ToThread } | undefined;
      if (received === undefined) {
        return;
      }
      if (received.message === 'drain') {
        host.drain(({ drained, dropped }) => end(drained, dropped));
      } else if (!ended) {
        host.close();
        end(0, 0);
      }
    }
  };
  const tellCounts = (): void => {
    say({ type: 'counts', counts: ledger.counts() });
    reactor.after(COUNTS_MS * MS, tellCounts);
  };
  tellCounts();
  say({ type: 'ready', wakeFd: reactor.wakeFd, address: host.address });
  reactor.run(() => ended);
  reactor.close();
}

async function runInNode(
  port: MessagePort,
  order: ThreadOrder,
  kind: AnyKind,
  engine: Engine,
): Promise<void> {
  const say = (message: FromThread): void => port.postMessage(message);
  const ledger = ledgerOf(port, order, (ms, run) => void setTimeout(run, ms));
  let reactor: (Reactor & { close(): Promise<void> }) | null = null;
  let host: RunningHost | number;
  try {
    if (engine === 'node') {
      host = await openNodeHost(order.address, { ...order, kind, ledger });
    } else {
      const loop = createNodeReactor({ clock: clockFrom(order.zero) });
      reactor = loop;
      const { tls, address, common, reusePort } = order;
      host = openRawHost(address, order.over, {
        kind,
        plan: order.plan,
        ledger,
        reactor: loop,
        reusePort: false,
        listenSecurely:
          tls === null ? null : secureListener(address, { tls, common, reusePort, say: ledger.house.say }),
      });
    }
  } catch (error) {
    if (!(error instanceof SockscopeError)) {
      throw error;
    }
    const { code, message, hint } = error;
    say({ type: 'refused', code, message, hint });
    port.close();
    return;
  }
  if (typeof host === 'number') {
    say({ type: 'failed', errno: host });
    port.close();
    return;
  }
  const running = host;
  let ended = false;
  const counting = setInterval(() => say({ type: 'counts', counts: ledger.counts() }), COUNTS_MS);
  const end = (drained: number, dropped: number): void => {
    if (!ended) {
      ended = true;
      clearInterval(counting);
      ledger.flush();
      say({ type: 'ended', drained, dropped, counts: ledger.counts() });
      void reactor?.close();
      port.close();
    }
  };
  port.on('message', (message: ToThread) => {
    if (message === 'drain') {
      running.drain(({ drained, dropped }) => end(drained, dropped));
    } else {
      running.close();
      end(0, 0);
    }
  });
  say({ type: 'ready', wakeFd: -1, address: running.address });
}
