/** A program of the lab, from within: orders come in, system calls are made, and everything is told. */
import { closeCall } from '../../kernel/calls.ts';
import { exitAtOnce, openDescriptors } from '../../kernel/calls-program.ts';
import { type ChildMessage, childVerbs } from './actor-child.ts';
import { createEnds } from './actor-ends.ts';
import { createRecorder } from './actor-record.ts';
import { type Names, Refused, unknown } from './actor-text.ts';
import type { Body, Verb, Verbs } from './actor-verbs.ts';
import { dataVerbs } from './actor-verbs-data.ts';
import { processVerbs } from './actor-verbs-process.ts';
import { severalVerbs } from './actor-verbs-several.ts';
import { socketVerbs } from './actor-verbs-socket.ts';
import { waitVerbs } from './actor-verbs-wait.ts';
import type { ActorOrder, FromActor } from './protocol.ts';

export interface Channel {
  send(message: FromActor | ChildMessage): void;
  /** Kept once everything that was sent has left this process. */
  sent(): Promise<void>;
  onMessage(run: (order: ActorOrder) => void): void;
}

export interface ActorSetup {
  readonly host: string;
  readonly names: Names;
  /** CLOCK_MONOTONIC at the session's start. */
  readonly start: bigint;
  /** UV_THREADPOOL_SIZE: how many calls can wait at a time. */
  readonly threads: number;
}

/** Of the environment: SOCKSCOPE_LAB_ACTOR, with numbers that JSON cannot hold as decimal digits. */
export function readSetup(text: string, threads: string | undefined): ActorSetup {
  const { host, names, start } = JSON.parse(text) as {
    host: string;
    names: Names;
    start: { monotonic: string };
  };
  return { host, names, start: BigInt(start.monotonic), threads: Number(threads ?? USUAL_THREADS) };
}

/** libuv's, when nobody says otherwise. */
const USUAL_THREADS = 4;
const NO_DESCRIPTOR = -1;

export function runActor(channel: Channel, setup: ActorSetup): void {
  const ends = createEnds();
  const recorder = createRecorder({
    host: setup.host,
    pid: process.pid,
    start: setup.start,
    threads: setup.threads,
    ends,
    onCall: (call) => channel.send({ type: 'call', call }),
  });
  const body: Body = {
    host: setup.host,
    names: setup.names,
    recorder,
    ends,
    machinery: openDescriptors(),
  };
  const single: Verbs = {
    ...socketVerbs(body),
    ...dataVerbs(body),
    ...waitVerbs(body),
    ...processVerbs(body, () => channel.sent()),
    ...childVerbs(recorder, (message) => channel.send(message)),
  };
  const verbs: Verbs = { ...single, ...severalVerbs(single) };

  async function obey({ id, method, args }: ActorOrder): Promise<void> {
    try {
      const verb: Verb | undefined = Object.hasOwn(verbs, method) ? verbs[method] : undefined;
      if (verb === undefined) {
        throw new Refused(unknown('a program', method, Object.keys(verbs)));
      }
      channel.send({ type: 'answer', id, value: await verb(...args) });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      channel.send({ type: 'refused', id, why });
    }
  }

  channel.onMessage((order) => void obey(order));
  // The pool starts all its threads with its first work, which takes milliseconds: not in the middle of a story.
  closeCall.aside([NO_DESCRIPTOR], () => channel.send({ type: 'up', pid: process.pid }));
}

/** Nobody speaks with this program any more. What still waits inside a system call ends with it. */
export function leave(): void {
  exitAtOnce(0);
}
