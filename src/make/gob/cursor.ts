/** Reads the numbers and texts of a gob stream; what is not there is a GobFault. */

export class GobFault extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** How many values may be made: so many anyhow, and so many for every byte. */
const ANYHOW = 10_000;
const EACH_BYTE = 16;

export class GobCursor {
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #purse: { left: number };
  #at: number;

  constructor(bytes: Uint8Array, from = 0, to = bytes.length, purse: { left: number } | null = null) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = from;
    this.#end = to;
    this.#purse = purse ?? { left: ANYHOW + EACH_BYTE * bytes.length };
  }

  get left(): number {
    return this.#end - this.#at;
  }

  fault(message: string): GobFault {
    return new GobFault(message, this.#at);
  }

  /** Guards against few bytes that mean much work. */
  spend(amount: number): void {
    this.#purse.left -= amount;
    if (this.#purse.left < 0) {
      throw this.fault('more values than so few bytes can mean');
    }
  }

  uint(): number | bigint {
    const first = this.#byte();
    if (first < 128) {
      return first;
    }
    const count = 256 - first;
    if (count > 8) {
      throw this.fault(`an integer of ${count} bytes`);
    }
    let value = 0n;
    for (let at = 0; at < count; at++) {
      value = (value << 8n) | BigInt(this.#byte());
    }
    return narrow(value);
  }

  int(): number | bigint {
    const raw = BigInt(this.uint());
    return narrow((raw & 1n) === 1n ? ~(raw >> 1n) : raw >> 1n);
  }

  float(): number {
    const turned = Buffer.alloc(8);
    turned.writeBigUInt64BE(BigInt(this.uint()));
    return turned.readDoubleLE();
  }

  /** How many things follow. Each of them takes a byte at least, so a number beyond what is left is wrong. */
  count(): number {
    const count = Number(this.uint());
    if (count > this.left) {
      throw this.fault(`${count} of something, in ${this.left} bytes`);
    }
    return count;
  }

  bytes(): Uint8Array {
    const count = this.count();
    this.#at += count;
    return Uint8Array.from(this.#bytes.subarray(this.#at - count, this.#at));
  }

  string(): string {
    const count = this.count();
    this.#at += count;
    return this.#bytes.toString('utf8', this.#at - count, this.#at);
  }

  /** The next bytes as a cursor of their own. */
  part(count: number): GobCursor {
    this.#at += count;
    return new GobCursor(this.#bytes, this.#at - count, this.#at, this.#purse);
  }

  finished(): void {
    if (this.left > 0) {
      throw this.fault(`${this.left} bytes too many in a message`);
    }
  }

  #byte(): number {
    if (this.#at >= this.#end) {
      throw this.fault('the stream ends in the middle');
    }
    return this.#bytes[this.#at++]!;
  }
}

function narrow(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}
