/** Bytes as whole lines, so that those of several hosts do not run into each other. */
import { Writable } from 'node:stream';

/** A longer line is handed on in pieces: a host that sends no line end must not fill our memory. */
const LONGEST = 64 * 1024;
const LINE_END = 0x0a;

/** Each line with its line end; the last one may have none. `tell` gets memory of its own. */
export function lineSink(tell: (line: Buffer) => void): Writable {
  let kept: Buffer[] = [];
  let length = 0;
  const flush = (): void => {
    if (length > 0) {
      const line = Buffer.concat(kept);
      kept = [];
      length = 0;
      tell(line);
    }
  };
  const keep = (piece: Buffer): void => {
    kept.push(piece);
    length += piece.length;
  };
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (let from = 0; from < chunk.length; ) {
        const end = chunk.indexOf(LINE_END, from);
        const to = Math.min(end === -1 ? chunk.length : end + 1, from + LONGEST - length);
        keep(chunk.subarray(from, to));
        if (to === end + 1 || length === LONGEST) {
          flush();
        }
        from = to;
      }
      done();
    },
    final(done) {
      flush();
      done();
    },
  });
}
