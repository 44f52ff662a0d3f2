/** The entry of the stage of `tap -- CMD`: a process of its own, and in it the thread of the wire. */
import { isMainThread, workerData } from 'node:worker_threads';
import { runStage } from '../tap/program/stage.ts';
import { runWireThread } from '../tap/program/wire-thread.ts';

if (isMainThread) {
  void runStage(__filename);
} else {
  runWireThread(workerData);
}
