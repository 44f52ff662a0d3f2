/** Which connection and which side: raw events become events of the session. */
import type { Listening } from '../../session/connection.ts';
import { plainAddress } from '../../session/connection.ts';
import type { Event, Packet, Syscall } from '../../session/events.ts';
import { wireEvents } from '../../session/from-wire.ts';
import { type Sighted, trackGenerations } from '../../session/generations.ts';
import { decoders } from '../../wire/app/decoders.ts';
import { LINK } from '../../wire/headers.ts';
import { heard } from '../../wire/heard.ts';
import { createLane, type Lane } from '../../wire/lane.ts';
import type { RawCall, RawEvent, RawPacket, RawTuple } from './protocol.ts';

export type Identify = (events: readonly RawEvent[]) => Event[];

const SYN = 0x02;
const ACK = 0x10;
const TCP = 6;
const UDP = 17;

export function createIdentify(netns: number): Identify {
  const listeners = new Set<string>();
  const listening: Listening = (_netns, protocol, { address, port }) =>
    listeners.has(`${protocol}/${address}/${port}`) || listeners.has(`${protocol}/any/${port}`);
  const generations = trackGenerations(listening);
  const packets = new Map<number, string>();
  const names = wireEvents('', netns);
  let out: Event[] = [];
  let told: Packet | null = null;

  const lane = createLane(
    {
      packet(at) {
        told = names.packet(at, '');
      },
      message(spoken, flow, at) {
        const message = names.message(heard(spoken, false), flow);
        const sighted = sightOf(at, at.headers.at);
        out.push(sighted === null ? message : { ...message, connection: sighted.connection.id });
      },
      trouble() {},
      closed() {},
    },
    { decoders, messages: true, checksums: true },
  );

  function tupleSight(at: number, tuple: RawTuple, more: object): Sighted | null {
    if (tuple.local.port === 0 || tuple.peer.port === 0) {
      return null;
    }
    return generations.sight({ at, tuple: { netns, ...tuple }, ...more });
  }

  function sightOf({ headers, flow, streams }: Lane, at: number): Sighted | null {
    if (flow === null || (headers.protocol !== TCP && headers.protocol !== UDP)) {
      return null;
    }
    const from = flow.ends[streams.sender];
    const to = flow.ends[(1 - streams.sender) as 0 | 1];
    const syn =
      headers.protocol === TCP && (headers.flags & SYN) !== 0
        ? { syn: { isn: headers.seq, ack: (headers.flags & ACK) !== 0 } }
        : {};
    const protocol = headers.protocol === TCP ? 'tcp' : 'udp';
    return tupleSight(at, { protocol, local: from, peer: to }, syn);
  }

  function packet(raw: RawPacket): void {
    const { frame, at } = raw;
    const before = out.length;
    lane.frame(frame, 0, frame.length, frame.length, at, LINK.ethernet);
    const sighted = sightOf(lane, at);
    const { connection: _, from: __, ...plain } = told!;
    const event: Packet = {
      ...plain,
      host: raw.host,
      interface: raw.segment,
      id: raw.id,
      ...(sighted === null ? {} : { connection: sighted.connection.id, from: sighted.side }),
      frame,
    };
    if (sighted !== null) {
      packets.set(raw.id, sighted.connection.id);
    }
    // What was said in it comes behind it.
    out.splice(before, 0, event);
  }

  function call(raw: RawCall): void {
    const { call: _, tuple, type, ...rest } = raw;
    if (raw.name === 'listen' && raw.result === 0 && tuple !== undefined) {
      listens(tuple);
    }
    const at = raw.took === null ? raw.at : raw.at + raw.took;
    // A connect is no sign that the connection is open: its SYN may still be on its way to us.
    const more = raw.name === 'connect' ? { state: 'SYN-SENT' as const } : {};
    const sighted = tuple === undefined ? null : tupleSight(at, tuple, more);
    const event: Syscall = {
      type,
      ...rest,
      ...(sighted === null ? {} : { connection: sighted.connection.id, side: sighted.side }),
    };
    out.push(event);
  }

  function listens({ protocol, local }: RawTuple): void {
    const address = plainAddress(local.address);
    const any = address === '0.0.0.0' || address === '::';
    listeners.add(`${protocol}/${any ? 'any' : address}/${local.port}`);
  }

  function one(raw: RawEvent): void {
    switch (raw.type) {
      case 'packet':
        packet(raw);
        break;
      case 'syscall':
        call(raw);
        break;
      case 'state': {
        const { tuple, ...rest } = raw;
        if (raw.to === 'LISTEN') {
          listens(tuple);
        }
        const { socket, to } = raw;
        const sighted = tupleSight(raw.at, tuple, {
          state: to,
          ...(socket === '' ? {} : { cookie: socket }),
        });
        const { socket: _, ...unnamed } = rest;
        out.push({ ...(socket === '' ? unnamed : rest), ...ends(sighted) });
        break;
      }
      case 'info': {
        const { tuple, ...rest } = raw;
        // Sockets that are still shaking hands have timers and queues too: it does not show that the connection is open.
        out.push({ ...rest, ...ends(tupleSight(raw.at, tuple, { state: 'CLOSED' })) });
        break;
      }
      case 'fate': {
        const connection = packets.get(raw.packet);
        out.push(connection === undefined ? raw : { ...raw, connection });
        break;
      }
      default:
        out.push(raw);
    }
  }

  return (events) => {
    out = [];
    for (const raw of events) {
      one(raw);
    }
    return out;
  };
}

function ends(sighted: Sighted | null): object {
  return sighted === null ? {} : { connection: sighted.connection.id, side: sighted.side };
}
