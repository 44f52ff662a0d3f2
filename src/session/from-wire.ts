/** The wire's lane as events: what JSON, recordings and the library hand out. */
import type { Flow } from '../wire/flows.ts';
import type { Heard } from '../wire/heard.ts';
import type { Lane } from '../wire/lane.ts';
import { noteNames } from '../wire/notes.ts';
import type { ClosedHow } from '../wire/streams.ts';
import type { ConnectionId, Side } from './connection.ts';
import { type Message, type Packet, TCP_FLAGS, type TcpFlag } from './events.ts';

/** Tuples whose generations are remembered. */
const MAX_TUPLES = 262_144;

/** A connection as it was when it ended. */
export interface Ended {
  readonly type: 'connection';
  readonly connection: ConnectionId;
  /** The number that `--follow` takes. */
  readonly stream: number;
  readonly at: number;
  readonly took: number;
  readonly client: EndedEnd;
  readonly server: EndedEnd;
  readonly closed: ClosedHow;
  readonly finBy: Side | null;
  readonly resetBy: Side | null;
  /** Nanoseconds from the SYN to the ACK that ended the handshake; null when it was not seen. */
  readonly handshake: number | null;
  readonly notes: readonly string[];
}

export interface EndedEnd {
  readonly address: string;
  readonly port: number;
  readonly packets: number;
  readonly bytes: number;
  /** Bytes that had been sent before. */
  readonly repeated: number;
  readonly owner?: string;
}

export interface WireEvents {
  idOf(flow: Flow): ConnectionId;
  packet(lane: Lane, device: string): Packet;
  message(message: Heard, flow: Flow): Message;
  ended(flow: Flow, how: ClosedHow, owner: (end: 0 | 1) => string): Ended;
}

export function wireEvents(host: string, netns: number): WireEvents {
  const ids = new WeakMap<Flow, ConnectionId>();
  const generations = new Map<string, number>();

  function idOf(flow: Flow): ConnectionId {
    let id = ids.get(flow);
    if (id === undefined) {
      const client = flow.ends[flow.clientEnd].text;
      const server = flow.ends[(1 - flow.clientEnd) as 0 | 1].text;
      const tuple = `${flow.protocol === 6 ? 'tcp' : 'udp'}/${netns}/${client}>${server}`;
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

  return {
    idOf,
    packet(lane, device) {
      const { headers, flow, notes, streams } = lane;
      return {
        type: 'packet',
        at: headers.at,
        host,
        interface: device === '' ? 'any' : device,
        ...(flow === null
          ? {}
          : { connection: idOf(flow), from: streams.sender === flow.clientEnd ? 'client' : 'server' }),
        protocol: protocolOf(lane),
        ...(flow !== null && headers.protocol === 6
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
    },
    message: (message, flow) => ({
      type: 'message',
      at: message.at,
      connection: idOf(flow),
      from: message.side,
      protocol: message.protocol,
      summary: message.summary,
      fields: message.fields,
      bytes: message.bytes,
      ...(message.askedAt < 0 ? {} : { latencyOf: message.askedAt }),
    }),
    ended(flow, how, owner) {
      const end = (which: 0 | 1): EndedEnd => {
        const { address, port, packets, payload, repeated } = flow.ends[which];
        const held = owner(which);
        return { address, port, packets, bytes: payload, repeated, ...(held === '' ? {} : { owner: held }) };
      };
      const side = (which: number): Side | null =>
        which < 0 ? null : which === flow.clientEnd ? 'client' : 'server';
      const first = Math.min(flow.ends[0].first, flow.ends[1].first);
      return {
        type: 'connection',
        connection: idOf(flow),
        stream: flow.stream,
        at: first,
        took: flow.last - first,
        client: end(flow.clientEnd),
        server: end((1 - flow.clientEnd) as 0 | 1),
        closed: how,
        finBy: side(flow.finBy),
        resetBy: side(flow.resetBy),
        handshake: flow.handshakeNs < 0 ? null : flow.handshakeNs,
        notes: noteNames(flow.notes),
      };
    },
  };
}

const PROTOCOLS: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' };
const ARP = 0x0806;

function protocolOf({ headers }: Lane): string {
  if (headers.net !== 0) {
    return PROTOCOLS[headers.protocol] ?? (headers.net === 4 ? 'ip' : 'ipv6');
  }
  if (headers.etherType === ARP) {
    return 'arp';
  }
  return headers.etherType < 0 ? 'link' : `0x${headers.etherType.toString(16)}`;
}

const flagLists: TcpFlag[][] = [];

function flagNames(flags: number): TcpFlag[] {
  flagLists[flags] ??= TCP_FLAGS.filter((_, bit) => (flags & (1 << bit)) !== 0);
  return flagLists[flags]!;
}
