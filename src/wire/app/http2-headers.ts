/** What a complete list of headers does to its stream, and how a stream comes to its end. */
import type { Message, Side } from './decoder.ts';
import { type HeaderList, UNKNOWN } from './hpack.ts';
import { httpStatus } from './http2-fields.ts';
import { replyMessage, requestMessage } from './http2-message.ts';
import {
  closeStream,
  type Half,
  headerOf,
  newHalf,
  openStream,
  type Stream,
  type Streams,
  setHeaders,
  setTrailers,
} from './http2-stream.ts';

/** `list` arrived on stream `id` in frames of `bytes` bytes; `ends` when it is the side's last word there. */
export function takeHeaders(
  streams: Streams,
  side: Side,
  id: number,
  list: HeaderList,
  ends: boolean,
  bytes: number,
): Message | null {
  let stream = streams.open.get(id);
  if (stream === undefined) {
    if (side === 'client' && headerOf(list, ':method') === null && !list.names.includes(UNKNOWN)) {
      // Trailers of a request that began before we looked.
      return null;
    }
    stream = openStream(streams, id, id % 2 === 1 ? 'client' : 'server');
    // A reply without its request: nothing more is to be expected of the other side.
    stream.request.done = side === 'server';
  }
  const half = side === 'server' ? stream.reply : stream.request;
  if (half.done) {
    return null;
  }
  half.bytes += bytes;
  if (half.headers !== null) {
    setTrailers(streams, half, list);
  } else if (side === 'server' && !ends && headerOf(list, ':status')?.startsWith('1')) {
    const early = newHalf();
    early.headers = list;
    early.bytes = half.bytes;
    half.bytes = 0;
    return replyMessage(stream, early, true);
  } else if (
    side === 'server' &&
    headerOf(list, 'grpc-status') !== null &&
    headerOf(list, ':status') === null
  ) {
    // The trailers of a call whose beginning we did not see.
    stream.grpc = true;
    setTrailers(streams, half, list);
  } else {
    setHeaders(streams, stream, half, list);
  }
  return ends || opensTunnel(stream, half) ? complete(streams, stream, half) : null;
}

/** A tunnel (RFC 9113 section 8.5, RFC 8441) is there as soon as the headers are; what follows is not HTTP. */
function opensTunnel(stream: Stream, half: Half): boolean {
  if (stream.method !== 'CONNECT') {
    return false;
  }
  const status = half === stream.reply ? httpStatus(half) : 200;
  return status !== null && status >= 200 && status < 300;
}

export function takePromise(streams: Streams, promised: number, list: HeaderList, bytes: number): Message {
  const stream = openStream(streams, promised, 'server');
  const { request } = stream;
  setHeaders(streams, stream, request, list);
  request.bytes = bytes;
  request.done = true;
  return requestMessage(stream, false);
}

/** This side has said all on the stream. Null when that was known. */
export function complete(streams: Streams, stream: Stream, half: Half): Message | null {
  const { request, reply } = stream;
  const before = half.done;
  half.done = true;
  if (request.done && reply.done && (before || stream.method !== 'CONNECT')) {
    closeStream(streams, stream.id);
  }
  if (before) {
    return null;
  }
  return half === request ? requestMessage(stream, reply.done) : replyMessage(stream, reply, false);
}
