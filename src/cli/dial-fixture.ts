/** Streams in place of a terminal or a pipe, for the tests of `dial`. */
import { PassThrough, Writable } from 'node:stream';
import type { DialIo } from './dial-io.ts';

export interface FakeIo extends DialIo {
  readonly input: PassThrough;
  /** What was written so far. */
  out(): Buffer;
  said(): string;
  interrupt(): void;
  readonly quits: () => number;
}

function sink(slow: boolean): { stream: Writable; chunks: Buffer[] } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    highWaterMark: 16 * 1024,
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      if (slow) {
        setImmediate(done);
      } else {
        done();
      }
    },
  });
  return { stream, chunks };
}

export function fakeIo({ slow = false } = {}): FakeIo {
  const input = new PassThrough();
  const output = sink(slow);
  const errors = sink(false);
  let interrupt = (): void => {};
  let quits = 0;
  return {
    input,
    output: output.stream,
    errors: errors.stream,
    out: () => Buffer.concat(output.chunks),
    said: () => Buffer.concat(errors.chunks).toString(),
    onInterrupt(run) {
      interrupt = run;
      return () => {};
    },
    interrupt: () => interrupt(),
    quit() {
      quits += 1;
    },
    quits: () => quits,
  };
}
