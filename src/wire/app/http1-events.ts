/**
 * Server-sent events (WHATWG HTML 9.2): a body without an end, of which every event is a message. Lines end with LF, CR LF or
 * CR, and an empty line ends the event.
 */
import type { Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { text } from './text.ts';

const MAX_LINE = 16_384;
const MAX_DATA = 16_384;

export interface Events {
  line: Uint8Array;
  length: number;
  /** The last byte was CR: an LF after it belongs to it. */
  afterCr: boolean;
  bytes: number;
  data: string | null;
  type: string;
  id: string | null;
}

export function newEvents(): Events {
  return {
    line: new Uint8Array(256),
    length: 0,
    afterCr: false,
    bytes: 0,
    data: null,
    type: '',
    id: null,
  };
}

/** Takes bytes[from, to) of the body; what they complete is added to `messages`. */
export function readEvents(
  events: Events,
  bytes: Uint8Array,
  from: number,
  to: number,
  path: string,
  messages: Message[],
): void {
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    events.bytes++;
    if (byte === 10 && events.afterCr) {
      events.afterCr = false;
    } else if (byte === 10 || byte === 13) {
      events.afterCr = byte === 13;
      if (events.length > 0) {
        takeLine(events);
      } else {
        finish(events, path, messages);
      }
    } else {
      events.afterCr = false;
      put(events, byte);
    }
  }
}

function put(events: Events, byte: number): void {
  if (events.length === events.line.length) {
    if (events.length === MAX_LINE) {
      return;
    }
    const larger = new Uint8Array(Math.min(MAX_LINE, 2 * events.length));
    larger.set(events.line);
    events.line = larger;
  }
  events.line[events.length++] = byte;
}

function takeLine(events: Events): void {
  const line = text(events.line, 0, events.length);
  events.length = 0;
  const colon = line.indexOf(':');
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
  if (name === 'data') {
    const before = events.data;
    events.data = before === null ? value : before.length > MAX_DATA ? before : `${before}\n${value}`;
  } else if (name === 'event') {
    events.type = value;
  } else if (name === 'id') {
    events.id = value;
  }
}

/** An event without data is not dispatched (9.2.6), and so is no message. */
function finish(events: Events, path: string, messages: Message[]): void {
  const { data, bytes } = events;
  if (data !== null) {
    const fields: { [name: string]: string } = {
      event: events.type || 'message',
      data: data.slice(0, MAX_DATA),
    };
    if (events.id !== null) {
      fields.id = events.id;
    }
    if (path !== '') {
      fields.path = path;
    }
    messages.push({ protocol: 'http', kind: 'notice', name: 'event', bytes, fields: (): Values => fields });
  }
  events.bytes = 0;
  events.data = null;
  events.type = '';
}
