/** What a display filter looks at: a packet with the messages it completed, a message alone, or a connection that ended. */
import type { Flow } from '../flows.ts';
import type { Heard } from '../heard.ts';
import type { Lane } from '../lane.ts';
import type { Value } from '../value.ts';

export interface Owner {
  readonly pid: number;
  readonly program: string;
}

export interface Subject {
  /** The packet, when there is one. */
  lane: Lane | null;
  flow: Flow | null;
  messages: readonly Heard[];
  /** The one of `messages` that is being judged. */
  message: Heard | null;
  owners: (flow: Flow) => readonly Owner[];
}

/** `undefined`: the subject has no such field, and no comparison with it holds. Several: any of them may. */
export type Found = Value | undefined | readonly Value[];
