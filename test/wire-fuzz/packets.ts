/** Talks as the frames of a capture. */
import type { Turn } from '../../src/wire/app/decoder.contract.ts';
import { LINK } from '../../src/wire/headers.ts';
import { type Packet, packetBytes } from '../fixtures/tcp-script.ts';
import type { Random } from './random.ts';
import type { Talk } from './talks.ts';

export interface Frame {
  readonly bytes: Uint8Array;
  readonly linkType: number;
  readonly wireLength: number;
}

const FIN = 1;
const SYN = 2;
const PUSH = 8;
const ACK = 16;
const NOTHING: Uint8Array = new Uint8Array(0);
const ETHERNET = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
/** What stands before the ethertype, and how long the header is. */
const LINKS: readonly { type: number; size: number; etherTypeAt: number; head: readonly number[] }[] = [
  { type: LINK.ethernet, size: 14, etherTypeAt: 12, head: ETHERNET },
  { type: LINK.raw, size: 0, etherTypeAt: -1, head: [] },
  { type: LINK.linuxSll, size: 16, etherTypeAt: 14, head: [0, 0, 3, 4, 0, 6] },
  { type: LINK.linuxSll2, size: 20, etherTypeAt: 0, head: [] },
];

/** With a link header of any of the usual kinds. */
export function linked(datagram: Uint8Array, random: Random): Frame {
  const { type, size, etherTypeAt, head } = random.pick(LINKS);
  const bytes = new Uint8Array(size + datagram.length);
  bytes.set(head);
  bytes.set(datagram, size);
  if (etherTypeAt >= 0) {
    const six = datagram[0]! >> 4 === 6;
    bytes.set(six ? [0x86, 0xdd] : [0x08, 0x00], etherTypeAt);
  }
  return { bytes, linkType: type, wireLength: bytes.length };
}

/** A whole connection: handshake, every turn in segments, and the farewell. */
export function packetsOf(talk: Talk, random: Random): Packet[] {
  const four = !random.oneIn(4);
  const place = (last: number, port: number) => ({
    address: four ? [10, random.below(256), random.below(256), last] : [0xfd, ...random.bytes(14), last],
    port,
  });
  const near = place(1, 32_768 + random.below(28_000));
  const far = place(2, talk.port);
  const packets: Packet[] = [];
  const next = { client: random.next(), server: random.next() };
  const say = (side: 'client' | 'server', flags: number, payload = NOTHING) => {
    const other = side === 'client' ? 'server' : 'client';
    packets.push({
      at: packets.length * 1e5,
      from: side === 'client' ? near : far,
      to: side === 'client' ? far : near,
      ...(talk.transport === 'udp'
        ? {}
        : { tcp: { seq: next[side], ack: flags === SYN ? 0 : next[other], flags } }),
      payload,
    });
    next[side] += payload.length + ((flags & (SYN | FIN)) === 0 ? 0 : 1);
  };
  if (talk.transport === 'udp') {
    for (const { side, bytes } of talk.turns) {
      say(side, 0, bytes);
    }
    return packets;
  }
  say('client', SYN);
  say('server', SYN | ACK);
  say('client', ACK);
  for (const { side, bytes } of talk.turns) {
    for (let at = 0; at < bytes.length; ) {
      const length = random.oneIn(3) ? 1 + random.below(64) : 1448;
      say(side, PUSH | ACK, bytes.subarray(at, at + length));
      at += length;
    }
  }
  say('client', FIN | ACK);
  say('server', FIN | ACK);
  say('client', ACK);
  return packets;
}

export function framesOf(talk: Talk, random: Random): Frame[] {
  return packetsOf(talk, random).map((packet) => linked(packetBytes(packet), random));
}

/** Everything one side says. */
export function said(turns: readonly Turn[], most: number): Uint8Array {
  const whole = new Uint8Array(most);
  let length = 0;
  for (const { bytes } of turns) {
    const part = bytes.subarray(0, most - length);
    whole.set(part, length);
    length += part.length;
  }
  return whole.subarray(0, length);
}
