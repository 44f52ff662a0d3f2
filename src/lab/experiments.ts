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
  // data
  // loss
  // ports
  () => import('./experiments/port-bomb.ts'),
  // udp
  // processes
  // programs
];
