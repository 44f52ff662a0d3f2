/** Cuts a stream into JSON texts, which need nothing between them but may have white space (Go's json.Decoder reads such a stream). */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const DEEPEST = 512;

export interface Frames {
  /** Calls `each` for every text that is complete; what is wrong, or '' . Bytes are borrowed. */
  take(bytes: Uint8Array, from: number, to: number, each: (text: string) => void): string;
  /** Bytes of a text that is not complete. */
  readonly held: number;
}

export function createFrames(most: number): Frames {
  let depth = 0;
  let inString = false;
  let escaped = false;
  let held: Buffer[] = [];
  let heldLength = 0;

  return {
    get held() {
      return heldLength;
    },
    take(bytes, from, to, each) {
      let start = from;
      for (let at = from; at < to; at++) {
        const byte = bytes[at]!;
        if (inString) {
          if (escaped) {
            escaped = false;
          } else if (byte === BACKSLASH) {
            escaped = true;
          } else if (byte === QUOTE) {
            inString = false;
          }
        } else if (byte === QUOTE && depth > 0) {
          inString = true;
        } else if (byte === 0x7b || byte === 0x5b) {
          if (depth === 0) {
            start = at;
          }
          if (++depth > DEEPEST) {
            return 'it is nested too deeply';
          }
        } else if (byte === 0x7d || byte === 0x5d) {
          if (--depth < 0) {
            return 'a bracket closes nothing';
          }
          if (depth === 0) {
            const piece = Buffer.from(bytes.buffer, bytes.byteOffset + start, at + 1 - start);
            const whole = heldLength === 0 ? piece : Buffer.concat([...held, piece]);
            held = [];
            heldLength = 0;
            start = at + 1;
            each(whole.toString('utf8'));
          }
        } else if (depth === 0 && byte > SPACE) {
          return 'a request is an object or an array';
        }
        if (depth > 0 && at - start + heldLength > most) {
          return `a request is longer than ${most} bytes`;
        }
      }
      if (depth > 0) {
        held.push(Buffer.from(bytes.slice(start, to)));
        heldLength += to - start;
      }
      return '';
    },
  };
}
