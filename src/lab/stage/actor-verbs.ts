/** What the verbs of a program share. */
import { fcntlCall } from '../../kernel/calls.ts';
import { F_GETFL, NONBLOCK } from '../../kernel/calls-flags.ts';
import type { Value } from '../../wire/value.ts';
import type { Ends } from './actor-ends.ts';
import type { Recorder } from './actor-record.ts';
import { type Names, Refused, within } from './actor-text.ts';

/** Answers what the story gets; throws `Refused` with the sentence when there is nothing to answer. */
export type Verb = (...args: readonly unknown[]) => Promise<unknown>;
export type Verbs = Readonly<Record<string, Verb>>;

export interface Body {
  readonly host: string;
  readonly names: Names;
  readonly recorder: Recorder;
  readonly ends: Ends;
  /** Descriptors of the process's own machinery: its channel, its event loop. */
  readonly machinery: ReadonlySet<number>;
}

export const EAGAIN = -11;
const LARGEST_INT = 0x7fff_ffff;

/** Any number will do, open or not: EBADF is an answer. Only what keeps this process alive is out of reach. */
export function descriptor(body: Body, given: unknown): number {
  const fd = within('a descriptor', given, -1, LARGEST_INT);
  if (body.machinery.has(fd)) {
    throw new Refused(`descriptor ${fd} belongs to the laboratory; this program never opened it`);
  }
  return fd;
}

export function wouldWait(fd: number): boolean {
  const flags = fcntlCall.now(fd, F_GETFL, 0);
  return flags >= 0 && (flags & NONBLOCK) === 0;
}

/** Null for what another thread must wait for. */
export function orWait(result: number): number | null {
  return result === EAGAIN ? null : result;
}

export function isPlain(given: unknown): given is Readonly<Record<string, Value>> {
  return typeof given === 'object' && given !== null && !Array.isArray(given);
}

/** `options` of a verb: only those it knows, each true or false. */
export function switches(verb: string, given: unknown, known: readonly string[]): ReadonlySet<string> {
  if (given === undefined) {
    return new Set();
  }
  const wrong = isPlain(given) ? Object.keys(given).find((name) => !known.includes(name)) : String(given);
  if (!isPlain(given) || wrong !== undefined) {
    throw new Refused(`${verb} has no option ${wrong}; known are ${known.join(', ')}`);
  }
  return new Set(Object.keys(given).filter((name) => given[name] === true));
}
