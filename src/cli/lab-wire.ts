/** The thread of the lab that is the wire. */
import { parentPort, workerData } from 'node:worker_threads';
import type { WireThreadData } from '../lab/stage/protocol.ts';
import { createSamplers } from '../lab/wire/sampler.ts';
import { runWire } from '../lab/wire/thread.ts';

if (parentPort !== null) {
  runWire(workerData as WireThreadData, parentPort, createSamplers);
}
