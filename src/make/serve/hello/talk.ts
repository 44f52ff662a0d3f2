/** One connection of `hello`: requests in, answers out, in their order (RFC 9112, section 9.3.2). */
import { AGAIN, type Stream } from '../../../reactor/reactor.ts';
import { clearHead, type Head, newHead, scanHead } from '../../../wire/app/http1-head.ts';
import type { RawHouse, Talk, Visit } from '../kind.ts';
import { type Answers, CONTINUE } from './answers.ts';
import { checkHead, verdict } from './check.ts';
import { type Chunks, chunksDone, newChunks, readChunks } from './chunks.ts';

export const PIECE = 64 * 1024;
/** As nginx: four buffers of 8 kB. */
const MOST_HEAD = 32 * 1024;
/** A client that pipelines without reading gets no further than this. */
const MOST_UNSENT = 256 * 1024;
const LINGER_NS = 1e9;
/** A request may be on its way when a drain begins. */
const DRAIN_GRACE_NS = 200e6;
const RESET = 'reset by the client';
const CR = 13;
const LF = 10;

/** What all connections of one thread share. */
export interface Desk {
  readonly house: RawHouse;
  readonly answers: Answers;
  readonly body: string;
  readonly maxBody: number;
  /** Bytes are read here, behind what a connection has left over. */
  readonly into: Uint8Array;
  readonly out: Buffer;
  /** Those in the middle of a head or a body, who are looked after by the clock. */
  readonly unfinished: Set<HelloTalk>;
}

const head: Head = newHead();
const NOTHING = new Uint8Array(0);

const Phase = { head: 0, length: 1, chunks: 2, lingering: 3 } as const;

export class HelloTalk implements Talk {
  /** When the request under way began, or the lingering did. */
  since = 0;
  readonly #desk: Desk;
  readonly #stream: Stream;
  readonly #visit: Visit;
  #phase: number = Phase.head;
  /** A head whose end has not come. */
  #rest: Uint8Array = NOTHING;
  /** Answers that the socket did not take. */
  #unsent: Uint8Array = NOTHING;
  #left = 0;
  #chunks: Chunks | null = null;
  #posted = 0;
  #what = '';
  #keepAlive = true;
  #draining = false;
  #outLength = 0;
  #path = true;
  #why = '';

  constructor(desk: Desk, stream: Stream, visit: Visit) {
    this.#desk = desk;
    this.#stream = stream;
    this.#visit = visit;
  }

  readable(): void {
    const { into } = this.#desk;
    for (;;) {
      if (this.#unsent.length > 0 && this.#phase !== Phase.lingering) {
        return;
      }
      const kept = this.#rest.length;
      if (kept > 0) {
        into.set(this.#rest);
      }
      const room = kept + PIECE;
      const count = this.#stream.read(into, kept, room);
      if (count === AGAIN) {
        return;
      }
      if (count <= 0) {
        this.#gone(count);
        return;
      }
      if (this.#phase !== Phase.lingering) {
        this.#rest = NOTHING;
        this.#take(into, kept + count);
      }
      if (count < PIECE && !this.#stream.hungUp) {
        return;
      }
    }
  }

  writable(): void {
    const unsent = this.#unsent;
    if (unsent.length > 0) {
      const taken = this.#stream.write(unsent, 0, unsent.length);
      if (taken < 0 && taken !== AGAIN) {
        this.#end(RESET);
        return;
      }
      this.#unsent = taken > 0 ? unsent.subarray(taken) : unsent;
      if (this.#unsent.length > 0) {
        return;
      }
      this.#unsent = NOTHING;
      if (this.#phase === Phase.lingering) {
        this.#stream.shutdown();
      }
    }
    this.readable();
  }

  drain(): void {
    this.#draining = true;
    if (this.#isIdle()) {
      const { reactor } = this.#desk.house;
      // On a machine that stood still the grace is over before what has arrived was looked at.
      const end = (): void => {
        if (this.#isIdle()) {
          this.readable();
        }
        if (this.#isIdle()) {
          this.#linger();
        }
      };
      reactor.after(DRAIN_GRACE_NS, () => reactor.soon(end));
    }
  }

  dropped(): void {
    this.#desk.unfinished.delete(this);
  }

  idle(): boolean {
    const unfinished = this.#desk.unfinished.has(this);
    if (unfinished) {
      this.overdue();
    }
    return unfinished || this.#phase === Phase.lingering;
  }

  /** The clock says that it takes too long. */
  overdue(): void {
    if (this.#phase === Phase.lingering) {
      this.#end('closed by the server');
    } else {
      this.#refuse(408, 'the request did not come to its end in time');
    }
  }

  #isIdle(): boolean {
    return this.#phase === Phase.head && this.#rest.length === 0 && this.#unsent.length === 0;
  }

  #take(bytes: Uint8Array, to: number): void {
    let at = 0;
    while (at < to && this.#phase !== Phase.lingering) {
      const next = this.#phase === Phase.head ? this.#head(bytes, at, to) : this.#body(bytes, at, to);
      if (next < 0) {
        break;
      }
      at = next;
      if (this.#outLength > MOST_UNSENT) {
        this.#flush();
      }
    }
    this.#flush();
  }

  /** Where the next thing begins; -1: it is not all here, and is kept. */
  #head(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    // RFC 9112, section 2.2: an empty line before a request is ignored.
    while (at + 1 < to && bytes[at] === CR && bytes[at + 1] === LF) {
      at += 2;
    }
    if (at === to) {
      return to;
    }
    clearHead(head);
    const length = scanHead(head, bytes, at, to);
    if (length === 0) {
      if (to - at > MOST_HEAD) {
        this.#refuse(431, `a head of more than ${MOST_HEAD} bytes`);
        return -1;
      }
      this.#rest = bytes.slice(at, to);
      this.#unfinished();
      return -1;
    }
    if (length < 0 || length > MOST_HEAD) {
      this.#refuseHead(bytes, at, to, length);
      return -1;
    }
    checkHead(head, bytes, at, length);
    if (verdict.status !== 0) {
      this.#what = requestText(bytes, at, head);
      this.#refuse(verdict.status, verdict.why);
      return -1;
    }
    return this.#request(bytes, at, at + length, to);
  }

  #refuseHead(bytes: Uint8Array, from: number, to: number, length: number): void {
    const line = Buffer.from(bytes.buffer, bytes.byteOffset + from, Math.min(to - from, 200)).toString(
      'latin1',
    );
    this.#what = (line.split('\r\n')[0] ?? '').slice(0, 80);
    if (length > 0 || head.why.startsWith('a head of')) {
      this.#refuse(431, `a head of more than ${MOST_HEAD} bytes`);
    } else {
      this.#refuse(/ HTTP\/(0|[2-9])(\.\d)?$/.test(this.#what) ? 505 : 400, head.why);
    }
  }

  #request(bytes: Uint8Array, from: number, after: number, to: number): number {
    const { house, maxBody } = this.#desk;
    this.#keepAlive = verdict.keepAlive && !this.#draining;
    this.#what = house.wantsLines || !isGet(bytes, from, head) ? requestText(bytes, from, head) : 'GET';
    if (house.common.rate > 0 && !house.allows(this.#visit.client)) {
      this.#keepAlive &&= !head.chunked && head.length <= 0;
      this.#answer(429, 'too many requests\n');
      return this.#keepAlive ? after : -1;
    }
    if (head.length > maxBody) {
      this.#refuse(413, `a body of more than ${maxBody} bytes`);
      return -1;
    }
    this.#posted = 0;
    if (head.chunked) {
      this.#phase = Phase.chunks;
      this.#chunks = newChunks();
    } else if (head.length > 0) {
      this.#phase = Phase.length;
      this.#left = head.length;
      this.#posted = head.length;
    }
    this.#path = pathIsRoot(bytes, from, head);
    if (this.#phase === Phase.head) {
      this.#reply();
      return after;
    }
    if (verdict.expectsContinue && after === to) {
      this.#put(CONTINUE);
    }
    this.#unfinished();
    return after;
  }

  #body(bytes: Uint8Array, from: number, to: number): number {
    if (this.#phase === Phase.length) {
      const taken = Math.min(this.#left, to - from);
      this.#left -= taken;
      if (this.#left === 0) {
        this.#finished();
      }
      return from + taken;
    }
    const chunks = this.#chunks!;
    const at = readChunks(chunks, bytes, from, to);
    this.#posted = chunks.length;
    if (at < 0) {
      this.#refuse(400, chunks.why);
      return -1;
    }
    if (chunks.length > this.#desk.maxBody) {
      this.#refuse(413, `a body of more than ${this.#desk.maxBody} bytes`);
      return -1;
    }
    if (chunksDone(chunks)) {
      this.#chunks = null;
      this.#finished();
    }
    return at;
  }

  #finished(): void {
    this.#phase = Phase.head;
    this.#reply();
  }

  #reply(): void {
    const what = this.#what;
    const posts = what.startsWith('POST ');
    if (!posts && what !== 'GET' && !what.startsWith('GET ') && !what.startsWith('HEAD ')) {
      this.#answer(405, 'GET, HEAD and POST are all there is\n');
    } else if (!this.#path) {
      this.#answer(404, 'there is only /\n');
    } else {
      this.#answer(200, posts ? `${this.#posted} bytes came\n` : this.#desk.body);
    }
  }

  #answer(status: number, body: string): void {
    const { house, answers, unfinished } = this.#desk;
    unfinished.delete(this);
    this.#keepAlive &&= !this.#draining;
    const bytes = answers.of(status, body, !this.#keepAlive, this.#what.startsWith('HEAD '));
    this.#put(bytes);
    const took = house.now() - house.reactor.now();
    if (house.wantsLines) {
      house.access({
        at: house.reactor.now(),
        from: this.#visit.peer,
        what: this.#what,
        result: String(status),
        fine: status < 500,
        took,
        received: this.#posted,
        sent: body.length,
        note: status === 400 ? this.#why : '',
      });
    } else {
      house.counted(took, this.#posted, body.length, status < 500);
    }
    if (!this.#keepAlive) {
      this.#linger();
    }
  }

  #refuse(status: number, why: string): void {
    this.#why = why;
    this.#keepAlive = false;
    this.#answer(status, `${why}\n`);
  }

  #put(bytes: Buffer): void {
    const { out } = this.#desk;
    if (this.#outLength + bytes.length > out.length) {
      this.#flush();
    }
    if (bytes.length > out.length) {
      this.#keep(bytes);
      return;
    }
    bytes.copy(out, this.#outLength);
    this.#outLength += bytes.length;
  }

  #flush(): void {
    const length = this.#outLength;
    this.#outLength = 0;
    if (length === 0) {
      return;
    }
    const { out } = this.#desk;
    const taken = this.#unsent.length > 0 ? 0 : this.#stream.write(out, 0, length);
    if (taken < 0 && taken !== AGAIN) {
      this.#end(RESET);
    } else if (taken < length) {
      this.#keep(out.subarray(Math.max(0, taken), length));
    }
  }

  #keep(bytes: Uint8Array): void {
    this.#unsent = Buffer.concat([this.#unsent, bytes]);
  }

  #unfinished(): void {
    const { unfinished, house } = this.#desk;
    if (!unfinished.has(this)) {
      this.since = house.reactor.now();
      unfinished.add(this);
    }
  }

  /** Closing with unread bytes would reset the connection before the last answer is read (RFC 9112, section 9.6). */
  #linger(): void {
    this.#flush();
    this.#phase = Phase.lingering;
    this.since = this.#desk.house.reactor.now() - this.#desk.house.common.idleNs;
    this.#desk.house.reactor.after(LINGER_NS, () => this.#end('closed by the server'));
    if (this.#unsent.length === 0) {
      this.#stream.shutdown();
    }
  }

  #gone(count: number): void {
    if (this.#phase === Phase.head && this.#rest.length > 0 && count === 0) {
      this.#rest = NOTHING;
    }
    this.#end(count === 0 ? 'closed by the client' : RESET);
  }

  #end(how: string): void {
    this.#desk.unfinished.delete(this);
    this.#visit.done(how, 0, 0);
  }
}

function requestText(bytes: Uint8Array, from: number, { targetEnd }: Head): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, targetEnd).toString('latin1');
}

const G = 71;
const E = 69;
const T = 84;

function isGet(bytes: Uint8Array, from: number, { methodEnd }: Head): boolean {
  return methodEnd === 3 && bytes[from] === G && bytes[from + 1] === E && bytes[from + 2] === T;
}

const SLASH = 47;
const QUESTION = 63;

/** `/`, with or without a query, also as `http://host/` (RFC 9112, section 3.2.2). */
function pathIsRoot(bytes: Uint8Array, from: number, { methodEnd, targetEnd }: Head): boolean {
  let at = from + methodEnd + 1;
  const end = from + targetEnd;
  if (bytes[at] !== SLASH) {
    const target = Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at).toString('latin1');
    const authority = /^http:\/\/[^/?]*/i.exec(target);
    if (authority === null) {
      return false;
    }
    at += authority[0].length;
    return (
      at === end ||
      bytes[at] === QUESTION ||
      (bytes[at] === SLASH && (at + 1 === end || bytes[at + 1] === QUESTION))
    );
  }
  return at + 1 === end || bytes[at + 1] === QUESTION;
}
