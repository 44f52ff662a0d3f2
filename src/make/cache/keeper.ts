/** Takes a copy of a body while it passes, and makes a stored answer of it when it came whole. */
import { type Fields, fieldOf } from './fields.ts';
import { type Arrival, type Head, type Stored, toStore } from './stored.ts';

/** One answer may have this share of the cache; a larger one would push out everything else for itself. */
const LARGEST_SHARE = 1 / 4;

/** What all keepers together may hold besides what is stored. */
export interface Room {
  readonly bound: number;
  pending: number;
}

export class Keeper {
  readonly #head: Head;
  readonly #room: Room;
  readonly #put: (stored: Stored) => void;
  readonly #empty: Stored;
  #pieces: Buffer[] | null = [];
  #length = 0;

  constructor(arrival: Arrival, head: Head, room: Room, put: (stored: Stored) => void) {
    this.#head = head;
    this.#room = room;
    this.#put = put;
    this.#empty = toStore(arrival, head, Buffer.alloc(0));
    if ((announced(head.fields) ?? 0) > room.bound * LARGEST_SHARE) {
      this.#pieces = null;
    }
  }

  /** It can be fresh, or be asked about, or stand in for an origin that is down. */
  isWorthIt(staleWhenDown: boolean): boolean {
    const { fields, lifetime, whileRevalidate, ifError } = this.#empty;
    const valid = fieldOf(fields, 'etag') !== undefined || fieldOf(fields, 'last-modified') !== undefined;
    return this.keeping && (valid || staleWhenDown || lifetime + whileRevalidate + ifError > 0);
  }

  /** Whoever waits for this answer can be given it when it is whole. */
  get isForOthers(): boolean {
    return this.keeping && !this.#empty.alwaysAsk && this.#empty.lifetime > this.#empty.initialAge;
  }

  get keeping(): boolean {
    return this.#pieces !== null;
  }

  add(piece: Buffer): void {
    if (this.#pieces === null) {
      return;
    }
    this.#pieces.push(piece);
    this.#length += piece.length;
    this.#room.pending += piece.length;
    if (this.#length > this.#room.bound * LARGEST_SHARE || this.#room.pending > this.#room.bound) {
      this.abandon();
    }
  }

  /** The body came whole. */
  end(): void {
    const pieces = this.#pieces;
    const told = announced(this.#head.fields);
    const length = this.#length;
    this.abandon();
    if (pieces !== null && (told === null || told === length)) {
      const body = Buffer.concat(pieces, length);
      this.#put({ ...this.#empty, body, bytes: this.#empty.bytes + body.length });
    }
  }

  /** It broke off, or nobody wants it any more: half an answer is never stored (RFC 9111, section 3.3). */
  abandon(): void {
    if (this.#pieces !== null) {
      this.#pieces = null;
      this.#room.pending -= this.#length;
    }
  }
}

function announced(fields: Fields): number | null {
  const text = fieldOf(fields, 'content-length');
  return text === undefined ? null : Number(text);
}
