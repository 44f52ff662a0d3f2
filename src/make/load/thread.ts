/** The thread that makes load: an engine on epoll. An eventfd wakes it when there is an order. */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { type ThreadCpu, threadCpu } from '../../kernel/load-cpu.ts';
import { createEpollReactor } from '../../reactor/epoll.ts';
import { type SecondOver, type Stopped, startEngine } from './engine.ts';
import type { LoadPlan, Share } from './plan.ts';

export interface LoadThreadStart {
  readonly plan: LoadPlan;
  readonly share: Share;
}

export type ToLoadThread = 'stop' | 'close';

export type FromLoadThread =
  | { readonly type: 'ready'; readonly wakeFd: number }
  | { readonly type: 'failed'; readonly errno: number }
  | ({ readonly type: 'second' } & SecondOver)
  /** Its sockets stay open until it is told to close them. */
  | ({ readonly type: 'stopped'; readonly cpu: ThreadCpu } & Stopped)
  | { readonly type: 'closed' };

/** Nanoseconds, read anew each time: many answers come in one turn of the loop. */
const clock = (): number => performance.now() * 1e6;

export function runLoadThread(port: MessagePort, { plan, share }: LoadThreadStart): void {
  const say = (message: FromLoadThread): void => port.postMessage(message);
  const reactor = createEpollReactor({ clock: { now: clock } });
  if (typeof reactor === 'number') {
    say({ type: 'failed', errno: reactor });
    return;
  }
  const before = threadCpu();
  let closing = false;
  const engine = startEngine(reactor, clock, plan, share, {
    second: (over) => say({ type: 'second', ...over }),
    stopped(how) {
      const { user, system } = threadCpu();
      say({
        type: 'stopped',
        ...how,
        cpu: { user: user - before.user, system: system - before.system },
      });
    },
  });
  reactor.onWake = () => {
    for (;;) {
      const received = receiveMessageOnPort(port) as { message: ToLoadThread } | undefined;
      if (received === undefined) {
        return;
      }
      if (received.message === 'close') {
        closing = true;
      } else {
        engine.stop();
      }
    }
  };
  say({ type: 'ready', wakeFd: reactor.wakeFd });
  reactor.run(() => closing);
  engine.close();
  reactor.close();
  say({ type: 'closed' });
}
