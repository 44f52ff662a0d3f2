/** The comparison below the application, packet by packet and conversation by conversation: the same for every capture. */
import { expect } from 'vitest';
import type { PacketNote } from '../../src/wire/notes.ts';
import type { ReadCapture, Seen } from './read.ts';
import { tshark, tsharkTable } from './tshark.ts';

const ANALYSIS: readonly [string, PacketNote][] = [
  ['retransmission', 'retransmission'],
  ['fast_retransmission', 'fast-retransmission'],
  ['spurious_retransmission', 'spurious-retransmission'],
  ['out_of_order', 'out-of-order'],
  ['duplicate_ack', 'dup-ack'],
  ['lost_segment', 'gap-before'],
  ['ack_lost_segment', 'acks-unseen'],
  ['zero_window', 'zero-window'],
  ['zero_window_probe', 'window-probe'],
  ['zero_window_probe_ack', 'window-probe-ack'],
  ['window_full', 'window-full'],
  ['window_update', 'window-update'],
  ['keep_alive', 'keep-alive'],
  ['keep_alive_ack', 'keep-alive-ack'],
  ['reused_ports', 'tuple-reused'],
];
const NUMBERS = ['tcp.seq', 'tcp.ack', 'tcp.len', 'tcp.flags', 'tcp.window_size'] as const;

/** Numbers, addresses, times and places in conversations; every packet must agree in every one. */
export async function samePackets(file: string, ours: ReadCapture): Promise<void> {
  const rows = await tshark(file, [
    ...['frame.time_epoch', 'frame.len', 'ip.src', 'ip.dst', 'ip.proto'],
    ...['tcp.srcport', 'tcp.dstport', 'udp.srcport', 'udp.dstport', 'tcp.stream', 'udp.stream', 'udp.length'],
    ...NUMBERS,
  ]);
  const theirs = rows.map((row, i) => {
    const isTcp = row['tcp.stream']!.length > 0;
    const number = (name: string): number => Number(row[name]![0] ?? 0);
    return {
      frame: i + 1,
      time: row['frame.time_epoch']![0]!,
      length: number('frame.len'),
      ends: [row['ip.src']![0], row['ip.dst']![0]],
      protocol: number('ip.proto'),
      ports: isTcp
        ? [number('tcp.srcport'), number('tcp.dstport')]
        : [number('udp.srcport'), number('udp.dstport')],
      stream: number(isTcp ? 'tcp.stream' : 'udp.stream'),
      payload: isTcp ? number('tcp.len') : number('udp.length') - 8,
      ...(isTcp ? { tcp: NUMBERS.map(number) } : {}),
    };
  });
  expect(ours.packets.map(whole)).toEqual(theirs);
}

function whole(one: Seen): unknown {
  const { frame, time, wireLength, source, destination, protocol, ports, stream, payload } = one;
  const tcp = { tcp: [one.seq, one.ack, payload, one.flags, one.window] };
  return {
    ...{ frame, time, length: wireLength, ends: [source, destination], protocol, ports, stream, payload },
    ...(protocol === 6 ? tcp : {}),
  };
}

export interface Difference {
  readonly frame: number;
  readonly note: PacketNote;
  readonly by: 'tshark' | 'us';
}

/** What only one of the two says of a packet, and how often both said the same. */
export async function noteDifferences(
  file: string,
  ours: ReadCapture,
): Promise<{ differences: Difference[]; same: ReadonlyMap<PacketNote, number> }> {
  const rows = await tshark(
    file,
    ANALYSIS.map(([name]) => `tcp.analysis.${name}`),
  );
  const differences: Difference[] = [];
  const same = new Map<PacketNote, number>();
  for (const [i, row] of rows.entries()) {
    for (const [name, note] of ANALYSIS) {
      const their = row[`tcp.analysis.${name}`]!.length > 0;
      const our = ours.packets[i]!.notes.includes(note);
      if (their !== our) {
        differences.push({ frame: i + 1, note, by: our ? 'us' : 'tshark' });
      } else if (our) {
        same.set(note, (same.get(note) ?? 0) + 1);
      }
    }
  }
  return { differences, same };
}

/** `tshark -z conv,tcp`: frames and bytes each way. It rounds down to kB from 10 000 bytes on. */
export async function sameConversations(file: string, ours: ReadCapture): Promise<number> {
  const text = await tsharkTable(file, 'conv,tcp');
  const theirs = text.flatMap((line) => {
    const found =
      /^(\S+)\s+<->\s+(\S+)\s+(\d+) (\d+) (\S+)\s+(\d+) (\d+) (\S+)\s+(\d+) (\d+) (\S+)\s+(-?\d+\.\d+)/.exec(
        line,
      );
    return found === null ? [] : [[...found.slice(1, 12), Number(found[12]).toFixed(9)].join(' ')];
  });
  const start = ours.packets[0]!.at;
  const streams = new Map<number, Seen[]>();
  for (const packet of ours.packets) {
    if (packet.protocol === 6) {
      streams.set(packet.stream, [...(streams.get(packet.stream) ?? []), packet]);
    }
  }
  const mine = [...streams.values()].map((packets) => {
    const first = packets[0]!;
    // tshark writes the end with the higher port first on one host, the sender of the first packet elsewhere.
    const [a, b] = ends(first);
    const from = packets.filter((one) => ends(one)[0] === a);
    const back = packets.filter((one) => ends(one)[0] === b);
    const count = (all: readonly Seen[]): string =>
      `${all.length} ${shown(all.reduce((sum, one) => sum + one.wireLength, 0))}`;
    return [a, b, count(back), count(from), count(packets), ((first.at - start) / 1e9).toFixed(9)].join(' ');
  });
  expect(mine.sort()).toEqual(theirs.sort());
  return mine.length;
}

function ends({ source, destination, ports }: Seen): [string, string] {
  return [`${source}:${ports[0]}`, `${destination}:${ports[1]}`];
}

function shown(bytes: number): string {
  return bytes < 10_000
    ? `${bytes} bytes`
    : bytes < 10e6
      ? `${Math.floor(bytes / 1000)} kB`
      : `${Math.floor(bytes / 1e6)} MB`;
}
