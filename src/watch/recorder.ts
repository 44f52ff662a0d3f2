/** A live capture as pcapng: frames as they came, who holds their connection as a comment, our own events as journal entries. */
import { hostname, release, type as systemName } from 'node:os';
import type { Frame } from '../kernel/ring.ts';
import type { Event } from '../session/events.ts';
import { encode } from '../session/ndjson.ts';
import { emptyOut, type Out, reserve } from '../wire/bytes-out.ts';
import {
  writeInterface,
  writeJournal,
  writePacket,
  writeSection,
  writeStatistics,
} from '../wire/pcapng-writer.ts';
import type { Link } from './live.ts';

/** Handed to the system when so much has gathered, or at the end of a turn: little enough to be in the processor's cache still. */
const PAGE = 64 * 1024;
/** LINKTYPE_LINUX_SLL2: twenty bytes in front of the network header. */
const SLL2 = 20;
const MOST_ADDRESS = 8;
const LOOPBACK = 1;

export interface Recorder {
  packet(frame: Frame, link: number, comments: string[] | undefined): void;
  event(event: Event, seconds: number, nanoseconds: number, text: string): void;
  /** Everything so far goes to the file. */
  flush(): void;
  finish(
    seconds: number,
    nanoseconds: number,
    counts: { readonly packets: number; readonly drops: number },
  ): void;
}

export interface RecorderOptions {
  readonly version: string;
  readonly links: readonly Link[];
  readonly snapLength: number;
  readonly filter: string;
  readonly write: (bytes: Uint8Array) => void;
}

export function createRecorder(options: RecorderOptions): Recorder {
  const out: Out = emptyOut(2 * PAGE);
  let cookedFrame = new Uint8Array(65_536 + SLL2);
  const cookedView = (): DataView => new DataView(cookedFrame.buffer);
  let view = cookedView();

  writeSection(out, {
    application: `sockscope ${options.version}`,
    os: `${systemName()} ${release()}`,
    hardware: hostname(),
  });
  for (const { name, linkType } of options.links) {
    writeInterface(out, {
      linkType,
      snapLength: options.snapLength,
      name,
      ...(options.filter === '' ? {} : { filter: options.filter }),
    });
  }

  /** The header that a capture on `any` has in a file; the ring gave its parts. */
  function cooked(frame: Frame): number {
    const length = frame.to - frame.from;
    if (length + SLL2 > cookedFrame.length) {
      cookedFrame = new Uint8Array(2 * (length + SLL2));
      view = cookedView();
    }
    view.setUint16(0, frame.protocol);
    view.setUint16(2, 0);
    view.setInt32(4, frame.ifindex);
    view.setUint16(8, frame.device);
    cookedFrame[10] = frame.direction;
    const addressLength = Math.min(frame.addressLength, MOST_ADDRESS);
    cookedFrame[11] = frame.addressLength;
    cookedFrame.fill(0, 12, 20);
    for (let i = 0; i < addressLength; i++) {
      cookedFrame[12 + i] = frame.bytes[frame.addressAt + i]!;
    }
    cookedFrame.set(frame.bytes.subarray(frame.from, frame.to), SLL2);
    return length + SLL2;
  }

  function flush(): void {
    if (out.length > 0) {
      options.write(out.bytes.subarray(0, out.length));
      out.length = 0;
    }
  }

  return {
    flush,
    packet(frame, link, comments) {
      const { seconds, nanoseconds } = frame;
      // epb_flags: 1 came in, 2 went out. On the loopback it would say nothing, and twelve bytes a packet are a tenth of a small one.
      const flags = frame.ifindex === LOOPBACK ? 0 : frame.direction === 4 ? 2 : 1;
      if (options.links[link]!.cooked) {
        const length = cooked(frame);
        writePacket(
          out,
          link,
          seconds,
          nanoseconds,
          cookedFrame,
          0,
          length,
          frame.wireLength + SLL2,
          comments,
          flags,
        );
      } else {
        writePacket(
          out,
          link,
          seconds,
          nanoseconds,
          frame.bytes,
          frame.from,
          frame.to,
          frame.wireLength,
          comments,
          flags,
        );
      }
      if (out.length > PAGE) {
        flush();
      }
    },
    event(event, seconds, nanoseconds, text) {
      reserve(out, text.length);
      writeJournal(out, seconds, nanoseconds, [
        ['MESSAGE', text],
        ['PRIORITY', '6'],
        ['SYSLOG_IDENTIFIER', 'sockscope'],
        ['SOCKSCOPE_EVENT', encode(event)],
      ]);
    },
    finish(seconds, nanoseconds, { packets, drops }) {
      options.links.forEach((_, index) => {
        // The rings are counted together: the first interface carries the sum.
        if (index === 0) {
          writeStatistics(out, index, seconds, nanoseconds, { received: packets + drops, dropped: drops });
        }
      });
      flush();
    },
  };
}
