/**
 * The wire's lane: frames go in, one after the other; packets with their notes, messages and connections come out. The
 * same for a live ring and for a file. Everything handed out is lent for the length of the call.
 */
import type { Decoder, Side } from './app/decoder.ts';
import { Conversation, type Spoken, type Trouble } from './conversation.ts';
import { dissect, dissectNetwork } from './dissect.ts';
import type { Flow } from './flows.ts';
import { emptyHeaders, type Headers, PROBLEM } from './headers.ts';
import { checksums } from './net/checksum.ts';
import { createFragments } from './net/fragments.ts';
import { NOTE } from './notes.ts';
import { type ClosedHow, createStreams, type Streams } from './streams.ts';

export interface LaneSink {
  /** After a frame: everything about it is in the lane. Its messages were handed over before. */
  packet(lane: Lane): void;
  message(spoken: Spoken, flow: Flow, lane: Lane): void;
  /** A decoder gave up, or bytes are missing. */
  trouble(trouble: Trouble, flow: Flow, lane: Lane): void;
  closed(flow: Flow, how: ClosedHow, at: number): void;
  /** Bytes of one direction, in order: for following a conversation. */
  bytes?(flow: Flow, side: Side, bytes: Uint8Array, from: number, to: number, at: number): void;
}

export interface LaneOptions {
  readonly decoders: readonly Decoder[];
  /** False: nothing above TCP and UDP is read. */
  readonly messages: boolean;
  /** Whether checksums are computed, which costs a pass over every byte. */
  readonly checksums: boolean;
}

export interface Lane {
  readonly headers: Headers;
  /** Null when the packet belongs to no TCP or UDP flow. */
  readonly flow: Flow | null;
  readonly notes: number;
  readonly streams: Streams;
  /** Messages completed by the packet at hand. */
  readonly completed: number;
  /** Packets so far. */
  readonly count: number;
  frame(bytes: Uint8Array, from: number, to: number, wireLength: number, at: number, linkType: number): void;
  /** Enters above the link layer: a ring that listens on every interface hands frames over without it. */
  network(
    bytes: Uint8Array,
    from: number,
    to: number,
    wireLength: number,
    at: number,
    etherType: number,
  ): void;
  /** Nothing more will come. */
  finish(): void;
  /** What a user wanted to know in vain. */
  lost(): { bytes: number; fragments: number; requests: number };
}

interface Mutable extends Lane {
  flow: Flow | null;
  notes: number;
  completed: number;
  count: number;
}

export function createLane(sink: LaneSink, options: LaneOptions): Lane {
  const headers = emptyHeaders();
  const fragments = createFragments();
  let forgotten = 0;
  const budget = { pending: 0 };
  /** The flow whose conversation is being fed: a conversation does not know it. */
  let feeding: Flow;

  const listener = {
    message(spoken: Spoken): void {
      lane.completed++;
      sink.message(spoken, feeding, lane);
    },
    trouble(trouble: Trouble): void {
      sink.trouble(trouble, feeding, lane);
    },
  };

  function conversationOf(flow: Flow): Conversation {
    feeding = flow;
    let conversation = flow.attached as Conversation | null;
    if (conversation === null) {
      const client = flow.ends[flow.clientEnd];
      const server = flow.ends[1 - flow.clientEnd]!;
      conversation = new Conversation(
        {
          transport: flow.protocol === 6 ? 'tcp' : 'udp',
          clientPort: client.port,
          serverPort: server.port,
          midStream: flow.midStream,
        },
        options.decoders,
        listener,
        undefined,
        budget,
      );
      flow.attached = conversation;
    }
    return conversation;
  }

  const sideOf = (flow: Flow, sender: 0 | 1): Side => (sender === flow.clientEnd ? 'client' : 'server');

  const streams = createStreams({
    data(flow, sender, bytes, from, to, at) {
      if (options.messages) {
        conversationOf(flow).feed(sideOf(flow, sender), bytes, from, to, at);
      }
      sink.bytes?.(flow, sideOf(flow, sender), bytes, from, to, at);
    },
    gap(flow, sender, count, at) {
      if (options.messages) {
        conversationOf(flow).gap(sideOf(flow, sender), count, at);
      }
    },
    datagram(flow, sender, bytes, from, to, at) {
      if (options.messages) {
        conversationOf(flow).datagram(sideOf(flow, sender), bytes, from, to, at);
      }
      sink.bytes?.(flow, sideOf(flow, sender), bytes, from, to, at);
    },
    ended(flow, sender, at) {
      if (flow.attached !== null) {
        feeding = flow;
        (flow.attached as Conversation).end(sideOf(flow, sender), at);
      }
    },
    closed(flow, how, at) {
      const conversation = flow.attached as Conversation | null;
      if (conversation !== null) {
        feeding = flow;
        conversation.end('client', at);
        conversation.end('server', at);
        forgotten += conversation.forgotten;
        flow.attached = null;
      }
      sink.closed(flow, how, at);
    },
  });

  const lane: Mutable = {
    headers,
    streams,
    flow: null,
    notes: 0,
    completed: 0,
    count: 0,
    frame(bytes, from, to, wireLength, at, linkType) {
      begin(bytes, from, to, wireLength, at);
      headers.linkType = linkType;
      headers.direction = -1;
      dissect(headers);
      analyse();
    },
    network(bytes, from, to, wireLength, at, etherType) {
      begin(bytes, from, to, wireLength, at);
      dissectNetwork(headers, etherType);
      analyse();
    },
    finish: () => streams.finish(headers.at),
    lost: () => ({ bytes: streams.lost, fragments: fragments.dropped, requests: forgotten }),
  };

  function begin(bytes: Uint8Array, from: number, to: number, wireLength: number, at: number): void {
    headers.bytes = bytes;
    headers.from = from;
    headers.to = to;
    headers.wireLength = wireLength;
    headers.at = at;
  }

  function analyse(): void {
    lane.count++;
    lane.completed = 0;
    lane.flow = null;
    let notes = 0;
    if (headers.problem !== PROBLEM.none) {
      notes = problemNote();
    }
    if (options.checksums && headers.net !== 0) {
      const { ip, transport } = checksums(headers);
      if (ip === 'bad' || transport === 'bad') {
        notes |= NOTE['bad-checksum'];
      }
    }
    if (headers.payloadAt >= 0 && (headers.protocol === 6 || headers.protocol === 17)) {
      notes |= streams.packet(headers);
      lane.flow = streams.flow;
    }
    lane.notes = notes;
    sink.packet(lane);
  }

  /** A fragment that completes its datagram is that datagram. */
  function problemNote(): number {
    switch (headers.problem) {
      case PROBLEM.truncated:
        return NOTE.truncated;
      case PROBLEM.malformed:
        return NOTE.malformed;
      default:
        fragments.add(headers);
        return NOTE.fragment;
    }
  }

  return lane;
}
