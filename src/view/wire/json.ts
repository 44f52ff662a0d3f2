/** Packets and messages as the events of a session, one JSON object per line. */
import type { Message, Packet, TcpFlag } from '../../session/events.ts';
import { TCP_FLAGS } from '../../session/events.ts';
import { encode } from '../../session/ndjson.ts';
import type { Flow } from '../../wire/flows.ts';
import { type Heard, heard } from '../../wire/heard.ts';
import type { Lane } from '../../wire/lane.ts';
import { noteNames } from '../../wire/notes.ts';
import { jsonLine } from '../records.ts';
import { append, judge, ownerText, type WireContext, type WireView } from './view.ts';

export interface JsonOptions {
  readonly what: 'packets' | 'messages' | 'connections';
  readonly host: string;
  readonly netns: number;
  readonly startedAt: { readonly iso: string; readonly ns: bigint };
  readonly uncertaintyNs: number;
}

/** Tuples whose generations are remembered. */
const MAX_TUPLES = 262_144;

export function jsonView(context: WireContext, options: JsonOptions): WireView {
  const { out } = context;
  const matches = judge(context);
  const ids = new WeakMap<Flow, string>();
  const generations = new Map<string, number>();
  let pending: Heard[] = [];
  let shown = 0;

  append(
    out,
    `${encode({
      v: 1,
      type: 'session',
      startedAt: options.startedAt,
      host: options.host,
      clock: { source: 'monotonic', uncertaintyNs: options.uncertaintyNs },
    })}\n`,
  );

  function idOf(flow: Flow): string {
    let id = ids.get(flow);
    if (id === undefined) {
      const client = flow.ends[flow.clientEnd].text;
      const server = flow.ends[(1 - flow.clientEnd) as 0 | 1].text;
      const tuple = `${flow.protocol === 6 ? 'tcp' : 'udp'}/${options.netns}/${client}>${server}`;
      const generation = (generations.get(tuple) ?? 0) + 1;
      if (generations.size >= MAX_TUPLES) {
        generations.clear();
      }
      generations.set(tuple, generation);
      id = `${tuple}#${generation}`;
      ids.set(flow, id);
    }
    return id;
  }

  function packetEvent(lane: Lane): Packet {
    const { headers, flow, notes, streams } = lane;
    const isTcp = flow !== null && headers.protocol === 6;
    return {
      type: 'packet',
      at: headers.at,
      host: options.host,
      interface: context.device() || 'any',
      ...(flow === null
        ? {}
        : { connection: idOf(flow), from: streams.sender === flow.clientEnd ? 'client' : 'server' }),
      protocol: protocolOf(lane),
      ...(isTcp
        ? {
            flags: flagNames(headers.flags),
            seq: headers.seq,
            ack: headers.ack,
            window: streams.window >= 0 ? streams.window : headers.window,
          }
        : {}),
      length: headers.payloadLength,
      frameLength: headers.wireLength,
      notes: noteNames(notes),
    };
  }

  function messageEvent(message: Heard, flow: Flow): Message {
    return {
      type: 'message',
      at: message.at,
      connection: idOf(flow),
      from: message.side,
      protocol: message.protocol,
      summary: message.summary,
      fields: message.fields,
      bytes: message.bytes,
      ...(message.askedAt < 0 ? {} : { latencyOf: message.askedAt }),
    };
  }

  return {
    get done() {
      return context.limit !== null && shown >= context.limit;
    },
    packet(lane) {
      if (options.what === 'packets' && !this.done && matches(lane, lane.flow, pending)) {
        shown++;
        append(out, `${encode(packetEvent(lane))}\n`);
        for (const message of pending) {
          append(out, `${encode(messageEvent(message, lane.flow!))}\n`);
        }
      }
      pending = [];
    },
    message(spoken, flow) {
      if (options.what === 'packets') {
        pending.push(heard(spoken, context.reveal));
      } else if (options.what === 'messages' && !this.done) {
        const message = heard(spoken, context.reveal);
        if (matches(null, flow, [message])) {
          shown++;
          append(out, `${encode(messageEvent(message, flow))}\n`);
        }
      }
    },
    trouble({ at, why, decoder }, flow) {
      if (options.what !== 'connections' && !this.done) {
        append(
          out,
          `${encode({ type: 'lost', at, source: decoder.name, count: null, why, connection: idOf(flow) })}\n`,
        );
      }
    },
    closed(flow, how) {
      if (options.what === 'connections' && !this.done && matches(null, flow, [])) {
        shown++;
        append(out, jsonLine(connectionRecord(flow, idOf(flow), how, context)));
      }
    },
    finish() {},
  };
}

function connectionRecord(flow: Flow, id: string, how: string, context: WireContext): object {
  const end = (which: 0 | 1) => {
    const { address, port, packets, payload, repeated } = flow.ends[which];
    const owner = ownerText(context.owner(flow, which));
    return { address, port, packets, bytes: payload, repeated, ...(owner === '' ? {} : { owner }) };
  };
  const side = (which: number) => (which < 0 ? null : which === flow.clientEnd ? 'client' : 'server');
  const first = Math.min(flow.ends[0].first, flow.ends[1].first);
  return {
    type: 'connection',
    connection: id,
    stream: flow.stream,
    at: first,
    took: Math.max(flow.ends[0].last, flow.ends[1].last) - first,
    client: end(flow.clientEnd),
    server: end((1 - flow.clientEnd) as 0 | 1),
    closed: how,
    finBy: side(flow.finBy),
    resetBy: side(flow.resetBy),
    handshake: flow.handshakeNs < 0 ? null : flow.handshakeNs,
    notes: noteNames(flow.notes),
  };
}

function protocolOf({ headers }: Lane): string {
  if (headers.net === 0) {
    return headers.etherType === 0x0806
      ? 'arp'
      : headers.etherType < 0
        ? 'link'
        : `0x${headers.etherType.toString(16)}`;
  }
  const names: Record<number, string> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' };
  return names[headers.protocol] ?? (headers.net === 4 ? 'ip' : 'ipv6');
}

const flagLists: TcpFlag[][] = [];

function flagNames(flags: number): TcpFlag[] {
  flagLists[flags] ??= TCP_FLAGS.filter((_, bit) => (flags & (1 << bit)) !== 0);
  return flagLists[flags]!;
}
