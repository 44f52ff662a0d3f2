/** What HTTP/2 messages say, by the names that HTTP/1 uses too. */
import type { Values } from '../value.ts';
import { grpcStatusName, percentDecoded, serviceAndMethod } from './grpc.ts';
import type { HeaderList } from './hpack.ts';
import { addContent, addHeader, addPath, type Fields } from './http1-fields.ts';
import { type Half, headerOf, type Stream } from './http2-stream.ts';
import { shortened } from './text.ts';

const aboutNames = ['method', 'path', 'path.raw', 'host', 'version', 'stream', 'pushed', 'status', 'reset'];
const contentNames = ['length', 'body', 'body.raw', 'body.bytes', 'encoding', 'trailer.*', 'warning'];
const headerNames = ['request.header.*', 'response.header.*'];
const countNames = ['messages', 'bytes', 'sizes', 'compressed'];

/** The names below, by protocol. */
export const spoken: Readonly<Record<string, readonly string[]>> = {
  http: [
    ...aboutNames,
    'protocol',
    ...headerNames,
    ...contentNames,
    ...['settings.*', 'ack', 'data', 'last_stream', 'error', 'debug'],
  ],
  grpc: [
    ...aboutNames,
    ...['service', 'status.name', 'message', 'http.status'],
    ...headerNames,
    ...countNames.map((name) => `request.${name}`),
    ...countNames.map((name) => `response.${name}`),
    ...contentNames,
  ],
};

const MAX_HEADERS = 256;
const MAX_NAME = 128;
const MAX_VALUE = 8192;

export function requestFields(stream: Stream): Values {
  const fields = about(stream);
  const { request } = stream;
  headers(fields, 'request.header.', request.headers);
  content(fields, stream, request, 'request');
  return fields;
}

export function replyFields(stream: Stream, half: Half, reset: string | null, ended: boolean): Values {
  const fields = about(stream);
  const status = httpStatus(half);
  if (stream.grpc) {
    Object.assign(fields, grpcStatus(half, status));
  } else if (status !== null) {
    fields.status = status;
  }
  if (reset !== null) {
    fields.reset = reset;
  }
  headers(fields, 'response.header.', half.headers);
  if (stream.grpc) {
    counts(fields, stream.request, 'request');
  }
  content(fields, stream, half, 'response');
  if (ended) {
    fields.warning = 'the connection ended inside the message';
  }
  return fields;
}

export function httpStatus(half: Half): number | null {
  const status = headerOf(half.headers, ':status');
  return status !== null && /^\d{3}$/.test(status) ? Number(status) : null;
}

/** The code of grpc-status, which is in the headers when they are all there is. Null when there is none. */
export function grpcCode(half: Half): number | null {
  const status = headerOf(half.trailers, 'grpc-status') ?? headerOf(half.headers, 'grpc-status');
  return status !== null && /^\d{1,9}$/.test(status) ? Number(status) : null;
}

function grpcStatus(half: Half, httpStatus: number | null): Fields {
  const fields: Fields = {};
  const code = grpcCode(half);
  if (code !== null) {
    fields.status = code;
    fields['status.name'] = grpcStatusName(code);
  }
  const message = headerOf(half.trailers, 'grpc-message') ?? headerOf(half.headers, 'grpc-message');
  if (message !== null) {
    fields.message = shortened(percentDecoded(message), MAX_VALUE);
  }
  if (httpStatus !== null) {
    fields['http.status'] = httpStatus;
  }
  return fields;
}

function about(stream: Stream): Fields {
  const fields: Fields = {};
  const call = stream.grpc ? serviceAndMethod(stream.path) : null;
  if (call !== null) {
    fields.service = shortened(call.service, MAX_VALUE);
    fields.method = shortened(call.method, MAX_VALUE);
  } else if (stream.method !== null) {
    fields.method = shortened(stream.method, MAX_VALUE);
  }
  if (stream.path !== null) {
    addPath(fields, shortened(stream.path, MAX_VALUE));
  }
  if (stream.host !== null) {
    fields.host = shortened(stream.host, MAX_VALUE);
  }
  const protocol = headerOf(stream.request.headers, ':protocol');
  if (protocol !== null) {
    fields.protocol = shortened(protocol, MAX_VALUE);
  }
  fields.version = '2';
  fields.stream = stream.id;
  if (stream.asker === 'server') {
    fields.pushed = true;
  }
  return fields;
}

/** Pseudo headers have fields of their own. */
function headers(fields: Fields, prefix: string, list: HeaderList | null): void {
  if (list === null) {
    return;
  }
  for (let i = 0; i < list.names.length && i < MAX_HEADERS; i++) {
    const name = list.names[i]!;
    if (!name.startsWith(':')) {
      addHeader(fields, prefix, shortened(name, MAX_NAME), shortened(list.values[i]!, MAX_VALUE));
    }
  }
}

function content(fields: Fields, stream: Stream, half: Half, way: 'request' | 'response'): void {
  let warning = half.headers?.warning ?? half.trailers?.warning ?? '';
  if (stream.grpc) {
    counts(fields, half, way);
  }
  fields.length = half.length;
  if (half.framing === null && half.length > 0) {
    const coding = headerOf(half.headers, 'content-encoding') ?? '';
    const type = headerOf(half.headers, 'content-type') ?? '';
    const body = { bytes: half.body, from: 0, to: half.kept, length: half.done ? half.length : -1 };
    warning ||= addContent(fields, body, coding === 'identity' ? '' : shortened(coding, MAX_NAME), type);
  }
  headers(fields, 'trailer.', half.trailers);
  if (warning !== '') {
    fields.warning = warning;
  }
}

function counts(fields: Fields, { framing }: Half, way: 'request' | 'response'): void {
  if (framing !== null) {
    fields[`${way}.messages`] = framing.messages;
    fields[`${way}.bytes`] = framing.bytes;
    fields[`${way}.sizes`] = [...framing.sizes];
    fields[`${way}.compressed`] = framing.compressed;
  }
}
