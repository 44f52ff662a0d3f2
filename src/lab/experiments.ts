/** Every experiment, in the order the catalogue shows them. A file in experiments/ that is not named here is an error (scripts/check-lists.mjs). */
import type { Experiment } from './experiment.ts';

export const experiments: readonly (() => Promise<{ experiment: Experiment }>)[] = [
  // opening
  () => import('./experiments/handshake.ts'),
  // closing
  () => import('./experiments/close-wait.ts'),
  // errors
  () => import('./experiments/puzzler-1.ts'),
  () => import('./experiments/puzzler-2.ts'),
  () => import('./experiments/puzzler-3.ts'),
  // queues
  () => import('./experiments/syn-queue.ts'),
  () => import('./experiments/syn-cookies.ts'),
  () => import('./experiments/accept-queue.ts'),
  () => import('./experiments/abort-on-overflow.ts'),
  // data
  () => import('./experiments/zero-window.ts'),
  // loss
  // ports
  () => import('./experiments/port-bomb.ts'),
  // udp
  () => import('./experiments/udp-refused.ts'),
  () => import('./experiments/udp-truncation.ts'),
  () => import('./experiments/udp-overflow.ts'),
  () => import('./experiments/udp-loss.ts'),
  // processes
  // programs
];
