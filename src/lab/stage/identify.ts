/** Which connection and which side: raw events become events of the session. */
import type { Listening } from '../../session/connection.ts';
import { plainAddress } from '../../session/connection.ts';
import type { Event, Syscall } from '../../session/events.ts';

import { type Sighted, trackGenerations } from '../../session/generations.ts';
import { identifiedPackets } from '../../session/identified-packets.ts';
import type { Endpoint } from '../../session/socket.ts';
import { LINK } from '../../wire/headers.ts';
import { createOurs } from './ours.ts';
import type { RawCall, RawEvent, RawPacket, RawState, RawTuple } from './protocol.ts';

export type Identify = (events: readonly RawEvent[]) => Event[];

export function createIdentify(netns: number): Identify {
  const listeners = new Set<string>();
  const listening: Listening = (_netns, protocol, { address, port }) =>
    listeners.has(`${protocol}/${address}/${port}`) || listeners.has(`${protocol}/any/${port}`);
  const generations = trackGenerations(listening);
  const packets = new Map<number, string>();
  const identified = identifiedPackets(netns, generations);
  const ours = createOurs(state);
  let out: Event[] = [];

  function tupleSight(at: number, tuple: RawTuple, more: object): Sighted | null {
    if (tuple.local.port === 0 || tuple.peer.port === 0) {
      return null;
    }
    return generations.sight({ at, tuple: { netns, ...tuple }, ...more });
  }

  function packet({ frame, at, host, segment, id }: RawPacket): void {
    const about = { host, interface: segment, id, frame };
    const between: Endpoint[] = [];
    const events = identified.read((lane) => {
      lane.frame(frame, 0, frame.length, frame.length, at, LINK.ethernet);
      between.push(...(lane.flow?.ends ?? []));
    }, about);
    const [local, peer] = between;
    if (local !== undefined && peer !== undefined) {
      // What led to it stands before it.
      ours.witness({ local, peer });
    }
    const [first] = events;
    if (first?.type === 'packet' && first.connection !== undefined) {
      packets.set(id, first.connection);
    }
    out.push(...events);
  }

  function call(raw: RawCall): void {
    const { call: _, tuple, type, ...rest } = raw;
    if (tuple !== undefined) {
      ours.witness(tuple);
    }
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

  function state(raw: RawState): void {
    const { tuple, ...rest } = raw;
    const { socket, to, ...unnamed } = rest;
    if (to === 'LISTEN') {
      listens(tuple);
    }
    const cookie = socket === '' ? {} : { cookie: socket };
    const sighted = tupleSight(raw.at, tuple, { state: to, ...cookie });
    out.push({ ...(socket === '' ? { ...unnamed, to } : rest), ...ends(sighted) });
  }

  function one(raw: RawEvent): void {
    switch (raw.type) {
      case 'packet':
        packet(raw);
        break;
      case 'syscall':
        call(raw);
        break;
      case 'state':
        if (ours.told(raw)) {
          state(raw);
        }
        break;
      case 'info': {
        const { tuple, ...rest } = raw;
        ours.witness(tuple);
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
