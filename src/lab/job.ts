/** Work inside a program's process: what is too fast or too much for one call at a time. It has the kernel's calls at hand (src/kernel/calls*.ts). */
import type { RawAddress } from '../kernel/stream-sockets.ts';
import type { Value, Values } from '../wire/value.ts';

export interface Job {
  /** The value is the answer; an Error is told to the story as the sentence it carries. */
  run(options: Values, tools: JobTools): Promise<Value>;
}

export interface JobTools {
  readonly host: string;
  /** Nanoseconds since the session began. */
  now(): number;
  /** `server:80` as the kernel wants it; AF_INET for `*` unless told otherwise. */
  address(text: string, family?: number): RawAddress;
  /** Puts a system call that the job has made into the session. A job of thousands records those that matter. */
  record(call: JobCall): void;
}

export interface JobCall {
  readonly name: string;
  readonly args: readonly Value[];
  readonly at: number;
  readonly took: number;
  /** What the call in src/kernel returned: its result, or -errno. */
  readonly result: number;
  readonly fd?: number;
}
