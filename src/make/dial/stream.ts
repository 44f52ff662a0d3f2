/** A conversation over a stream of bytes: TCP, UNIX, and what TLS makes of them. */

import { errnoMeaning, errnoName } from '../../kernel/errno.ts';
import { hear, type NetStream } from '../../kernel/net-streams.ts';
import { AGAIN } from '../../reactor/reactor.ts';
import type { Conversation, DialEar } from './kind.ts';

const PIECE = 64 * 1024;
const ECONNRESET = -104;
const EPIPE = -32;
const NOTHING = new Uint8Array(0);

export interface StreamOptions {
  /** What comes goes here instead, still in the order in which it came. */
  readonly arrived?: (bytes: Uint8Array) => void;
  /** TLS has an error of its own when the stream breaks. */
  readonly why?: () => { readonly error: string; readonly meaning: string } | null;
}

/** A FIN is told when it is read, so behind everything that came before it. */
export class StreamConversation implements Conversation {
  readonly halfCloses = true;
  readonly pieces = null;
  readonly #stream: NetStream;
  readonly #ear: DialEar;
  readonly #options: StreamOptions;
  readonly #gone: Promise<void>;
  /** Given, and not yet taken by the socket. */
  #rest: Uint8Array = NOTHING;
  #held = false;
  #finishing = false;
  #finished = false;
  #peerEnded = false;
  #over = false;

  constructor(stream: NetStream, gone: Promise<void>, ear: DialEar, options: StreamOptions = {}) {
    this.#stream = stream;
    this.#ear = ear;
    this.#options = options;
    this.#gone = gone;
  }

  /** Whoever opens a conversation has it in hand before anything is told. */
  begin(): this {
    hear(this.#stream, {
      readable: () => this.#read(),
      writable: () => this.#flush(),
    });
    setImmediate(() => this.#read());
    return this;
  }

  send(bytes: Uint8Array): boolean {
    if (this.#over || this.#finishing) {
      return true;
    }
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    this.#push();
    return this.#rest.length === 0;
  }

  finish(): void {
    if (!this.#finishing && !this.#over) {
      this.#finishing = true;
      this.#push();
    }
  }

  hold(on: boolean): void {
    this.#held = on;
    if (!on) {
      this.#read();
    }
  }

  reset(): void {
    this.#over = true;
    this.#stream.reset();
  }

  async close(): Promise<void> {
    this.#over = true;
    this.#stream.close();
    await this.#gone;
  }

  #read(): void {
    while (!this.#held && !this.#over && !this.#peerEnded) {
      const into = new Uint8Array(PIECE);
      const count = this.#stream.read(into, 0, PIECE);
      if (count === AGAIN) {
        return;
      }
      if (count > 0) {
        (this.#options.arrived ?? this.#ear.arrived)(into.subarray(0, count));
      } else if (count === 0) {
        this.#peerEnded = true;
        this.#ear.tell({ type: 'half-closed', by: 'peer', ns: this.#ear.now() });
        this.#maybeOver();
      } else {
        this.#broke(count);
      }
    }
  }

  #flush(): void {
    const waited = this.#rest.length > 0;
    this.#push();
    if (waited && this.#rest.length === 0 && !this.#over) {
      this.#ear.room();
    }
  }

  #push(): void {
    if (this.#over) {
      return;
    }
    if (this.#rest.length > 0) {
      const taken = this.#stream.write(this.#rest, 0, this.#rest.length);
      if (taken < 0 && taken !== AGAIN) {
        this.#rest = NOTHING;
        this.#broke(taken);
        return;
      }
      this.#rest = this.#rest.subarray(Math.max(0, taken));
    }
    if (this.#finishing && !this.#finished && this.#rest.length === 0) {
      this.#finished = true;
      this.#stream.shutdown();
      this.#ear.tell({ type: 'half-closed', by: 'you', ns: this.#ear.now() });
      this.#maybeOver();
    }
  }

  #maybeOver(): void {
    if (this.#finished && this.#peerEnded && !this.#over) {
      this.#over = true;
      this.#ear.over(false);
    }
  }

  /** EPIPE is how the kernel tells a writer of an RST that came behind a FIN (tcp_reset in CLOSE_WAIT). */
  #broke(errno: number): void {
    if (this.#over) {
      return;
    }
    this.#over = true;
    const ns = this.#ear.now();
    const why = this.#options.why?.() ?? null;
    if (why === null && (errno === ECONNRESET || errno === EPIPE)) {
      this.#ear.tell({ type: 'reset', by: 'peer', ns });
    } else {
      const { error, meaning } = why ?? { error: errnoName(errno), meaning: errnoMeaning(errno) };
      this.#ear.tell({ type: 'broken', error, meaning, ns });
    }
    this.#ear.over(true);
  }
}
