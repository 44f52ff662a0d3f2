/** Answers in memory, at most so many bytes of them: what was not used for longest goes first. */
import type { Fields } from './fields.ts';
import type { Stored } from './stored.ts';
import { matches } from './vary.ts';

/** Of one URI; Vary on what every client says differently must not push out everything else. */
const MOST_VARIANTS = 32;

export class Store {
  readonly bound: number;
  /** In the order of their last use. */
  readonly #answers = new Map<string, Stored[]>();
  #bytes = 0;

  constructor(bound: number) {
    this.bound = bound;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get uris(): number {
    return this.#answers.size;
  }

  /** Null: the URI is not known. Undefined: it is, but not for what this request has in the fields of Vary. */
  find(uri: string, request: Fields): Stored | null | undefined {
    const variants = this.#answers.get(uri);
    if (variants === undefined) {
      return null;
    }
    // The newest stands last; of several that fit it is the one to take (RFC 9111, section 4.1).
    const found = variants.findLast((one) => matches(one.varies, request));
    if (found !== undefined) {
      this.#answers.delete(uri);
      this.#answers.set(uri, variants);
    }
    return found;
  }

  put(stored: Stored): void {
    const { uri } = stored;
    const others = (this.#answers.get(uri) ?? []).filter((one) => !sameKey(one.varies, stored.varies));
    this.remove(uri);
    if (stored.bytes > this.bound) {
      return;
    }
    const variants = [...others, stored].slice(-MOST_VARIANTS);
    this.#answers.set(uri, variants);
    this.#bytes += sizeOf(variants);
    for (const [oldest, group] of this.#answers) {
      if (this.#bytes <= this.bound) {
        break;
      }
      if (oldest !== uri) {
        this.remove(oldest);
      } else {
        while (this.#bytes > this.bound && group.length > 1) {
          this.#bytes -= group.shift()!.bytes;
        }
      }
    }
  }

  remove(uri: string): void {
    this.#bytes -= sizeOf(this.#answers.get(uri) ?? []);
    this.#answers.delete(uri);
  }
}

function sameKey(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((text, i) => text === other[i]);
}

function sizeOf(variants: readonly Stored[]): number {
  return variants.reduce((sum, one) => sum + one.bytes, 0);
}
