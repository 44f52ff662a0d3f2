/** Streams of the epoll reactor: a connected or connecting socket, read and written without a queue of our own. */
import { addressOf, EPOLLERR, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from '../kernel/epoll.ts';
import {
  localAddress,
  peerAddress,
  receive,
  resetOnClose,
  shutdownWrites,
  takeError,
  transmit,
} from '../kernel/stream-sockets.ts';
import { ARRIVED, FAILED, type Loop, type Source } from './epoll-loop.ts';
import { type Address, AGAIN, type Stream, type StreamEvents } from './reactor.ts';
import { getOption, setOption } from './socket-options.ts';

const EBADF = -9;
const EINVAL = -22;
const EPIPE = 32;
const ECONNRESET = 104;

/** The same few buffers come by all the time. While it is remembered it is kept, so its address stays true. */
let readBytes: Uint8Array = new Uint8Array(1);
let readAddress = 0;
let writtenBytes: Uint8Array = readBytes;
let writtenAddress = 0;

const NOBODY: StreamEvents = { readable() {}, writable() {} };

export class EpollStream implements Stream, Source {
  owner: unknown = null;
  hungUp = false;
  fd: number;
  events: StreamEvents = NOBODY;
  connecting = false;
  /** A write or a drain came up short, which also asked the kernel to tell when there is room (SOCK_NOSPACE). */
  wantsRoom = false;
  readonly kind: 'tcp' | 'unix';
  readonly #loop: Loop;
  #local: Address | null;
  #remote: Address | null;
  /**
   * recv(2) may return less than is there: at the mark of urgent data, and on a UNIX socket between messages of different senders
   * or with descriptors. Nobody should have to know, so such streams are read until there is no more.
   */
  #hasSeams: boolean;
  /** FIN was read: the bits for it stay set with every later event and mean nothing new. */
  #ended = false;
  #failed = false;
  /** An error that the kernel told once and that holds for ever after. */
  #error = 0;

  constructor(loop: Loop, fd: number, kind: 'tcp' | 'unix', local: Address | null, remote: Address | null) {
    this.#loop = loop;
    this.fd = fd;
    this.kind = kind;
    this.#local = local;
    this.#remote = remote;
    this.#hasSeams = kind === 'unix';
  }

  get local(): Address {
    this.#local ??= known(localAddress(this.fd, this.kind), this.kind);
    return this.#local;
  }

  get remote(): Address {
    this.#remote ??= known(peerAddress(this.fd, this.kind), this.kind);
    return this.#remote;
  }

  read(into: Uint8Array, from: number, to: number): number {
    if (from < 0 || from >= to || to > into.length) {
      return EINVAL;
    }
    if (into !== readBytes) {
      readAddress = addressOf(into);
      readBytes = into;
    }
    const got = receive(this.fd, readAddress + from, to - from);
    if (got <= 0) {
      return this.nothingRead(got);
    }
    return this.#hasSeams && got < to - from ? this.#readOn(from + got, to, got) : got;
  }

  write(bytes: Uint8Array, from: number, to: number): number {
    if (from < 0 || from > to || to > bytes.length) {
      return EINVAL;
    }
    if (from === to) {
      return 0;
    }
    if (bytes !== writtenBytes) {
      writtenAddress = addressOf(bytes);
      writtenBytes = bytes;
    }
    const taken = transmit(this.fd, writtenAddress + from, to - from);
    if (taken < to - from) {
      this.cameUpShort(taken);
    }
    return taken;
  }

  shutdown(): number {
    return shutdownWrites(this.fd);
  }

  reset(): void {
    if (this.fd !== -1) {
      resetOnClose(this.fd);
      this.close();
    }
  }

  close(): void {
    if (this.fd !== -1) {
      const fd = this.fd;
      this.fd = -1;
      this.#loop.release(fd);
    }
  }

  set(option: string, value: number): number {
    return this.fd === -1 ? EBADF : setOption(this.fd, option, value);
  }

  get(option: string): number {
    return this.fd === -1 ? EBADF : getOption(this.fd, option);
  }

  happened(bits: number): void {
    if (this.connecting && !this.#connected(bits)) {
      return;
    }
    if ((bits & (EPOLLRDHUP | FAILED)) !== 0) {
      this.hungUp = true;
    }
    if ((bits & EPOLLPRI) !== 0) {
      this.#hasSeams = true;
    }
    let news = (bits & ARRIVED) !== 0 && !this.#ended;
    if ((bits & EPOLLERR) !== 0 && !this.#failed) {
      this.#failed = true;
      news = true;
    }
    if (news && this.fd !== -1) {
      this.events.readable(this);
    }
    if (this.wantsRoom && this.fd !== -1 && (bits & (EPOLLOUT | FAILED)) !== 0) {
      this.wantsRoom = false;
      this.events.writable(this);
    }
  }

  /** After a write or drain that took less than it was given. */
  cameUpShort(result: number): void {
    if (result >= 0 || result === AGAIN) {
      this.wantsRoom = true;
    } else if (result === -ECONNRESET) {
      // The kernel tells an error once; the reader shall not take the end that follows for FIN.
      this.#error = result;
    }
  }

  /** What a read means that brought no bytes: AGAIN, FIN (0) or an error. */
  nothingRead(result: number): number {
    if (result === AGAIN || this.fd === -1) {
      return result;
    }
    if (result < 0) {
      this.#error = result;
    } else if (this.#error === 0) {
      return this.#readFin();
    }
    this.#ended = true;
    return this.#error;
  }

  /**
   * After FIN was read, recv(2) says 0 for ever, even when RST came behind it (tcp_recvmsg looks at SOCK_DONE first). The error at the
   * socket knows: EPIPE, as tcp_reset sets it in CLOSE_WAIT. FIN is told first, then RST.
   */
  #readFin(): number {
    if (!this.#ended) {
      this.#ended = true;
      if (this.#failed) {
        this.#loop.soon(() => {
          if (this.fd !== -1) {
            this.events.readable(this);
          }
        });
      }
      return 0;
    }
    const error = this.#failed ? takeError(this.fd) : 0;
    this.#error = error > 0 ? -(error === EPIPE ? ECONNRESET : error) : 0;
    return this.#error;
  }

  #readOn(from: number, to: number, before: number): number {
    let total = before;
    for (let at = from; at < to; ) {
      const got = receive(this.fd, readAddress + at, to - at);
      if (got <= 0) {
        // FIN is told again by the next read; an error is not, so it is kept for then.
        if (got < 0 && got !== AGAIN) {
          this.#error = got;
        }
        break;
      }
      at += got;
      total += got;
    }
    return total;
  }

  /** The first event of a connecting stream. True when the connection stands and the stream is still open. */
  #connected(bits: number): boolean {
    this.connecting = false;
    const error = (bits & FAILED) !== 0 ? takeError(this.fd) : 0;
    // RST to our SYN is ECONNREFUSED. ECONNRESET and EPIPE tell of an RST that came later: it did stand (tcp_reset in tcp_input.c).
    const stood = error === 0 || error === ECONNRESET || error === EPIPE;
    if (stood) {
      this.#error = error === ECONNRESET ? -ECONNRESET : 0;
      this.events.connected?.(this, 0);
      return this.fd !== -1;
    }
    const events = this.events;
    this.close();
    events.connected?.(this, -error);
    return false;
  }
}

function known(address: Address | number, kind: 'tcp' | 'unix'): Address {
  if (typeof address !== 'number') {
    return address;
  }
  return kind === 'unix' ? { kind, path: '' } : { kind, host: '0.0.0.0', port: 0 };
}
