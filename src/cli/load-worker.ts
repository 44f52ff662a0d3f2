/** A thread of `load`: one that makes requests, or the listener of the port bomb. */
import { parentPort, workerData } from 'node:worker_threads';
import { type DoorStart, runDoor } from '../make/load/door.ts';
import { type LoadThreadStart, runLoadThread } from '../make/load/thread.ts';

const start = workerData as LoadThreadStart | { readonly door: DoorStart };
if (parentPort !== null) {
  if ('door' in start) {
    runDoor(parentPort, start.door);
  } else {
    runLoadThread(parentPort, start);
  }
}
