/** The thread of the lab that is the wire. */
import { type MessagePort, workerData } from 'node:worker_threads';
import type { WireThreadData } from '../lab/stage/protocol.ts';
import { createSamplers } from '../lab/wire/sampler.ts';
import { runWire } from '../lab/wire/thread.ts';
import { createWitnesses } from '../lab/wire/traced-samplers.ts';

const { port, ...data } = workerData as WireThreadData & { readonly port: MessagePort };
runWire(data, port, () => createWitnesses(createSamplers(), data));
