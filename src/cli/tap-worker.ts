/** The thread of `tap` that moves bytes. */
import { parentPort, workerData } from 'node:worker_threads';
import { runThread, type ThreadOrder } from '../tap/thread.ts';

if (parentPort !== null) {
  runThread(parentPort, workerData as ThreadOrder);
}
