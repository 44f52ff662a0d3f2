/** The ring of a perf event (perf_event_open(2)), and the records in it. Pure: it works on whatever memory it is given. */

/** Offsets of struct perf_event_mmap_page, as 64-bit words. */
const DATA_HEAD = 1024 / 8;
const DATA_TAIL = 1032 / 8;
const HEADER = 8;
export const RECORD_LOST = 2;
export const RECORD_SAMPLE = 9;

export interface RingVisitor {
  /** A sample's payload, record[at, end). The bytes are only good during the call. */
  sample(record: Uint8Array, at: number, end: number): void;
  lost(count: number): void;
}

export interface RingReader {
  read(visit: RingVisitor): void;
}

/** `memory`: the control page and behind it the data, whose size is a power of two. */
export function createRing(memory: ArrayBuffer, page: number): RingReader {
  const control = new BigUint64Array(memory, 0, page / 8);
  const data = new Uint8Array(memory, page);
  const size = data.length;
  const apart = new Uint8Array(0x1_0000);

  function record(tail: number, length: number): { bytes: Uint8Array; at: number } {
    const at = tail % size;
    if (at + length <= size) {
      return { bytes: data, at };
    }
    const first = size - at;
    apart.set(data.subarray(at), 0);
    apart.set(data.subarray(0, length - first), first);
    return { bytes: apart, at: 0 };
  }

  return {
    read(visit) {
      // The kernel writes the head last, so whatever lies before it is whole; the tail tells it what may be overwritten.
      const head = Number(Atomics.load(control, DATA_HEAD));
      let tail = Number(Atomics.load(control, DATA_TAIL));
      while (head - tail >= HEADER) {
        // Records are multiples of 8 bytes, so a header never wraps.
        const start = tail % size;
        const length = data[start + 6]! | (data[start + 7]! << 8);
        if (length < HEADER || length > head - tail || length > size) {
          tail = head;
          break;
        }
        const { bytes, at } = record(tail, length);
        const type = (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)) >>> 0;
        if (type === RECORD_SAMPLE) {
          visit.sample(bytes, at + HEADER, at + length);
        } else if (type === RECORD_LOST && length >= 24) {
          visit.lost(new DataView(bytes.buffer, bytes.byteOffset + at + 16, 8).getUint32(0, true));
        }
        tail += length;
      }
      Atomics.store(control, DATA_TAIL, BigInt(tail));
    },
  };
}
