/** The thread of `run`, and of whatever else traces: it sits in wait4 and never comes back to its event loop. */
import { parentPort, workerData } from 'node:worker_threads';
import type { TracerData } from '../watch/syscalls/protocol.ts';
import { runTracer } from '../watch/syscalls/tracer.ts';

runTracer(workerData as TracerData, (message) => parentPort?.postMessage(message));
