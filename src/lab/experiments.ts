/** Every experiment, in the order the catalogue shows them. A file in experiments/ that is not named here is an error (scripts/check-lists.mjs). */
import type { Experiment } from './experiment.ts';

export const experiments: readonly (() => Promise<{ experiment: Experiment }>)[] = [
  () => import('./experiments/handshake.ts'),
  () => import('./experiments/close-wait.ts'),
  () => import('./experiments/port-bomb.ts'),
];
