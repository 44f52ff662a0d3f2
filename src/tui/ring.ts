/** The last so many of something. Positions count from the very first one, so that they stay true when old ones fall off. */
export class Ring<T> {
  readonly limit: number;
  private items: T[] = [];
  /** Of `items`, so many at the front are gone. */
  private gone = 0;
  /** The position of the oldest one kept: so many fell off. */
  first = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get length(): number {
    return this.items.length - this.gone;
  }

  /** The position the next one will have. */
  get end(): number {
    return this.first + this.length;
  }

  at(position: number): T | undefined {
    return position < this.first ? undefined : this.items[position - this.first + this.gone];
  }

  /** Returns what fell off, if the ring was full. */
  push(item: T): T | undefined {
    const over = this.length >= this.limit ? this.shift() : undefined;
    this.items.push(item);
    return over;
  }

  shift(): T | undefined {
    if (this.length === 0) {
      return undefined;
    }
    const item = this.items[this.gone];
    this.gone++;
    this.first++;
    if (this.gone > this.limit) {
      this.items = this.items.slice(this.gone);
      this.gone = 0;
    }
    return item;
  }

  copy(): Ring<T> {
    const other = new Ring<T>(this.limit);
    other.items = this.items.slice(this.gone);
    other.first = this.first;
    return other;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let i = this.gone; i < this.items.length; i++) {
      yield this.items[i]!;
    }
  }
}
