/** What we say of a capture: every packet and every message, with the number of the packet that completed it. */
import { readFileSync } from 'node:fs';
import type { Side } from '../../src/wire/app/decoder.ts';
import { decoders } from '../../src/wire/app/decoders.ts';
import { type Heard, heard } from '../../src/wire/heard.ts';
import { createLane, type Lane } from '../../src/wire/lane.ts';
import { ipv4Text, ipv6Text } from '../../src/wire/net/address.ts';
import { noteNames, type PacketNote } from '../../src/wire/notes.ts';
import { createReader } from '../../src/wire/pcapng.ts';

export interface Seen {
  /** Counted from 1, as tshark does. */
  readonly frame: number;
  /** Seconds since 1970 with nine digits behind the point. */
  readonly time: string;
  readonly at: number;
  readonly wireLength: number;
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly ports: readonly [number, number];
  /** -1: part of no conversation. */
  readonly stream: number;
  readonly payload: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly notes: readonly PacketNote[];
}

export interface Told extends Heard {
  readonly frame: number;
  readonly stream: number;
  readonly transport: number;
}

export interface ReadCapture {
  readonly packets: readonly Seen[];
  readonly messages: readonly Told[];
  readonly troubles: readonly { frame: number; stream: number; side: Side; why: string }[];
  readonly lost: number;
}

export function readCapture(file: string): ReadCapture {
  const packets: Seen[] = [];
  const messages: Told[] = [];
  const troubles: { frame: number; stream: number; side: Side; why: string }[] = [];
  let linkType = 1;
  let base = -1;
  let time = '';
  const lane = createLane(
    {
      packet: () => packets.push(seen(lane, time)),
      message(spoken, flow) {
        messages.push({
          ...heard(spoken, true),
          frame: lane.count,
          stream: flow.stream,
          transport: flow.protocol,
        });
      },
      trouble({ side, why }, flow) {
        troubles.push({ frame: lane.count, stream: flow.stream, side, why });
      },
      closed() {},
    },
    { decoders, messages: true, checksums: false },
  );
  const reader = createReader({
    interface(_, about) {
      linkType = about.linkType;
    },
    packet(bytes, from, to, wireLength, seconds, nanoseconds) {
      base = base < 0 ? seconds : base;
      time = `${seconds}.${String(nanoseconds).padStart(9, '0')}`;
      lane.frame(bytes, from, to, wireLength, (seconds - base) * 1e9 + nanoseconds, linkType);
    },
    trouble(_, sentence) {
      throw new Error(sentence);
    },
  });
  const bytes = readFileSync(file);
  const whole = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  reader.end(whole.length - reader.push(whole, 0, whole.length));
  lane.finish();
  return { packets, messages, troubles, lost: lane.lost().bytes };
}

function seen({ headers: h, flow, streams, notes, count }: Lane, time: string): Seen {
  const address = h.net === 4 ? ipv4Text : ipv6Text;
  const isIp = h.net !== 0;
  return {
    frame: count,
    time,
    at: h.at,
    wireLength: h.wireLength,
    source: isIp ? address(h.bytes, h.sourceAt) : '',
    destination: isIp ? address(h.bytes, h.destinationAt) : '',
    protocol: h.protocol,
    ports: [h.sourcePort, h.destinationPort],
    stream: flow?.stream ?? -1,
    payload: h.payloadLength,
    seq: streams.relativeSeq,
    ack: Math.max(streams.relativeAck, 0),
    flags: h.flags,
    window: streams.window < 0 ? h.window : streams.window,
    notes: noteNames(notes),
  };
}
