/** The entry of a program on a lab's host: a process of its own, spoken to over Node's channel. */
import { leave, readSetup, runActor } from '../lab/stage/actor.ts';
import type { ActorOrder } from '../lab/stage/protocol.ts';

const setup = readSetup(process.env.SOCKSCOPE_LAB_ACTOR ?? '', process.env.UV_THREADPOOL_SIZE);
// What it starts need not know.
delete process.env.SOCKSCOPE_LAB_ACTOR;

let sent = Promise.resolve();
process.on('disconnect', leave);
runActor(
  {
    send(message) {
      // Messages leave in order: the last one's turn is everybody's.
      sent = new Promise((resolve) => {
        process.send?.(message, () => resolve());
      });
    },
    sent: () => sent,
    onMessage: (run) => void process.on('message', (order: ActorOrder) => run(order)),
  },
  setup,
);
