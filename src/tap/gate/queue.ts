/** Bytes in the order in which they came, taken from the front in any lengths. */
export class Queue {
  length = 0;
  private readonly chunks: Uint8Array[] = [];
  private readonly times: number[] = [];
  /** Of the first chunk, what was taken already. */
  private start = 0;
  private first = 0;

  put(bytes: Uint8Array, readAt: number): void {
    if (bytes.length > 0) {
      this.chunks.push(bytes);
      this.times.push(readAt);
      this.length += bytes.length;
    }
  }

  /** Gives the first `count` bytes away, in the pieces in which they came. */
  pass(count: number, to: { pass(bytes: Uint8Array, readAt: number): void }): void {
    let left = Math.min(count, this.length);
    while (left > 0) {
      const chunk = this.chunks[this.first]!;
      const readAt = this.times[this.first]!;
      const size = Math.min(left, chunk.length - this.start);
      const piece = size === chunk.length ? chunk : chunk.subarray(this.start, this.start + size);
      this.advance(size);
      left -= size;
      to.pass(piece, readAt);
    }
  }

  /** The first `count` bytes as one, and they are gone. */
  take(count: number): Uint8Array {
    const whole = this.peek(0, count);
    this.drop(count);
    return whole;
  }

  /** A copy. */
  peek(from: number, count: number): Uint8Array {
    const whole = new Uint8Array(Math.max(0, Math.min(count, this.length - from)));
    let skip = from + this.start;
    let at = 0;
    for (let i = this.first; at < whole.length; i++) {
      const chunk = this.chunks[i]!;
      if (skip < chunk.length) {
        const part = chunk.subarray(skip, Math.min(chunk.length, skip + whole.length - at));
        whole.set(part, at);
        at += part.length;
        skip = 0;
      } else {
        skip -= chunk.length;
      }
    }
    return whole;
  }

  drop(count: number): void {
    let left = Math.min(count, this.length);
    while (left > 0) {
      const size = Math.min(left, this.chunks[this.first]!.length - this.start);
      this.advance(size);
      left -= size;
    }
  }

  /** When the first byte was read. */
  readAt(): number {
    return this.times[this.first] ?? 0;
  }

  private advance(size: number): void {
    this.start += size;
    this.length -= size;
    if (this.start === this.chunks[this.first]!.length) {
      this.start = 0;
      this.first++;
      if (this.first === this.chunks.length || this.first > 1024) {
        this.chunks.splice(0, this.first);
        this.times.splice(0, this.first);
        this.first = 0;
      }
    }
  }
}
