/** Every job, by the name that `program.job` is given. A file in jobs/ that is not named here is an error (scripts/check-lists.mjs). */
import type { Job } from './job.ts';

export const jobs: Readonly<Record<string, () => Promise<{ job: Job }>>> = {
  exchange: () => import('./jobs/exchange.ts'),
  cost: () => import('./jobs/cost.ts'),
  'echo-clients': () => import('./jobs/echo-clients.ts'),
  'echo-server': () => import('./jobs/echo-server.ts'),
  'many-answers': () => import('./jobs/many-answers.ts'),
  'many-gets': () => import('./jobs/many-gets.ts'),
  'signal-handler': () => import('./jobs/signal-handler.ts'),
  'take-descriptor': () => import('./jobs/take-descriptor.ts'),
  'reuse-cells': () => import('./jobs/reuse-cells.ts'),
};
