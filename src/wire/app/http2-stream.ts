/** One exchange of HTTP/2: what is kept of a stream's two directions until they are complete. */
import type { Side } from './decoder.ts';
import { type Framing, frame, isGrpc, newFraming } from './grpc.ts';
import type { HeaderList } from './hpack.ts';
import { BODY_KEPT } from './http1-fields.ts';

/** Streams that are open at the same time; beyond it the oldest is forgotten. */
export const MAX_STREAMS = 1024;
/** Headers and bodies kept for all open streams together; beyond it the oldest are forgotten. */
export const MAX_HELD = 4 * 1024 * 1024;

/** What one direction of a stream said. */
export interface Half {
  headers: HeaderList | null;
  trailers: HeaderList | null;
  body: Uint8Array;
  kept: number;
  /** Of DATA, without padding. */
  length: number;
  /** Of the connection: frames with their heads. */
  bytes: number;
  framing: Framing | null;
  done: boolean;
}

export interface Stream {
  readonly id: number;
  /** Whose request it is; the server's when it was promised. */
  readonly asker: Side;
  readonly request: Half;
  reply: Half;
  method: string | null;
  path: string | null;
  host: string | null;
  grpc: boolean;
  /** The request was handed out as a message: a reply can be paired with it. */
  asked: boolean;
}

export interface Streams {
  readonly open: Map<number, Stream>;
  held: number;
}

const NOTHING = new Uint8Array(0);

export function newHalf(): Half {
  return {
    headers: null,
    trailers: null,
    body: NOTHING,
    kept: 0,
    length: 0,
    bytes: 0,
    framing: null,
    done: false,
  };
}

export function openStream(streams: Streams, id: number, asker: Side): Stream {
  const stream: Stream = {
    id,
    asker,
    request: newHalf(),
    reply: newHalf(),
    method: null,
    path: null,
    host: null,
    grpc: false,
    asked: false,
  };
  closeStream(streams, id);
  streams.open.set(id, stream);
  if (streams.open.size > MAX_STREAMS) {
    forgetOldest(streams);
  }
  return stream;
}

export function closeStream(streams: Streams, id: number): void {
  const stream = streams.open.get(id);
  if (stream !== undefined) {
    streams.open.delete(id);
    streams.held -= heldBy(stream.request) + heldBy(stream.reply);
  }
}

function heldBy(half: Half): number {
  return half.body.length + (half.headers?.size ?? 0) + (half.trailers?.size ?? 0);
}

function forgetOldest(streams: Streams): void {
  const oldest = streams.open.keys().next();
  if (!oldest.done) {
    closeStream(streams, oldest.value);
  }
}

/** Takes note of `bytes` more that are kept. The stream they are for may be among the forgotten afterwards. */
function hold(streams: Streams, bytes: number): void {
  streams.held += bytes;
  while (streams.held > MAX_HELD && streams.open.size > 1) {
    forgetOldest(streams);
  }
}

export function setHeaders(streams: Streams, stream: Stream, half: Half, list: HeaderList): void {
  half.headers = list;
  if (half === stream.request) {
    stream.method = headerOf(list, ':method');
    stream.path = headerOf(list, ':path');
    stream.host = headerOf(list, ':authority') ?? headerOf(list, 'host');
  }
  if (isGrpc(headerOf(list, 'content-type'))) {
    stream.grpc = true;
  }
  // A reply that is not gRPC (a proxy's 502) to a request that is has an ordinary body.
  half.framing = stream.grpc && isGrpc(headerOf(list, 'content-type')) ? newFraming() : null;
  hold(streams, list.size);
}

export function setTrailers(streams: Streams, half: Half, list: HeaderList): void {
  if (half.trailers === null) {
    half.trailers = list;
    hold(streams, list.size);
  }
}

/** The first value of a header, or null. */
export function headerOf(list: HeaderList | null, name: string): string | null {
  const at = list === null ? -1 : list.names.indexOf(name);
  return at < 0 ? null : list!.values[at]!;
}

/** How many of the next bytes of DATA nobody looks at. */
export function unseen(half: Half): number {
  if (half.framing !== null) {
    return half.framing.left;
  }
  return half.kept === BODY_KEPT ? Number.MAX_SAFE_INTEGER : 0;
}

/** `count` bytes that `unseen` spoke of are passed by. */
export function passBy(half: Half, count: number): void {
  if (half.framing !== null) {
    half.framing.left -= count;
  }
}

/** Looks at bytes[from, to) of the body, and keeps its beginning. */
export function pour(streams: Streams, half: Half, bytes: Uint8Array, from: number, to: number): void {
  if (half.framing !== null) {
    frame(half.framing, bytes, from, to);
    return;
  }
  const kept = Math.min(BODY_KEPT, half.kept + to - from);
  if (kept > half.body.length) {
    const larger = new Uint8Array(Math.min(BODY_KEPT, Math.max(kept, 2 * half.body.length)));
    larger.set(half.body.subarray(0, half.kept));
    const more = larger.length - half.body.length;
    half.body = larger;
    hold(streams, more);
  }
  half.body.set(bytes.subarray(from, from + kept - half.kept), half.kept);
  half.kept = kept;
}
