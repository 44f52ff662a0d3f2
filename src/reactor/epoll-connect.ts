/** Streams that begin here: connect(2), or a descriptor somebody made. */
import { closeFd, setNonBlocking } from '../kernel/epoll.ts';
import {
  bindSocket,
  bindWithoutPort,
  connectSocket,
  encodeAddress,
  openSocket,
  peerAddress,
  type RawAddress,
  reuseAddress,
  SOCK_STREAM,
  socketType,
} from '../kernel/stream-sockets.ts';
import type { Loop } from './epoll-loop.ts';
import { EpollStream } from './epoll-stream.ts';
import { applyWishes } from './epoll-wishes.ts';
import { type Address, AGAIN, type ConnectOptions, type Stream, type StreamEvents } from './reactor.ts';

const EINVAL = -22;
const EINPROGRESS = -115;
const EAFNOSUPPORT = -97;
/** A UNIX listener with a full queue: connect(2) that does not block says EAGAIN and remembers nothing (unix(7)). */
const QUEUE_RETRY_NS = 2e6;

export function connectWith(
  loop: Loop,
  address: Address,
  options: ConnectOptions,
  events: StreamEvents,
): Stream | number {
  const raw = encodedOnce(address);
  if (typeof raw === 'number') {
    return raw;
  }
  const kind = address.kind === 'unix' ? 'unix' : 'tcp';
  const fd = openSocket(raw.family, SOCK_STREAM);
  if (fd < 0) {
    return fd;
  }
  let result = applyWishes(fd, kind, options.wishes);
  if (result === 0 && options.source !== undefined) {
    result = bindSource(fd, options.source, raw.family);
  }
  if (result < 0) {
    closeFd(fd);
    return result;
  }
  const stream = new EpollStream(loop, fd, kind, null, address);
  stream.events = events;
  stream.connecting = true;
  return dial(loop, stream, raw);
}

/** A proxy dials the same few address objects again and again. */
const encoded = new WeakMap<Address, RawAddress>();

function encodedOnce(address: Address): RawAddress | number {
  const known = encoded.get(address);
  if (known !== undefined) {
    return known;
  }
  const raw = address.kind === 'udp' ? EINVAL : encodeAddress(address);
  if (typeof raw !== 'number') {
    encoded.set(address, raw);
  }
  return raw;
}

function bindSource(fd: number, source: Address, family: number): number {
  const raw = encodeAddress(source);
  if (typeof raw === 'number') {
    return raw;
  }
  if (raw.family !== family || source.kind === 'udp') {
    return EAFNOSUPPORT;
  }
  if (source.kind === 'tcp') {
    const result = source.port === 0 ? bindWithoutPort(fd) : reuseAddress(fd);
    if (result < 0) {
      return result;
    }
  }
  return bindSocket(fd, raw);
}

/** What connect(2) refuses at once is told later all the same, so that nobody has to handle it twice. */
function dial(loop: Loop, stream: EpollStream, raw: RawAddress): Stream {
  loop.keep(stream);
  const result = connectSocket(stream.fd, raw);
  if (result === AGAIN && stream.kind === 'unix') {
    loop.after(QUEUE_RETRY_NS, () => {
      if (stream.fd !== -1) {
        dial(loop, stream, raw);
      }
    });
    return stream;
  }
  const failed = result === EINPROGRESS || result === 0 ? loop.add(stream) : result;
  if (failed < 0) {
    loop.soon(() => tellFailure(stream, failed));
  }
  return stream;
}

function tellFailure(stream: EpollStream, result: number): void {
  if (stream.fd !== -1) {
    stream.close();
    stream.events.connected?.(stream, result);
  }
}

export function adoptWith(loop: Loop, fd: number, events: StreamEvents): Stream | number {
  const type = socketType(fd);
  if (type !== SOCK_STREAM) {
    return type < 0 ? type : EINVAL;
  }
  const remote = peerAddress(fd, 'tcp');
  if (typeof remote === 'number') {
    return remote;
  }
  const blocking = setNonBlocking(fd);
  if (blocking < 0) {
    return blocking;
  }
  const stream = new EpollStream(loop, fd, remote.kind === 'unix' ? 'unix' : 'tcp', null, remote);
  stream.events = events;
  const result = loop.add(stream);
  return result === 0 ? stream : result;
}
