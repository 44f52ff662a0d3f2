/** What a face of `dial` is: the pipe and the terminal. */
import type { Talk } from '../make/dial/talk.ts';

export interface DialFace {
  /** One or more lines for people, without a line end. */
  say(text: string): void;
  /** Bytes of the peer. False: not more before `talk.drained`. */
  arrived(bytes: Uint8Array): boolean;
  /** More may be sent. */
  room(): void;
  /** Telnet: who echoes, and whether keys are sent one by one. */
  mode(character: boolean, echo: boolean): void;
  /** Reads from now on. */
  begin(talk: Talk): void;
  /** Everything is written and the terminal is as it was. */
  end(): Promise<void>;
}

const CR = 13;
const LF = 10;

/** Line ends become CR LF; those that are already are left alone, also across chunks. */
export function createLineEnds(): (bytes: Uint8Array) => Uint8Array {
  let last = 0;
  return (bytes) => {
    const out: number[] = [];
    for (const byte of bytes) {
      if (byte === LF && last !== CR) {
        out.push(CR);
      }
      out.push(byte);
      last = byte;
    }
    return Uint8Array.from(out);
  };
}
