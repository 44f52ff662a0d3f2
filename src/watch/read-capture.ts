/** A capture file for a program: its packets, messages and connections as plain events. */
import { closeSync } from 'node:fs';
import { SockscopeError } from '../errors.ts';
import type { Message, Packet } from '../session/events.ts';
import { type Ended, wireEvents } from '../session/from-wire.ts';
import { decoders, vocabulary } from '../wire/app/decoders.ts';
import { type DisplayFilter, displayFilter } from '../wire/display/filter.ts';
import type { Subject } from '../wire/display/subject.ts';
import type { Flow } from '../wire/flows.ts';
import { type Heard, heard } from '../wire/heard.ts';
import { createLane, type Lane } from '../wire/lane.ts';
import { createReader } from '../wire/pcapng.ts';
import { openCapture, pieces } from './capture-file.ts';

export interface CaptureOptions {
  /** A display filter: `redis.command == "SET" and latency > 20ms`. */
  readonly filter?: string;
  /** Secrets as they are; otherwise they are masked. */
  readonly reveal?: boolean;
  readonly packet?: (packet: Packet) => void;
  readonly message?: (message: Message) => void;
  readonly connection?: (connection: Ended) => void;
}

export interface CaptureSummary {
  packets: number;
  /** Wall-clock nanoseconds since 1970 at which `at` is 0: the first packet. Null when there was none. */
  startedAtNs: bigint | null;
  /** Where and why reading ended early, or null. */
  trouble: string | null;
  lost: { bytes: number; fragments: number; requests: number };
}

const ETHERNET = 1;

/** Reads the whole file; the handlers are called in its order. Memory does not grow with the file. */
export function readCapture(path: string, options: CaptureOptions): CaptureSummary {
  const filter = parsed(options.filter ?? '');
  const events = wireEvents('', 0);
  const reveal = options.reveal === true;
  const links: number[] = [];
  const summary: CaptureSummary = {
    packets: 0,
    startedAtNs: null,
    trouble: null,
    lost: { bytes: 0, fragments: 0, requests: 0 },
  };
  let pending: Heard[] = [];
  let baseSeconds = 0;
  let baseNanoseconds = 0;

  const subject: Subject = { lane: null, flow: null, messages: [], message: null, owners: () => [] };
  function matches(lane: Lane | null, flow: Flow | null, messages: readonly Heard[]): boolean {
    subject.lane = lane;
    subject.flow = flow;
    subject.messages = messages;
    return filter === null || filter.matches(subject);
  }

  const lane = createLane(
    {
      packet(at) {
        if (options.packet !== undefined && matches(at, at.flow, pending)) {
          options.packet(events.packet(at, ''));
        }
        pending = [];
      },
      message(spoken, flow) {
        const message = heard(spoken, reveal);
        if (options.packet !== undefined) {
          pending.push(message);
        }
        if (options.message !== undefined && matches(null, flow, [message])) {
          options.message(events.message(message, flow));
        }
      },
      trouble() {},
      closed(flow, how) {
        if (options.connection !== undefined && matches(null, flow, [])) {
          options.connection(events.ended(flow, how, () => ''));
        }
      },
    },
    { decoders, messages: options.message !== undefined || filter?.needsMessages === true, checksums: false },
  );

  const reader = createReader({
    interface(index, about) {
      links[index] = about.linkType;
    },
    packet(bytes, from, to, wireLength, seconds, nanoseconds, interfaceIndex) {
      if (summary.packets++ === 0) {
        baseSeconds = seconds;
        baseNanoseconds = nanoseconds;
        summary.startedAtNs = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
      }
      const at = (seconds - baseSeconds) * 1e9 + (nanoseconds - baseNanoseconds);
      lane.frame(bytes, from, to, wireLength, at, links[interfaceIndex] ?? ETHERNET);
    },
    trouble(_offset, sentence) {
      summary.trouble = sentence;
    },
  });

  const fd = openCapture(path);
  try {
    for (const _ of pieces(fd, reader)) {
      // The reader has called the handlers.
    }
    lane.finish();
  } finally {
    closeSync(fd);
  }
  summary.lost = lane.lost();
  return summary;
}

function parsed(text: string): DisplayFilter | null {
  if (text === '') {
    return null;
  }
  const filter = displayFilter(text, vocabulary(decoders));
  if ('matches' in filter) {
    return filter;
  }
  throw new SockscopeError(
    'DISPLAY_FILTER',
    `${filter.message}\n  ${text}\n  ${' '.repeat(filter.at)}${'^'.repeat(filter.length)}`,
    `Possible here: ${filter.expected.join(', ')}.`,
    2,
  );
}
