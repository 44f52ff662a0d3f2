/** A chunked body, read strictly and forgotten (RFC 9112, section 7.1): what is lenient elsewhere is an attack here. */

const Phase = {
  size: 0,
  extension: 1,
  sizeEnd: 2,
  data: 3,
  dataCr: 4,
  dataLf: 5,
  trailer: 6,
  done: 7,
} as const;

export interface Chunks {
  phase: number;
  digits: number;
  left: number;
  /** Of all chunks together. */
  length: number;
  /** Of extensions and trailers: nobody needs many. */
  around: number;
  /** The last bytes of the trailer that was read, to find its end. */
  tail: number;
  /** What is wrong with it; empty while nothing is. */
  why: string;
}

const MOST_DIGITS = 13;
const MOST_AROUND = 8192;
const CR = 13;
const LF = 10;
const SEMICOLON = 59;
const LINE_END = (CR << 8) | LF;

export function newChunks(): Chunks {
  return { phase: Phase.size, digits: 0, left: 0, length: 0, around: 0, tail: LINE_END, why: '' };
}

export function chunksDone(chunks: Chunks): boolean {
  return chunks.phase === Phase.done;
}

/** Where it stopped: at `to`, behind the body, or -1 and `why`. */
export function readChunks(chunks: Chunks, bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && chunks.phase !== Phase.done) {
    if (chunks.phase === Phase.data) {
      const taken = Math.min(chunks.left, to - at);
      chunks.left -= taken;
      at += taken;
      if (chunks.left === 0) {
        chunks.phase = Phase.dataCr;
      }
    } else {
      const byte = bytes[at]!;
      at++;
      step(chunks, byte);
      if (chunks.why !== '') {
        return -1;
      }
    }
  }
  return at;
}

function step(chunks: Chunks, byte: number): void {
  switch (chunks.phase) {
    case Phase.size:
      size(chunks, byte);
      break;
    case Phase.extension:
      if (byte === CR) {
        chunks.phase = Phase.sizeEnd;
      } else if (byte === LF || ++chunks.around > MOST_AROUND) {
        chunks.why = byte === LF ? 'a chunk size ends without CR' : 'chunk extensions without end';
      }
      break;
    case Phase.sizeEnd:
      if (byte !== LF) {
        chunks.why = 'a CR stands alone behind a chunk size';
      } else if (chunks.left === 0) {
        chunks.phase = Phase.trailer;
        chunks.tail = LINE_END;
      } else {
        chunks.length += chunks.left;
        chunks.phase = Phase.data;
      }
      break;
    case Phase.dataCr:
      chunks.phase = Phase.dataLf;
      if (byte !== CR) {
        chunks.why = 'a chunk is longer than its size';
      }
      break;
    case Phase.dataLf:
      if (byte !== LF) {
        chunks.why = 'a chunk is longer than its size';
      }
      chunks.phase = Phase.size;
      chunks.digits = 0;
      break;
    case Phase.trailer:
      trailer(chunks, byte);
      break;
  }
}

function size(chunks: Chunks, byte: number): void {
  const letter = byte | 32;
  const digit = byte >= 48 && byte <= 57 ? byte - 48 : letter >= 97 && letter <= 102 ? letter - 87 : -1;
  if (digit >= 0) {
    chunks.left = chunks.digits === 0 ? digit : chunks.left * 16 + digit;
    if (++chunks.digits > MOST_DIGITS) {
      chunks.why = 'a chunk size that no chunk can have';
    }
  } else if (chunks.digits === 0) {
    chunks.why = 'a chunk size is not a hexadecimal number';
  } else if (byte === CR) {
    chunks.phase = Phase.sizeEnd;
  } else if (byte === SEMICOLON) {
    chunks.phase = Phase.extension;
  } else {
    chunks.why = 'a chunk size is not a hexadecimal number';
  }
}

/** Ends with an empty line; a lone CR or LF would be read as an end by others. */
function trailer(chunks: Chunks, byte: number): void {
  const last = chunks.tail & 0xff;
  if ((byte === LF) !== (last === CR)) {
    chunks.why = 'a trailer line ends without CR LF';
    return;
  }
  if (chunks.tail === ((LF << 8) | CR) && byte === LF) {
    chunks.phase = Phase.done;
    return;
  }
  // At the very beginning an empty line means: no trailers.
  chunks.tail = ((last << 8) | byte) & 0xffff;
  if (++chunks.around > MOST_AROUND) {
    chunks.why = 'trailers without end';
  }
}
