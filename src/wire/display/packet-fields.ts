/** The fields of packets and connections that a display filter knows, spelled as Wireshark's users spell them. */
import type { Flow } from '../flows.ts';
import { NOTE, PACKET_NOTES, type PacketNote } from '../notes.ts';
import type { Found, Subject } from './subject.ts';

export type Kind = 'number' | 'text' | 'address' | 'yes' | 'duration';

export interface PacketField {
  readonly kind: Kind;
  readonly get: (subject: Subject) => Found;
  readonly needsOwners?: true;
}

const number = (get: (subject: Subject) => Found): PacketField => ({ kind: 'number', get });
const text = (get: (subject: Subject) => Found): PacketField => ({ kind: 'text', get });
const yes = (get: (subject: Subject) => Found): PacketField => ({ kind: 'yes', get });

function flowOf(subject: Subject, protocol: number): Flow | undefined {
  return subject.flow !== null && subject.flow.protocol === protocol ? subject.flow : undefined;
}

/** The ports of a flow of this protocol; `end` 0 is the packet's sender (or the client, where there is no packet). */
function port(protocol: number, which: 'both' | 0 | 1): (subject: Subject) => Found {
  return (subject) => {
    const flow = flowOf(subject, protocol);
    if (flow === undefined) {
      return undefined;
    }
    const source = sender(subject, flow);
    if (which === 'both') {
      return [flow.ends[0].port, flow.ends[1].port];
    }
    return flow.ends[which === 0 ? source : 1 - source]!.port;
  };
}

function sender(subject: Subject, flow: Flow): number {
  if (subject.message !== null) {
    return subject.message.side === 'client' ? flow.clientEnd : 1 - flow.clientEnd;
  }
  return subject.lane === null ? flow.clientEnd : subject.lane.streams.sender;
}

function address(net: 4 | 6 | 0, which: 'both' | 0 | 1): (subject: Subject) => Found {
  return (subject) => {
    const { flow } = subject;
    if (flow === null || (net !== 0 && flow.net !== net)) {
      return undefined;
    }
    const source = sender(subject, flow);
    if (which === 'both') {
      return [flow.ends[0].address, flow.ends[1].address];
    }
    return flow.ends[which === 0 ? source : 1 - source]!.address;
  };
}

function tcp(get: (subject: Subject) => Found): (subject: Subject) => Found {
  return (subject) =>
    subject.lane !== null && subject.lane.headers.protocol === 6 ? get(subject) : undefined;
}

/** As it was written, where the scale is not known. */
function windowOf({ lane }: Subject): number {
  return lane!.streams.window >= 0 ? lane!.streams.window : lane!.headers.window;
}

function flag(bit: number): PacketField {
  return yes(tcp(({ lane }) => (lane!.headers.flags & bit) !== 0));
}

function note(name: PacketNote): PacketField {
  return yes(({ lane, flow }) =>
    lane === null ? flow !== null && (flow.notes & NOTE[name]) !== 0 : (lane.notes & NOTE[name]) !== 0,
  );
}

/** Wireshark's names of what we call notes. */
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

export const packetFields: ReadonlyMap<string, PacketField> = new Map([
  ['frame.number', number(({ lane }) => lane?.count)],
  ['frame.len', number(({ lane }) => lane?.headers.wireLength)],
  ['frame.cap_len', number(({ lane }) => (lane === null ? undefined : lane.headers.to - lane.headers.from))],
  ['vlan.id', number(({ lane }) => (lane === null || lane.headers.vlan < 0 ? undefined : lane.headers.vlan))],
  ['ip.addr', { kind: 'address', get: address(4, 'both') }],
  ['ip.src', { kind: 'address', get: address(4, 0) }],
  ['ip.dst', { kind: 'address', get: address(4, 1) }],
  ['ipv6.addr', { kind: 'address', get: address(6, 'both') }],
  ['ipv6.src', { kind: 'address', get: address(6, 0) }],
  ['ipv6.dst', { kind: 'address', get: address(6, 1) }],
  ['host', { kind: 'address', get: address(0, 'both') }],
  ['src', { kind: 'address', get: address(0, 0) }],
  ['dst', { kind: 'address', get: address(0, 1) }],
  ['ip.ttl', number(({ lane }) => (lane?.headers.net === 4 ? lane.headers.ttl : undefined))],
  ['ipv6.hlim', number(({ lane }) => (lane?.headers.net === 6 ? lane.headers.ttl : undefined))],
  [
    'ip.proto',
    number(({ lane }) => (lane === null || lane.headers.net === 0 ? undefined : lane.headers.protocol)),
  ],
  ['port', number((subject) => port(6, 'both')(subject) ?? port(17, 'both')(subject))],
  ['sport', number((subject) => port(6, 0)(subject) ?? port(17, 0)(subject))],
  ['dport', number((subject) => port(6, 1)(subject) ?? port(17, 1)(subject))],
  ['tcp.port', number(port(6, 'both'))],
  ['tcp.srcport', number(port(6, 0))],
  ['tcp.dstport', number(port(6, 1))],
  ['udp.port', number(port(17, 'both'))],
  ['udp.srcport', number(port(17, 0))],
  ['udp.dstport', number(port(17, 1))],
  ['stream', number(({ flow }) => flow?.stream)],
  ['tcp.stream', number((subject) => flowOf(subject, 6)?.stream)],
  ['udp.stream', number((subject) => flowOf(subject, 17)?.stream)],
  ['tcp.seq', number(tcp(({ lane }) => lane!.streams.relativeSeq))],
  [
    'tcp.ack',
    number(tcp(({ lane }) => ((lane!.headers.flags & 16) === 0 ? undefined : lane!.streams.relativeAck))),
  ],
  ['tcp.seq_raw', number(tcp(({ lane }) => lane!.headers.seq))],
  ['tcp.ack_raw', number(tcp(({ lane }) => lane!.headers.ack))],
  ['tcp.len', number(tcp(({ lane }) => lane!.headers.payloadLength))],
  ['tcp.window', number(tcp(windowOf))],
  ['tcp.window_size', number(tcp(windowOf))],
  ['tcp.flags', number(tcp(({ lane }) => lane!.headers.flags))],
  ['tcp.flags.fin', flag(1)],
  ['tcp.flags.syn', flag(2)],
  ['tcp.flags.reset', flag(4)],
  ['tcp.flags.rst', flag(4)],
  ['tcp.flags.push', flag(8)],
  ['tcp.flags.ack', flag(16)],
  ['tcp.flags.urg', flag(32)],
  ['tcp.flags.ece', flag(64)],
  ['tcp.flags.cwr', flag(128)],
  ['tcp.analysis.flags', yes(tcp(({ lane }) => lane!.notes !== 0))],
  ...ANALYSIS.map(([theirs, ours]): [string, PacketField] => [`tcp.analysis.${theirs}`, note(ours)]),
  ...PACKET_NOTES.map((name): [string, PacketField] => [`note.${name}`, note(name)]),
  ['pid', { kind: 'number', needsOwners: true, get: owner('pid') }],
  ['program', { kind: 'text', needsOwners: true, get: owner('program') }],
  ['latency', { kind: 'duration', get: ({ message }) => known(message?.latency) }],
  ['firstbyte', { kind: 'duration', get: ({ message }) => known(message?.firstByte) }],
  ['message.kind', text(({ message }) => message?.kind)],
  ['message.name', text(({ message }) => message?.name)],
  ['message.bytes', number(({ message }) => message?.bytes)],
  ['message.failed', yes(({ message }) => message?.failed)],
  ['failed', yes(({ message }) => message?.failed)],
  ['request', yes(({ message }) => message?.kind === 'request')],
  ['reply', yes(({ message }) => message?.kind === 'reply')],
] as [string, PacketField][]);

function known(nanoseconds: number | undefined): Found {
  return nanoseconds === undefined || nanoseconds < 0 ? undefined : nanoseconds;
}

function owner(what: 'pid' | 'program'): (subject: Subject) => Found {
  return ({ flow, owners }) => (flow === null ? undefined : owners(flow).map((one) => one[what]));
}

/** Bare names of protocols below the application. */
export const protocolTests: ReadonlyMap<string, (subject: Subject) => boolean> = new Map([
  ['tcp', ({ lane, flow }: Subject) => (flow?.protocol ?? lane?.headers.protocol) === 6],
  ['udp', ({ lane, flow }: Subject) => (flow?.protocol ?? lane?.headers.protocol) === 17],
  ['icmp', ({ lane }: Subject) => lane?.headers.net === 4 && lane.headers.protocol === 1],
  ['icmpv6', ({ lane }: Subject) => lane?.headers.net === 6 && lane.headers.protocol === 58],
  ['ip', ({ lane, flow }: Subject) => (flow?.net ?? lane?.headers.net) === 4],
  ['ipv6', ({ lane, flow }: Subject) => (flow?.net ?? lane?.headers.net) === 6],
  ['arp', ({ lane }: Subject) => lane?.headers.etherType === 0x0806],
  ['vlan', ({ lane }: Subject) => (lane?.headers.vlan ?? -1) >= 0],
]);
