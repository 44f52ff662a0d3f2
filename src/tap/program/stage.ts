/**
 * The process between sockscope and the program: it makes the two namespaces, starts the program in one of them and ends what is left
 * of it. Its main thread lives in the program's namespace, because what it starts lives where it lives; the wire has a thread of its own.
 */
import { rmSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { closeOnExec, receiveMessage, sendMessage } from '../../kernel/fd-passing.ts';
import { inhabitants, namespaceOfDescriptor } from '../../kernel/program-owner.ts';
import { type ProgramProcess, STAGE_BELL, STAGE_CHANNEL, spawnProgram } from '../../kernel/spawn-program.ts';
import {
  createWake,
  namespaceHere,
  newNamespace,
  ringBell,
  waitingFor,
  wake,
} from '../../kernel/transparent.ts';
import { decode, encode, type FromStage, type Order, type ToStage } from './messages.ts';
import { prepareFarSide, prepareProgramSide, type Step } from './sides.ts';
import { FINISH, type FromWire, PROGRAM, WISH, type WireOrder } from './wire-thread.ts';

/** How long a program may take to end when it is asked to. */
const ENDING_MS = 2000;
const ORDER_MS = 10_000;

export async function runStage(entry: string): Promise<void> {
  closeOnExec(STAGE_CHANNEL);
  closeOnExec(STAGE_BELL);
  // From the terminal they reach the program too, and it decides what they mean.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) {
    process.on(signal, () => {});
  }
  const [command, ...args] = process.argv.slice(2);
  const order = awaitOrder();
  if (order === null || command === undefined) {
    process.exit(1);
  }
  const made = makeNamespaces(order);
  if ('step' in made) {
    tell({ type: 'failed', ...made });
    process.exit(1);
  }
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const wireOrder: WireOrder = {
    ...made,
    parent: STAGE_CHANNEL,
    bell: STAGE_BELL,
    wake: createWake(),
    own: order.addresses,
    shared,
  };
  const wire = new Worker(entry, { workerData: wireOrder });
  const heard = hear(wire);
  const first = await heard.ready;
  if (first.type === 'failed') {
    tell({ type: 'failed', ...first.step });
    process.exit(1);
  }
  const namespace = namespaceOfDescriptor(made.programSide);
  const program = spawnProgram({
    command,
    args,
    environment: { ...process.env, ...order.environment },
    user: order.user,
  });
  Atomics.store(shared, PROGRAM, program.pid ?? 0);
  heard.attend(program, () => end(namespace, 'SIGTERM'));
  tell({ type: 'started', pid: program.pid ?? 0, namespace });
  const { code, signal } = await exitOf(program);
  await endOthers(namespace);
  Atomics.store(shared, WISH, FINISH);
  wake(wireOrder.wake);
  await heard.finished;
  tell({ type: 'exited', code, signal });
  if (heard.alone()) {
    rmSync(order.folder, { recursive: true, force: true });
  }
  process.exit(0);
}

function tell(message: FromStage): void {
  sendMessage(STAGE_CHANNEL, encode(message));
  ringBell(STAGE_BELL);
}

function awaitOrder(): Order | null {
  if (waitingFor([STAGE_CHANNEL], new Set()).wait(ORDER_MS) <= 0) {
    return null;
  }
  const message = receiveMessage(STAGE_CHANNEL);
  if (message === null || typeof message === 'number') {
    return null;
  }
  const order = decode<ToStage>(message.bytes);
  return order?.type === 'order' ? order : null;
}

function makeNamespaces(order: Order): { farSide: number; programSide: number } | Step {
  const far = newNamespace();
  const farTrouble = far < 0 ? { step: 'a network namespace', errno: -far } : prepareFarSide();
  if (farTrouble !== null) {
    return farTrouble;
  }
  const farSide = namespaceHere();
  const here = newNamespace();
  const trouble = here < 0 ? { step: 'a network namespace', errno: -here } : prepareProgramSide(order);
  return trouble ?? { farSide, programSide: namespaceHere() };
}

interface Heard {
  readonly ready: Promise<FromWire & { type: 'ready' | 'failed' }>;
  readonly finished: Promise<void>;
  alone(): boolean;
  attend(program: ProgramProcess, onAlone: () => void): void;
}

function hear(wire: Worker): Heard {
  const { promise: ready, resolve: isReady } = deferred<FromWire & { type: 'ready' | 'failed' }>();
  const { promise: finished, resolve: isFinished } = deferred<void>();
  const early: NodeJS.Signals[] = [];
  let kill = (signal: NodeJS.Signals): void => void early.push(signal);
  let alone = false;
  let whenAlone = (): void => {};
  wire.on('message', (message: FromWire) => {
    switch (message.type) {
      case 'ready':
      case 'failed':
        isReady(message);
        break;
      case 'kill':
        kill(message.signal);
        break;
      case 'alone':
        alone = true;
        whenAlone();
        break;
      case 'finished':
        isFinished();
        break;
    }
  });
  wire.on('error', (error) => {
    tell({ type: 'trouble', text: `the wire broke: ${error.stack ?? error.message}` });
    isReady({ type: 'failed', step: { step: 'the wire', errno: 5 } });
    isFinished();
    whenAlone();
  });
  return {
    ready,
    finished,
    alone: () => alone,
    attend(program, onAlone) {
      kill = program.kill;
      early.forEach(kill);
      whenAlone = onAlone;
      if (alone) {
        onAlone();
      }
    },
  };
}

function deferred<T>(): { promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function exitOf(program: ProgramProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve) => {
    program.onExit((code, signal) => resolve({ code, signal }));
    program.onError((error) => {
      tell({ type: 'trouble', text: error.message });
      resolve({ code: 127, signal: null });
    });
  });
}

function others(namespace: number): number[] {
  return inhabitants(namespace).filter((pid) => pid !== process.pid);
}

/** Asks all that live in the namespace to end, and does not ask again. */
function end(namespace: number, signal: NodeJS.Signals): void {
  for (const pid of others(namespace)) {
    try {
      process.kill(pid, signal);
    } catch {
      // gone already
    }
  }
  if (signal !== 'SIGKILL') {
    setTimeout(() => end(namespace, 'SIGKILL'), ENDING_MS).unref();
  }
}

/** What the program left behind would sit in a network that leads nowhere any more. */
async function endOthers(namespace: number): Promise<void> {
  if (others(namespace).length > 0) {
    end(namespace, 'SIGTERM');
  }
  const giveUp = performance.now() + 2 * ENDING_MS;
  while (others(namespace).length > 0 && performance.now() < giveUp) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
