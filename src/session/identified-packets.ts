/** Frames as events of the connections that are known already: by their calls, or their sockets. */
import { decoders } from '../wire/app/decoders.ts';
import { heard } from '../wire/heard.ts';
import { createLane, type Lane } from '../wire/lane.ts';
import type { Event, Packet } from './events.ts';
import { wireEvents } from './from-wire.ts';
import type { Generations, Sighted } from './generations.ts';

export interface PacketAbout {
  readonly host: string;
  readonly interface: string;
  readonly id?: number;
  readonly frame?: Uint8Array;
}

export interface IdentifiedPackets {
  /** `feed` hands one frame to the lane. The packet comes back, and behind it what was said in it. */
  read(feed: (lane: Lane) => void, about: PacketAbout): Event[];
}

const SYN = 0x02;
const ACK = 0x10;
const TCP = 6;
const UDP = 17;

export function identifiedPackets(netns: number, generations: Generations): IdentifiedPackets {
  const names = wireEvents('', netns);
  let said: Event[] = [];
  let told: Packet | null = null;

  const lane = createLane(
    {
      packet(at) {
        told = names.packet(at, '');
      },
      message(spoken, flow, at) {
        const message = names.message(heard(spoken, false), flow);
        const sighted = sightOf(at);
        said.push(sighted === null ? message : { ...message, connection: sighted.connection.id });
      },
      trouble() {},
      closed() {},
    },
    { decoders, messages: true, checksums: true },
  );

  function sightOf({ headers, flow, streams }: Lane): Sighted | null {
    const tcp = headers.protocol === TCP;
    if (flow === null || (!tcp && headers.protocol !== UDP)) {
      return null;
    }
    const local = flow.ends[streams.sender];
    const peer = flow.ends[(1 - streams.sender) as 0 | 1];
    if (local.port === 0 || peer.port === 0) {
      return null;
    }
    const syn =
      tcp && (headers.flags & SYN) !== 0
        ? { syn: { isn: headers.seq, ack: (headers.flags & ACK) !== 0 } }
        : {};
    const tuple = { netns, protocol: tcp ? 'tcp' : 'udp', local, peer } as const;
    return generations.sight({ at: headers.at, tuple, ...syn });
  }

  return {
    read(feed, about) {
      said = [];
      feed(lane);
      const sighted = sightOf(lane);
      const { connection: _, from: __, ...plain } = told!;
      const packet: Packet = {
        ...plain,
        ...about,
        ...(sighted === null ? {} : { connection: sighted.connection.id, from: sighted.side }),
      };
      return [packet, ...said];
    },
  };
}
