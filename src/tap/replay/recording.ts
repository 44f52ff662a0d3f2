/** A capture file (ours, tcpdump's, Wireshark's) as conversations that can be played again. */
import { SockscopeError } from '../../errors.ts';
import { decoders } from '../../wire/app/decoders.ts';
import type { Flow } from '../../wire/flows.ts';
import { createLane } from '../../wire/lane.ts';
import { createReader, type Reader } from '../../wire/pcapng.ts';
import { type Exchange, exchangesOf } from './exchanges.ts';
import { createLog, type Log, type LogWriter } from './log.ts';

/** All conversations are kept in memory: beyond this the person has to choose. */
export const MAX_RECORDED = 256 * 1024 * 1024;
const MAX_CONVERSATIONS = 65_536;
const ETHERNET = 1;
const TCP = 6;

export interface Conversation {
  /** As `open` and Wireshark count them. */
  readonly stream: number;
  readonly client: string;
  /** The address that the client had connected to. */
  readonly server: string;
  readonly serverPort: number;
  /** What was spoken first; null: nobody knows. */
  readonly decoder: string | null;
  readonly log: Log;
  readonly exchanges: readonly Exchange[];
}

export interface Recording {
  readonly conversations: readonly Conversation[];
  /** Those that cannot be played, and why. */
  readonly unfit: readonly { readonly stream: number; readonly why: string }[];
  /** Passwords in it are stars. */
  readonly masked: boolean;
  /** Where reading ended early, or null. */
  readonly trouble: string | null;
}

export interface RecordingOptions {
  /** What the file is called in sentences. */
  readonly name: string;
  /** Pushes the whole file through the reader. */
  readonly feed: (reader: Reader) => void;
  /** Only these streams; empty: all. */
  readonly streams: readonly number[];
  readonly reveal: boolean;
}

interface Reading {
  readonly writer: LogWriter;
  readonly flow: Flow;
  missing: boolean;
}

/** What is encrypted, and what that means. */
const SEALED: Readonly<Record<string, string>> = {
  tls: 'it is encrypted (TLS), and each handshake is new: record with --tls terminate or both',
  ssh: 'it is encrypted (SSH), and each handshake is new',
};

export function readRecording({ name, feed, streams, reveal }: RecordingOptions): Recording {
  const wanted = new Set(streams);
  const found: Reading[] = [];
  const byFlow = new WeakMap<Flow, Reading>();
  const links: number[] = [];
  let packets = 0;
  let tcpPackets = 0;
  let kept = 0;
  let trouble: string | null = null;
  let base = { seconds: 0, nanoseconds: 0 };

  function readingOf(flow: Flow): Reading | null {
    if (flow.protocol !== TCP || (wanted.size > 0 && !wanted.has(flow.stream))) {
      return null;
    }
    let one = byFlow.get(flow);
    if (one === undefined) {
      if (found.length >= MAX_CONVERSATIONS) {
        throw tooLarge(`more than ${MAX_CONVERSATIONS} connections`);
      }
      one = { writer: createLog(flow.ends[0].first, reveal), flow, missing: false };
      byFlow.set(flow, one);
      found.push(one);
    }
    return one;
  }

  const lane = createLane(
    {
      packet({ flow }) {
        if (flow !== null && flow.protocol === TCP) {
          tcpPackets++;
          readingOf(flow);
        }
      },
      message(spoken, flow) {
        readingOf(flow)?.writer.message(spoken);
      },
      trouble(_, flow) {
        readingOf(flow)?.writer.trouble();
      },
      bytes(flow, side, bytes, from, to, at) {
        const one = readingOf(flow);
        if (one !== null) {
          kept += to - from;
          if (kept > MAX_RECORDED) {
            throw tooLarge(`more than ${MAX_RECORDED / 1024 / 1024} MiB`);
          }
          one.writer.bytes(side, bytes, from, to, at);
        }
      },
      closed(flow, how) {
        const one = byFlow.get(flow);
        const by = how === 'reset' ? flow.resetBy : flow.finBy;
        if (one !== undefined && by >= 0 && (how === 'reset' || how === 'fin' || how === 'end of capture')) {
          const side = by === flow.clientEnd ? 'client' : 'server';
          const at = flow.ends[by as 0 | 1].last;
          one.writer.ended({ at, by: side, how: how === 'reset' ? 'reset' : 'fin' });
        }
      },
    },
    { decoders, messages: true, checksums: false },
  );

  const reader = createReader({
    interface(index, about) {
      links[index] = about.linkType;
    },
    packet(bytes, from, to, wireLength, seconds, nanoseconds, interfaceIndex) {
      if (packets++ === 0) {
        base = { seconds, nanoseconds };
      }
      const at = (seconds - base.seconds) * 1e9 + (nanoseconds - base.nanoseconds);
      lane.frame(bytes, from, to, wireLength, at, links[interfaceIndex] ?? ETHERNET);
    },
    trouble(_, sentence) {
      trouble = sentence;
    },
  });

  feed(reader);
  lane.finish();
  refuseEmpty(name, { packets, tcpPackets, trouble, links: links.length });
  return sorted(found, trouble, wanted);
}

function sorted(found: readonly Reading[], trouble: string | null, wanted: ReadonlySet<number>): Recording {
  const conversations: Conversation[] = [];
  const unfit: { stream: number; why: string }[] = [];
  for (const { writer, flow } of found) {
    const log = writer.finish();
    const decoder = log.said[0]?.heard.decoder ?? null;
    const why = unfitness(flow, log, decoder);
    if (why !== null) {
      unfit.push({ stream: flow.stream, why });
      continue;
    }
    const server = flow.ends[(1 - flow.clientEnd) as 0 | 1];
    conversations.push({
      stream: flow.stream,
      client: flow.ends[flow.clientEnd].text,
      server: server.text,
      serverPort: server.port,
      decoder,
      log,
      exchanges: exchangesOf(log),
    });
  }
  for (const stream of wanted) {
    if (!found.some(({ flow }) => flow.stream === stream)) {
      throw new SockscopeError(
        'REPLAY_STREAM',
        `There is no TCP connection number ${stream} in the recording.`,
        '`sockscope open FILE --connections` lists them with their numbers.',
        2,
      );
    }
  }
  if (conversations.length === 0) {
    const [first] = unfit;
    throw new SockscopeError(
      'REPLAY_NOTHING',
      first === undefined
        ? 'No connection in the recording can be played.'
        : `No connection in the recording can be played: of #${first.stream}, ${first.why}.`,
      'A recording must hold a connection from its first packet: `sockscope tap … -w FILE.pcapng` makes such.',
      2,
    );
  }
  return {
    conversations,
    unfit,
    masked: conversations.some(({ log }) => log.masked),
    trouble,
  };
}

function unfitness(flow: Flow, log: Log, decoder: string | null): string | null {
  if (flow.midStream) {
    return 'it began before the recording did';
  }
  const seen = flow.ends.map(({ payload }) => payload);
  if (log.client.length + log.server.length < seen[0]! + seen[1]!) {
    return 'bytes are missing in it';
  }
  if (flow.halves?.some(({ holed }) => holed) === true || flow.noteCount('acks-unseen') > 0) {
    return 'bytes are missing in it';
  }
  if (log.client.length + log.server.length === 0) {
    return 'nothing was said';
  }
  return decoder !== null && Object.hasOwn(SEALED, decoder) ? SEALED[decoder]! : null;
}

function refuseEmpty(
  name: string,
  seen: { packets: number; tcpPackets: number; trouble: string | null; links: number },
): void {
  if (seen.trouble !== null && seen.packets === 0 && seen.links === 0) {
    throw new SockscopeError(
      'REPLAY_FORMAT',
      `${name}: ${seen.trouble.replace(/, at byte 0$/, '')}.`,
      'pcap and pcapng can be played: what sockscope tap -w, sockscope watch -w, tcpdump -w and Wireshark write.',
      2,
    );
  }
  if (seen.tcpPackets === 0) {
    throw new SockscopeError(
      'REPLAY_NO_TCP',
      `${name} holds ${seen.packets === 0 ? 'no packets' : `${seen.packets} packets, and none of them is TCP`}.`,
      'Only TCP connections can be played.',
      2,
    );
  }
}

function tooLarge(what: string): SockscopeError {
  return new SockscopeError(
    'REPLAY_LARGE',
    `The recording holds ${what}, and is kept in memory while it is played.`,
    'Choose connections with --stream N; `sockscope open FILE --connections` lists them.',
    2,
  );
}
