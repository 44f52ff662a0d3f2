/** Reads capture files, pcap and pcapng, as they come: told apart by their first four bytes. */
import { pcapFormat, pcapKind } from './pcap.ts';
import { pcapngFormat } from './pcapng-blocks.ts';
import { MAGIC_WINDOW, whatElse } from './pcapng-magic.ts';
import { type Format, type Reading, trouble } from './pcapng-reading.ts';
import type { Sink } from './pcapng-sink.ts';

export interface Reader {
  /**
   * Delivers what is whole in bytes[from, to) and says how many bytes that was. The caller keeps the rest and pushes it
   * again, in front of what follows in the file. After a trouble everything counts as consumed.
   */
  push(bytes: Uint8Array, from: number, to: number): number;
  /** The file is over; `leftover` bytes of the last push were not consumed. */
  end(leftover: number): void;
  /**
   * The next push delivers nothing while it has fewer bytes than this, so the caller's buffer must hold that many
   * (never more than MAX_RECORD). 0: nothing more is wanted, because of a trouble.
   */
  readonly wants: number;
}

const MAGIC = 4;
const SECTION_HEADER = 0x0a0d0d0a;

export function createReader(sink: Sink): Reader {
  const reading: Reading = { sink, offset: 0, wants: MAGIC, packets: 0 };
  let format: Format | null = null;
  let sentence = 'the file is empty';

  function recognise(bytes: Uint8Array, from: number, to: number): void {
    if (to - from >= MAGIC) {
      const magic = new DataView(bytes.buffer, bytes.byteOffset + from, MAGIC).getUint32(0);
      const kind = pcapKind(magic);
      if (magic === SECTION_HEADER) {
        format = pcapngFormat(reading);
      } else if (kind !== null) {
        format = pcapFormat(reading, kind);
      }
    }
    if (format !== null || to === from) {
      return;
    }
    // Asked for the last time when enough is there to tell, or when the file ends.
    sentence = whatElse(bytes, from, to);
    if (to - from >= MAGIC_WINDOW) {
      trouble(reading, 0, sentence);
    } else {
      reading.wants = to - from < MAGIC ? MAGIC : MAGIC_WINDOW;
    }
  }

  return {
    get wants() {
      return reading.wants;
    },
    push(bytes, from, to) {
      if (format === null && reading.wants > 0) {
        recognise(bytes, from, to);
      }
      if (reading.wants === 0) {
        return to - from;
      }
      if (format === null) {
        return 0;
      }
      const consumed = format.push(bytes, from, to);
      reading.offset += consumed;
      return reading.wants === 0 ? to - from : consumed;
    },
    end(leftover) {
      if (reading.wants === 0) {
        return;
      }
      if (format === null) {
        trouble(reading, 0, sentence);
      } else if (leftover > 0) {
        trouble(reading, reading.offset + leftover, `the file ends inside ${format.inside(leftover)}`);
      }
    },
  };
}
