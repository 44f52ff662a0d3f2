/** `dial` as a filter: bytes in, bytes out, nothing else on standard output. Who reads slowly slows the peer down, and the reverse. */
import type { Talk } from '../make/dial/talk.ts';
import type { DialFace } from './dial-face.ts';
import type { DialIo } from './dial-io.ts';

export interface PipeOptions {
  /** False: there is no input, as after --send on a terminal. */
  readonly reads: boolean;
  /** What is written for bytes that came; the bytes themselves when absent. */
  readonly shown: (bytes: Uint8Array) => Uint8Array | string;
}

export function createPipeFace({ input, output, errors }: DialIo, { reads, shown }: PipeOptions): DialFace {
  let talk: Talk | null = null;
  let waits = false;
  const give = (bytes: Uint8Array): void => {
    if (talk?.input(bytes) === false) {
      input.pause();
    }
  };
  const end = (): void => talk?.endOfInput();
  const drained = (): void => {
    waits = false;
    talk?.drained();
  };
  return {
    say: (text) => void errors.write(`${text}\n`),
    arrived(bytes) {
      if (!output.write(shown(bytes)) && !waits) {
        waits = true;
        output.once('drain', drained);
      }
      return !waits;
    },
    room: () => void input.resume(),
    mode() {},
    begin(begun) {
      talk = begun;
      if (!reads) {
        begun.endOfInput();
        return;
      }
      input.on('data', give);
      input.once('end', end);
      // A closed standard input is an error of its first read.
      input.once('error', end);
    },
    async end() {
      input.off('data', give);
      input.off('end', end);
      input.pause();
      await new Promise<void>((resolve) => output.write('', () => resolve()));
    },
  };
}
