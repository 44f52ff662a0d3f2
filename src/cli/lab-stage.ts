/** The entry of the lab's stage: a process of its own. */
import { join } from 'node:path';
import { runStageProcess } from '../lab/stage/process.ts';

runStageProcess({
  actorEntry: join(__dirname, 'lab-actor.js'),
  wireEntry: join(__dirname, 'lab-wire.js'),
  traceEntry: join(__dirname, 'trace-worker.js'),
});
