/** Events in order of their moments, cheap to add to at the end, to insert into near it, and to drop from the front of. */
import type { Event } from './events.ts';

/** References in one piece. Larger makes a late event dearer, smaller the list of pieces. */
const PIECE = 1024;

/** A place between events: before `pieces[piece][offset]`. */
interface Place {
  piece: number;
  offset: number;
}

/** A class because every connection has one. Among equal moments the order is that of arrival. */
export class EventList {
  /** Never holds an empty piece. */
  readonly #pieces: Event[][] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get first(): Event | undefined {
    return this.#pieces[0]?.[0];
  }

  get last(): Event | undefined {
    return this.#pieces.at(-1)?.at(-1);
  }

  add(event: Event): void {
    const last = this.last;
    if (last === undefined || last.at <= event.at) {
      this.#append(event);
    } else {
      this.#insert(this.#after(event.at), event);
    }
  }

  /** Where a list that holds this one among others has `event` in front of `next`, this one has it so as well. */
  addBefore(next: Event, event: Event): void {
    const place = this.#find(next);
    if (place === null) {
      this.add(event);
    } else {
      this.#insert(place, event);
    }
  }

  /** False when it is not held. */
  replace(old: Event, next: Event): boolean {
    const place = this.#find(old);
    if (place === null) {
      return false;
    }
    this.#pieces[place.piece]![place.offset] = next;
    return true;
  }

  remove(event: Event): boolean {
    const place = this.first === event ? { piece: 0, offset: 0 } : this.#find(event);
    if (place === null) {
      return false;
    }
    const piece = this.#pieces[place.piece]!;
    if (place.offset === 0) {
      piece.shift();
    } else {
      piece.splice(place.offset, 1);
    }
    if (piece.length === 0) {
      this.#pieces.splice(place.piece, 1);
    }
    this.#length -= 1;
    return true;
  }

  at(index: number): Event | undefined {
    let left = index < 0 ? this.#length + index : index;
    if (left < 0 || left >= this.#length) {
      return undefined;
    }
    if (left < this.#length / 2) {
      for (const piece of this.#pieces) {
        if (left < piece.length) {
          return piece[left];
        }
        left -= piece.length;
      }
    }
    left -= this.#length;
    for (let piece = this.#pieces.length - 1; piece >= 0; piece -= 1) {
      const events = this.#pieces[piece]!;
      left += events.length;
      if (left >= 0) {
        return events[left];
      }
    }
    return undefined;
  }

  /** Those with from ≤ at ≤ to, put behind what `into` holds. */
  copy(from: number, to: number, into: Event[]): void {
    const { piece: first, offset } = this.#before(from);
    for (let piece = first; piece < this.#pieces.length; piece += 1) {
      const events = this.#pieces[piece]!;
      for (let i = piece === first ? offset : 0; i < events.length; i += 1) {
        const event = events[i]!;
        if (event.at > to) {
          return;
        }
        into.push(event);
      }
    }
  }

  /** Those behind `event` in the list that have its moment. */
  *equalsBehind(event: Event): Generator<Event> {
    const place = this.#find(event);
    if (place === null) {
      return;
    }
    let offset = place.offset + 1;
    for (let piece = place.piece; piece < this.#pieces.length; piece += 1) {
      for (; offset < this.#pieces[piece]!.length; offset += 1) {
        const next = this.#pieces[piece]![offset]!;
        if (next.at !== event.at) {
          return;
        }
        yield next;
      }
      offset = 0;
    }
  }

  *[Symbol.iterator](): Generator<Event> {
    for (const piece of this.#pieces) {
      yield* piece;
    }
  }

  #append(event: Event): void {
    const last = this.#pieces.at(-1);
    if (last === undefined || last.length >= PIECE) {
      if (last !== undefined) {
        // A pushed array has room for half as much again; a copy has none.
        this.#pieces[this.#pieces.length - 1] = last.slice();
      }
      this.#pieces.push([event]);
    } else {
      last.push(event);
    }
    this.#length += 1;
  }

  #insert({ piece, offset }: Place, event: Event): void {
    const events = this.#pieces[piece];
    if (events === undefined) {
      this.#append(event);
      return;
    }
    events.splice(offset, 0, event);
    this.#length += 1;
    if (events.length > PIECE) {
      this.#pieces.splice(piece, 1, events.slice(0, PIECE / 2), events.slice(PIECE / 2));
    }
  }

  #find(event: Event): Place | null {
    let { piece, offset } = this.#before(event.at);
    for (; piece < this.#pieces.length; piece += 1, offset = 0) {
      const events = this.#pieces[piece]!;
      for (; offset < events.length && events[offset]!.at === event.at; offset += 1) {
        if (events[offset] === event) {
          return { piece, offset };
        }
      }
      if (offset < events.length) {
        return null;
      }
    }
    return null;
  }

  /** The place in front of every event with this moment or a later one. */
  #before(at: number): Place {
    return this.#search((event) => event.at >= at);
  }

  /** The place behind every event with this moment or an earlier one. */
  #after(at: number): Place {
    return this.#search((event) => event.at > at);
  }

  #search(isBehind: (event: Event) => boolean): Place {
    const piece = lowest(this.#pieces.length, (i) => isBehind(this.#pieces[i]!.at(-1)!));
    const events = this.#pieces[piece] ?? [];
    return { piece, offset: lowest(events.length, (i) => isBehind(events[i]!)) };
  }
}

/** The lowest of 0 … count for which it holds, where it holds for all above as well; `count` when for none. */
function lowest(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}
