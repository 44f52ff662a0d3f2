/** The messages that HTTP/2's frames make, and one line for each. */
import { printable } from '../printable.ts';
import type { Value, Values } from '../value.ts';
import type { Message, Side } from './decoder.ts';
import { grpcStatusName, serviceAndMethod } from './grpc.ts';
import { type Fields, httpSummary, sized } from './http1-fields.ts';
import { grpcCode, httpStatus, replyFields, requestFields } from './http2-fields.ts';
import { errorName } from './http2-frame.ts';
import type { Half, Stream } from './http2-stream.ts';
import { shortened } from './text.ts';

const MAX_NAME = 32;
/** `package.Service/Method` is longer, and a service has few of them. */
const MAX_CALL = 96;
const MAX_LINE = 200;

type Known = Omit<Message, 'protocol' | 'kind' | 'name' | 'bytes' | 'fields'>;

function message(
  kind: Message['kind'],
  name: string,
  bytes: number,
  fields: () => Values,
  known: Known = {},
  protocol = 'http',
): Message {
  return { protocol, kind, name, bytes, fields, ...known };
}

export function pairOf(stream: Stream): number | string {
  return stream.asker === 'client' ? stream.id : `push:${stream.id}`;
}

export function requestMessage(stream: Stream, answered: boolean): Message {
  const name = stream.grpc ? callName(stream) : shortened(printable(stream.method ?? '?'), MAX_NAME);
  // A request that was answered before it was complete must not wait for another reply.
  const known = answered ? {} : { pair: pairOf(stream) };
  const { bytes } = stream.request;
  return message('request', name, bytes, () => requestFields(stream), known, protocolOf(stream));
}

function callName(stream: Stream): string {
  const call = serviceAndMethod(stream.path);
  return call === null ? '?' : shortened(printable(`${call.service}/${call.method}`), MAX_CALL);
}

function protocolOf(stream: Stream): string {
  return stream.grpc ? 'grpc' : 'http';
}

/** Of `half`, the stream's reply or an informational one before it; `more` when others follow. */
export function replyMessage(stream: Stream, half: Half, more: boolean): Message {
  const status = httpStatus(half);
  if (!stream.grpc || more) {
    const failed = status !== null && status >= 400;
    return reply(stream, half, status === null ? '?' : String(status), failed, more);
  }
  const code = grpcCode(half);
  const name = code === null ? `HTTP ${status ?? '?'}` : grpcStatusName(code);
  return reply(stream, half, name, code !== 0, false);
}

function reply(stream: Stream, half: Half, name: string, failed: boolean, more: boolean): Message {
  const known = { pair: pairOf(stream), failed, ...(more ? { more } : {}) };
  const fields = () => replyFields(stream, half, null, false);
  return message('reply', shortened(name, MAX_NAME), half.bytes, fields, known, protocolOf(stream));
}

/**
 * A reply that will not be completed: reset by either side (`reset` says why), or cut off (null). From the client it is
 * a reply all the same: it is what the request came to.
 */
export function brokenReply(stream: Stream, reset: string | null, bytes: number): Message {
  const half = stream.reply;
  return message(
    'reply',
    reset === null ? 'cut off' : 'RST_STREAM',
    half.bytes + bytes,
    () => replyFields(stream, half, reset, reset === null),
    { pair: pairOf(stream), failed: true },
    protocolOf(stream),
  );
}

/** RST_STREAM of a stream that nobody waits for: answered already, or unknown. */
export function resetNotice(id: number, error: number, bytes: number): Message {
  const fields = { stream: id, reset: errorName(error) };
  return message('notice', 'RST_STREAM', bytes, () => fields, { failed: error !== 0 });
}

export function settingsNotice(ack: boolean, settings: Fields, bytes: number): Message {
  return message('notice', 'SETTINGS', bytes, () => (ack ? { ack } : settings));
}

export function pingMessage(asker: Side, ack: boolean, data: string, bytes: number): Message {
  const known = { pair: `ping:${asker}:${data}` };
  return message(ack ? 'reply' : 'request', 'PING', bytes, () => ({ ack, data }), known);
}

export function goawayNotice(last: number, error: number, debug: string, bytes: number): Message {
  const fields: Fields = { last_stream: last, error: errorName(error) };
  if (debug !== '') {
    fields.debug = debug;
  }
  return message('notice', 'GOAWAY', bytes, () => fields, { failed: error !== 0 });
}

export function summary(said: Message, fields: Values): string {
  return shortened(printable(line(said, fields)), MAX_LINE);
}

function line(said: Message, fields: Values): string {
  if (fields.stream === undefined || said.kind === 'notice') {
    return connectionLine(said, fields);
  }
  if (fields.reset !== undefined || said.name === 'cut off') {
    return `${said.name} ${shown(fields.reset)} ${asked(said, fields)}`.replace(/ {2,}/g, ' ').trim();
  }
  if (said.protocol === 'grpc') {
    return callLine(said, fields);
  }
  const plain = httpSummary(said.kind, fields);
  return fields.pushed === true && said.kind === 'request' ? `push ${plain}` : plain;
}

function callLine(said: Message, fields: Values): string {
  if (said.kind === 'request') {
    return `${said.name} ${messages(fields, 'request')}`;
  }
  if (fields.status === 0) {
    return `OK ${messages(fields, 'response')}`;
  }
  return fields.message === undefined ? said.name : `${said.name} ${shown(fields.message)}`;
}

function connectionLine(said: Message, fields: Values): string {
  switch (said.name) {
    case 'SETTINGS':
      return ['SETTINGS', ...Object.entries(fields).map(setting)].join(' ');
    case 'PING':
      return fields.ack === true ? 'PING ack' : 'PING';
    case 'GOAWAY': {
      const debug = fields.debug === undefined ? '' : ` ${JSON.stringify(fields.debug)}`;
      return `GOAWAY ${shown(fields.error)} last stream ${shown(fields.last_stream)}${debug}`;
    }
    default:
      return `${said.name} ${shown(fields.reset)} stream ${shown(fields.stream)}`;
  }
}

function setting([name, value]: [string, Value]): string {
  return value === true ? name : `${name.replace('settings.', '')}=${shown(value)}`;
}

function asked(said: Message, fields: Values): string {
  if (said.protocol === 'grpc' && fields.service !== undefined) {
    return `${shown(fields.service)}/${shown(fields.method)}`;
  }
  return `${shown(fields.method)} ${shown(fields.path)}`.trim();
}

function messages(fields: Values, way: string): string {
  const count = Number(fields[`${way}.messages`] ?? 0);
  return `${count} ${count === 1 ? 'message' : 'messages'} ${sized(fields[`${way}.bytes`]).trim()}`.trim();
}

function shown(value: Value | undefined): string {
  return value === undefined || value === null ? '' : String(value);
}
