/** Every experiment, in the order the catalogue shows them. A file in experiments/ that is not named here is an error (scripts/check-lists.mjs). */
import type { Experiment } from './experiment.ts';

export const experiments: readonly (() => Promise<{ experiment: Experiment }>)[] = [
  // opening
  () => import('./experiments/handshake.ts'),
  () => import('./experiments/simultaneous-open.ts'),
  () => import('./experiments/self-connect.ts'),
  () => import('./experiments/lost-handshake-ack.ts'),
  () => import('./experiments/fast-open.ts'),
  // closing
  () => import('./experiments/normal-close.ts'),
  () => import('./experiments/half-close.ts'),
  () => import('./experiments/time-wait.ts'),
  () => import('./experiments/close-wait.ts'),
  () => import('./experiments/fin-wait-2.ts'),
  () => import('./experiments/simultaneous-close.ts'),
  () => import('./experiments/linger-zero.ts'),
  () => import('./experiments/unread-data-reset.ts'),
  () => import('./experiments/write-after-close.ts'),
  () => import('./experiments/graceful-shutdown.ts'),
  // errors
  () => import('./experiments/puzzler-1.ts'),
  () => import('./experiments/puzzler-2.ts'),
  () => import('./experiments/puzzler-3.ts'),
  () => import('./experiments/keepalive.ts'),
  () => import('./experiments/user-timeout.ts'),
  () => import('./experiments/refused-filtered-unreachable.ts'),
  // queues
  () => import('./experiments/syn-queue.ts'),
  () => import('./experiments/syn-cookies.ts'),
  () => import('./experiments/accept-queue.ts'),
  () => import('./experiments/abort-on-overflow.ts'),
  // data
  () => import('./experiments/zero-window.ts'),
  () => import('./experiments/nagle-delayed-ack.ts'),
  () => import('./experiments/cork.ts'),
  () => import('./experiments/slow-start.ts'),
  () => import('./experiments/urgent-data.ts'),
  // loss
  () => import('./experiments/fast-retransmit.ts'),
  () => import('./experiments/reorder-sack.ts'),
  () => import('./experiments/mtu-black-hole.ts'),
  // ports
  () => import('./experiments/port-bomb.ts'),
  () => import('./experiments/port-bomb-pooled.ts'),
  () => import('./experiments/reuse.ts'),
  () => import('./experiments/reuseport-balance.ts'),
  () => import('./experiments/most-specific.ts'),
  () => import('./experiments/two-protocols-one-port.ts'),
  // udp
  () => import('./experiments/udp-refused.ts'),
  () => import('./experiments/udp-truncation.ts'),
  () => import('./experiments/udp-overflow.ts'),
  () => import('./experiments/udp-loss.ts'),
  // processes
  () => import('./experiments/fd-leak.ts'),
  () => import('./experiments/too-many-open-files.ts'),
  () => import('./experiments/exec.ts'),
  () => import('./experiments/signals.ts'),
  () => import('./experiments/exit-status.ts'),
  () => import('./experiments/listener-leaked-to-child.ts'),
  () => import('./experiments/thundering-herd.ts'),
  () => import('./experiments/multiplex.ts'),
  // programs
  () => import('./experiments/keep-alive-race.ts'),
  () => import('./experiments/pooled-vs-unpooled.ts'),
];
