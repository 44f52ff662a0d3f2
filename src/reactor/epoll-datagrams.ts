/** Datagram sockets of the epoll reactor: UDP and UNIX, bound or connected. */
import { addressOf, closeFd, fixedMemory } from '../kernel/epoll.ts';
import {
  bindSocket,
  came,
  connectSocket,
  decodeAddress,
  encodeAddress,
  localAddress,
  openSocket,
  type RawAddress,
  receiveFrom,
  SOCK_DGRAM,
  transmit,
  transmitTo,
} from '../kernel/stream-sockets.ts';
import type { Loop, Source } from './epoll-loop.ts';
import { ARRIVED } from './epoll-loop.ts';
import { type BoundPath, bindPath } from './epoll-paths.ts';
import { type Address, AGAIN, type DatagramEvents, type Datagrams } from './reactor.ts';

/** UDP ends at 65 507 bytes; a UNIX datagram may be as large as the sender's buffer (net.core.wmem_default). */
const LARGEST = 256 * 1024;
const DATAGRAMS_PER_TURN = 64;
/** Senders remembered per socket; beyond that all are forgotten and learnt again. */
const SENDERS = 4096;
const EINVAL = -22;
const EAFNOSUPPORT = -97;
const ECONNREFUSED = -111;

/** One for all sockets of this thread: a datagram is lent for the length of a call. */
let shared: { bytes: Uint8Array; address: number } | null = null;

interface Sender {
  readonly raw: Uint8Array;
  readonly address: Address;
}

/** The kernel's form of addresses that are used to send to; those that senders came with are the ones to be answered. */
const encoded = new WeakMap<Address, RawAddress>();

class EpollDatagrams implements Datagrams, Source {
  fd: number;
  readonly address: Address;
  readonly #loop: Loop;
  readonly #kind: 'udp' | 'unix';
  readonly #events: DatagramEvents;
  readonly #path: BoundPath | null;
  readonly #memory: { bytes: Uint8Array; address: number };
  readonly #senders = new Map<number, Sender>();
  readonly #again = () => this.happened(ARRIVED);
  #lastSender: Sender | null = null;
  #to: Address | null = null;
  #toRaw: RawAddress | null = null;
  #bytes: Uint8Array = new Uint8Array(1);
  #bytesAddress = 0;

  constructor(loop: Loop, fd: number, address: Address, path: BoundPath | null, events: DatagramEvents) {
    shared ??= fixedMemory(LARGEST);
    this.#memory = shared;
    this.#loop = loop;
    this.fd = fd;
    this.address = address;
    this.#kind = address.kind === 'unix' ? 'unix' : 'udp';
    this.#path = path;
    this.#events = events;
  }

  happened(bits: number): void {
    if ((bits & ARRIVED) === 0) {
      return;
    }
    for (let count = 0; count < DATAGRAMS_PER_TURN; count++) {
      const length = receiveFrom(this.fd, this.#memory.address, LARGEST);
      if (length >= 0) {
        this.#events.datagram(this.#sender(), this.#memory.bytes, length);
      } else if (length === AGAIN) {
        return;
      } else {
        this.#events.error?.(length);
      }
      if (this.fd === -1) {
        return;
      }
    }
    this.#loop.soon(this.#again);
  }

  send(bytes: Uint8Array, from: number, end: number, to: Address | null): number {
    if (from < 0 || from > end || end > bytes.length) {
      return EINVAL;
    }
    if (bytes !== this.#bytes) {
      this.#bytesAddress = addressOf(bytes);
      this.#bytes = bytes;
    }
    const raw = to === null ? null : this.#raw(to);
    if (typeof raw === 'number') {
      return raw;
    }
    return raw === null
      ? this.#sendToPeer(this.#bytesAddress + from, end - from)
      : transmitTo(this.fd, this.#bytesAddress + from, end - from, raw);
  }

  close(): void {
    if (this.fd !== -1) {
      const fd = this.fd;
      this.fd = -1;
      this.#path?.remove();
      this.#loop.release(fd);
    }
  }

  /** ECONNREFUSED is the ICMP answer to an earlier datagram; this one was not sent for it, so it is sent again. */
  #sendToPeer(from: number, length: number): number {
    const sent = transmit(this.fd, from, length);
    if (sent !== ECONNREFUSED || this.#kind === 'unix') {
      return sent;
    }
    this.#events.error?.(sent);
    return transmit(this.fd, from, length);
  }

  #raw(to: Address): RawAddress | number {
    if (to === this.#to && this.#toRaw !== null) {
      return this.#toRaw;
    }
    const raw = encoded.get(to) ?? (this.#fits(to) ? encodeAddress(to) : EAFNOSUPPORT);
    if (typeof raw !== 'number') {
      encoded.set(to, raw);
      this.#to = to;
      this.#toRaw = raw;
    }
    return raw;
  }

  #fits(to: Address): boolean {
    return to.kind === this.#kind;
  }

  /** The same object for the same sender, found by the bytes of its address. */
  #sender(): Address {
    const last = this.#lastSender;
    if (last !== null && isThis(last.raw)) {
      return last.address;
    }
    const key = hash();
    let sender = this.#senders.get(key);
    if (sender === undefined || !isThis(sender.raw)) {
      sender = {
        raw: came.bytes.slice(0, came.length),
        address: decodeAddress(came.bytes, came.length, this.#kind) ?? { kind: 'unix', path: '' },
      };
      if (this.#senders.size >= SENDERS) {
        this.#senders.clear();
      }
      this.#senders.set(key, sender);
    }
    this.#lastSender = sender;
    return sender.address;
  }
}

function isThis(raw: Uint8Array): boolean {
  if (raw.length !== came.length) {
    return false;
  }
  for (let at = 0; at < raw.length; at++) {
    if (raw[at] !== came.bytes[at]) {
      return false;
    }
  }
  return true;
}

/** FNV-1a over the address that came. */
function hash(): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < came.length; at++) {
    value = Math.imul(value ^ came.bytes[at]!, 0x01000193);
  }
  return value;
}

export function datagramsWith(
  loop: Loop,
  local: Address | null,
  peer: Address | null,
  events: DatagramEvents,
): Datagrams | number {
  const localRaw = local === null ? null : rawOf(local);
  const peerRaw = peer === null ? null : rawOf(peer);
  const family = localRaw ?? peerRaw;
  if (typeof localRaw === 'number' || typeof peerRaw === 'number') {
    return typeof localRaw === 'number' ? localRaw : (peerRaw as number);
  }
  if (family === null || typeof family === 'number') {
    return EINVAL;
  }
  if (localRaw !== null && peerRaw !== null && localRaw.family !== peerRaw.family) {
    return EAFNOSUPPORT;
  }
  const fd = openSocket(family.family, SOCK_DGRAM);
  if (fd < 0) {
    return fd;
  }
  let path: BoundPath | null = null;
  let result = 0;
  if (local !== null && localRaw !== null) {
    const bound =
      local.kind === 'unix' ? bindPath(fd, local.path, localRaw, undefined) : bindSocket(fd, localRaw);
    result = typeof bound === 'number' ? bound : 0;
    path = typeof bound === 'number' ? null : bound;
  }
  if (result === 0 && peerRaw !== null) {
    result = connectSocket(fd, peerRaw);
  }
  const address = result === 0 ? localAddress(fd, (local ?? peer)!.kind) : result;
  const socket = typeof address === 'number' ? address : new EpollDatagrams(loop, fd, address, path, events);
  result = typeof socket === 'number' ? socket : loop.add(socket);
  if (result < 0 || typeof socket === 'number') {
    path?.remove();
    closeFd(fd);
    return result;
  }
  return socket;
}

function rawOf(address: Address): RawAddress | number {
  return address.kind === 'tcp' ? EINVAL : encodeAddress(address);
}
