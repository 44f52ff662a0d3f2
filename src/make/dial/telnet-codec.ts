/** Telnet's bytes (RFC 854): commands behind IAC, data between them, and the line ends of the network virtual terminal. */
import { DO, DONT, type Verb, WILL, WONT } from './telnet-options.ts';

export const IAC = 255;
const SB = 250;
const SE = 240;
const CR = 13;
const LF = 10;
const NUL = 0;
/** The longest that means something to us is one byte; a terminal's list of names might be longer. */
const MOST_SUBNEGOTIATION = 512;

export type TelnetToken =
  | { readonly type: 'data'; readonly bytes: Uint8Array }
  | { readonly type: 'option'; readonly verb: Verb; readonly option: number }
  /** Longer ones are cut: `bytes` has at most 512. */
  | { readonly type: 'subnegotiation'; readonly option: number; readonly bytes: Uint8Array }
  /** AYT, GA, NOP, … */
  | { readonly type: 'command'; readonly code: number };

export interface TelnetDecoder {
  decode(bytes: Uint8Array): TelnetToken[];
}

function isVerb(byte: number): byte is Verb {
  return byte === DO || byte === DONT || byte === WILL || byte === WONT;
}

type Place = 'data' | 'iac' | 'verb' | 'sb-option' | 'sb' | 'sb-iac';

/** Chunks may end anywhere. CR LF becomes LF and CR NUL becomes CR. */
export function createTelnetDecoder(): TelnetDecoder {
  let place: Place = 'data';
  let verb: Verb = DO;
  let option = -1;
  let afterReturn = false;
  let sub: number[] = [];

  return {
    decode(bytes) {
      const tokens: TelnetToken[] = [];
      const data = new Uint8Array(bytes.length + 1);
      let length = 0;
      let from = 0;
      const flush = (): void => {
        if (length > from) {
          tokens.push({ type: 'data', bytes: data.subarray(from, length) });
          from = length;
        }
      };
      const put = (byte: number): void => {
        if (afterReturn) {
          afterReturn = false;
          // A CR alone is no NVT, but servers send it, and it still is a CR.
          data[length++] = byte === LF ? LF : CR;
          if (byte === LF || byte === NUL) {
            return;
          }
        }
        if (byte === CR) {
          afterReturn = true;
        } else {
          data[length++] = byte;
        }
      };
      for (const byte of bytes) {
        switch (place) {
          case 'data':
            if (byte === IAC) {
              place = 'iac';
            } else {
              put(byte);
            }
            break;
          case 'iac':
            place = 'data';
            if (byte === IAC) {
              put(IAC);
            } else if (isVerb(byte)) {
              verb = byte;
              place = 'verb';
            } else if (byte === SB) {
              place = 'sb-option';
            } else {
              flush();
              tokens.push({ type: 'command', code: byte });
            }
            break;
          case 'verb':
            place = 'data';
            flush();
            tokens.push({ type: 'option', verb, option: byte });
            break;
          case 'sb-option':
            option = byte;
            sub = [];
            place = 'sb';
            break;
          case 'sb':
            if (byte === IAC) {
              place = 'sb-iac';
            } else if (sub.length < MOST_SUBNEGOTIATION) {
              sub.push(byte);
            }
            break;
          case 'sb-iac':
            place = byte === SE ? 'data' : 'sb';
            if (byte === SE) {
              flush();
              tokens.push({ type: 'subnegotiation', option, bytes: Uint8Array.from(sub) });
            } else if (byte === IAC && sub.length < MOST_SUBNEGOTIATION) {
              sub.push(IAC);
            }
            break;
        }
      }
      flush();
      return tokens;
    },
  };
}

export interface TelnetEncoder {
  /** Lines: LF and CR LF become CR LF, a CR alone becomes CR NUL. A CR at the end waits for what follows it. */
  lines(bytes: Uint8Array): Uint8Array;
  /** Keys as they are pressed: nothing waits. */
  keys(bytes: Uint8Array): Uint8Array;
  /** What waited. */
  end(): Uint8Array;
}

export function createTelnetEncoder(): TelnetEncoder {
  let afterReturn = false;

  function encode(bytes: Uint8Array, waits: boolean): Uint8Array {
    const out: number[] = [];
    for (const byte of bytes) {
      if (afterReturn) {
        afterReturn = false;
        out.push(CR, byte === LF ? LF : NUL);
        if (byte === LF) {
          continue;
        }
      }
      if (byte === CR) {
        afterReturn = true;
      } else if (byte === LF && waits) {
        out.push(CR, LF);
      } else if (byte === IAC) {
        out.push(IAC, IAC);
      } else {
        out.push(byte);
      }
    }
    return Uint8Array.from(waits ? out : [...out, ...end()]);
  }

  function end(): Uint8Array {
    const waited = afterReturn ? [CR, NUL] : [];
    afterReturn = false;
    return Uint8Array.from(waited);
  }

  return { lines: (bytes) => encode(bytes, true), keys: (bytes) => encode(bytes, false), end };
}

export function optionBytes(verb: Verb, option: number): Uint8Array {
  return Uint8Array.of(IAC, verb, option);
}

export function subnegotiationBytes(option: number, bytes: Uint8Array): Uint8Array {
  const escaped = [...bytes].flatMap((byte) => (byte === IAC ? [IAC, IAC] : [byte]));
  return Uint8Array.of(IAC, SB, option, ...escaped, IAC, SE);
}
