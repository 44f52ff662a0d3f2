/** One connection of a web server: which requests are being answered on it, and how it ends without losing one. */
import type { Duplex } from 'node:stream';
import { bytesMoved, type ServerHttp2Session } from '../../../kernel/web-server.ts';

/** After our FIN, what still comes is read away for so long: unread bytes at the close would reset the connection (LAB-FACTS E5). */
const LINGER = 1000;

export class Line<R = unknown> {
  readonly peer: string;
  readonly client: string;
  readonly raw: Duplex;
  /** What HTTP is spoken on: `raw`, or TLS on it. */
  socket: Duplex;
  session: ServerHttp2Session | null = null;
  /** Oldest first. */
  readonly running = new Set<R>();
  /** No longer HTTP: whoever took it ends it. */
  given = false;
  /** We have said all that we will say. */
  ending = false;
  /** When something last came or went, in milliseconds. */
  moved: number;
  #bytes = 0;
  #linger: ReturnType<typeof setTimeout> | null = null;

  constructor(raw: Duplex, peer: string, client: string) {
    this.raw = raw;
    this.socket = raw;
    this.peer = peer;
    this.client = client;
    this.moved = performance.now();
    raw.once('close', () => {
      if (this.#linger !== null) {
        clearTimeout(this.#linger);
      }
    });
  }

  get secure(): boolean {
    return this.socket !== this.raw;
  }

  /** This is what HTTP is spoken on from now on. */
  speaks(socket: Duplex): void {
    this.socket = socket;
    // Node ends a connection with this where we have to be careful.
    (socket as Duplex & { destroySoon?(): void }).destroySoon = () => this.end();
  }

  /** Looks whether anything came or went since the last look. Milliseconds of silence. */
  silence(now: number): number {
    const bytes = bytesMoved(this.raw);
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.moved = now;
    }
    return now - this.moved;
  }

  /** An HTTP/2 session that is over ends its socket, but says nothing until the client does the same. */
  ignored(silent: number): boolean {
    return this.ending && this.session?.destroyed === true && silent > LINGER;
  }

  /** FIN after all that was written; whatever comes after is read and forgotten. */
  end(last = ''): void {
    if (this.ending) {
      return;
    }
    this.ending = true;
    if (this.session !== null) {
      this.session.close();
      return;
    }
    const { socket } = this;
    if (this.given) {
      socket.end();
      this.#lingers();
      return;
    }
    // The parser has to let go: a request that comes now will not be answered.
    socket.removeAllListeners('data');
    socket.on('data', () => {});
    socket.resume();
    socket.end(last);
    this.#lingers();
  }

  cut(): void {
    this.ending = true;
    this.session?.destroy();
    this.socket.destroy();
    this.raw.destroy();
  }

  #lingers(): void {
    if (!this.raw.destroyed) {
      this.#linger = setTimeout(() => this.cut(), LINGER);
    }
  }
}
