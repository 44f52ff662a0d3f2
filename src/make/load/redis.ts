/** A command of Redis, and whatever reply comes, in either version of its protocol. */
import { SockscopeError } from '../../errors.ts';
import { type LoadKind, NOT_THIS_PROTOCOL, type Recogniser } from './kind.ts';

const MOST_DIGITS = 15;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

const FINE = 0;
const REFUSED = 1;

export const kind: LoadKind = {
  name: 'redis',
  about: 'a command (PING, or what --command says) and its reply',
  manner: 'talk',
  counts: 'requests',
  canReconnect: true,
  request({ command }) {
    const words = command.length === 0 ? ['PING'] : command;
    if (/^(P?SUBSCRIBE|SSUBSCRIBE|MONITOR|CLIENT|QUIT|SHUTDOWN)$/i.test(words[0]!) && words[1] !== 'ID') {
      throw new SockscopeError(
        'LOAD_COMMAND',
        `${words[0]!.toUpperCase()} is not answered with one reply each time.`,
        'Take a command that is: PING, GET key, SET key value.',
        2,
      );
    }
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    return Buffer.from(`*${words.length}\r\n${parts.join('')}`);
  },
  recogniser: replies,
  badStatus: (status) => (status === FINE ? null : 'error reply'),
};

/** Where in an item of RESP the last bytes ended. */
const TYPE = 0;
const NUMBER = 1;
const TEXT = 2;
const BYTES = 3;

function replies(): Recogniser {
  let state = TYPE;
  let type = 0;
  /** Items still to come, the one being read among them. */
  let items = 1;
  let number = 0;
  let digits = 0;
  let negative = false;
  /** Bytes of a string still to come, with its CRLF. */
  let left = 0;
  let outermost = true;

  const made = {
    done: false,
    status: FINE,
    last: false,
    take(bytes: Uint8Array, from: number, to: number): number {
      made.done = false;
      for (let at = from; at < to; ) {
        if (state === BYTES) {
          const passed = Math.min(left, to - at);
          left -= passed;
          at += passed;
          if (left > 0) {
            return at;
          }
          if (itemEnded()) {
            return at;
          }
          continue;
        }
        const byte = bytes[at++]!;
        if (state === TYPE) {
          if (!begin(byte)) {
            return NOT_THIS_PROTOCOL;
          }
        } else if (byte === LINE_FEED) {
          if (lineEnded()) {
            return at;
          }
        } else if (state === NUMBER && !digit(byte)) {
          return NOT_THIS_PROTOCOL;
        }
      }
      return to;
    },
    ended: () => false,
    reset() {
      state = TYPE;
      items = 1;
      outermost = true;
      made.done = false;
    },
  };

  function begin(byte: number): boolean {
    type = byte;
    if (outermost) {
      made.status = type === 0x2d || type === 0x21 ? REFUSED : FINE; // - !
      outermost = false;
    }
    number = 0;
    digits = 0;
    negative = false;
    switch (byte) {
      case 0x2b: // + simple string
      case 0x2d: // - error
      case 0x3a: // : integer
      case 0x5f: // _ null
      case 0x23: // # boolean
      case 0x2c: // , double
      case 0x28: // ( big number
        state = TEXT;
        return true;
      case 0x24: // $ string
      case 0x21: // ! long error
      case 0x3d: // = verbatim string
      case 0x2a: // * array
      case 0x7e: // ~ set
      case 0x3e: // > push
      case 0x25: // % map
      case 0x7c: // | attributes
        state = NUMBER;
        return true;
      default:
        return false;
    }
  }

  function digit(byte: number): boolean {
    if (byte === CARRIAGE_RETURN) {
      return true;
    }
    if (byte === 0x2d && digits === 0) {
      negative = true;
      return true;
    }
    number = number * 10 + (byte - 0x30);
    digits++;
    return byte >= 0x30 && byte <= 0x39 && digits <= MOST_DIGITS;
  }

  /** True when the reply ends with this line. */
  function lineEnded(): boolean {
    if (state === TEXT || negative) {
      return itemEnded();
    }
    switch (type) {
      case 0x24:
      case 0x21:
      case 0x3d:
        left = number + 2;
        state = BYTES;
        return false;
      case 0x25:
        items += number * 2;
        return itemEnded();
      case 0x7c:
        // What the attributes belong to follows them.
        items += number * 2 + 1;
        return itemEnded();
      default:
        items += number;
        return itemEnded();
    }
  }

  function itemEnded(): boolean {
    state = TYPE;
    items--;
    if (items > 0) {
      return false;
    }
    items = 1;
    outermost = true;
    made.done = true;
    return true;
  }

  return made;
}
