/** A thread of `serve`. */
import { parentPort, workerData } from 'node:worker_threads';
import { runServer, type ThreadOrder } from '../make/serve/thread.ts';

if (parentPort !== null) {
  void runServer(parentPort, workerData as ThreadOrder);
}
