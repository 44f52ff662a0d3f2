/** Messages of protocols whose packets say nothing by themselves: bytes are counted on a lane until a message claims them. */
import type { Values } from '../value.ts';
import type { Message } from './decoder.ts';

export interface Extra {
  pair?: number;
  more?: boolean;
  failed?: boolean;
}

type Writable<T> = { -readonly [name in keyof T]: T[name] };

/** All bytes of the lane that nothing else has claimed are the message's own. */
export function sayOn(
  lane: { unsaid: number },
  protocol: string,
  kind: Message['kind'],
  name: string,
  fields: () => Values,
  extra: Extra,
): Message {
  const message: Writable<Message> = { protocol, kind, name, bytes: lane.unsaid, fields };
  lane.unsaid = 0;
  if (extra.pair !== undefined) {
    message.pair = extra.pair;
  }
  if (extra.more === true) {
    message.more = true;
  }
  if (extra.failed === true) {
    message.failed = true;
  }
  return message;
}
