/** What stands on an arrow. */

import type { Packet, PacketNote, TcpFlag } from '../../session/events.ts';
import { dissect } from '../../wire/dissect.ts';
import { emptyHeaders, LINK } from '../../wire/headers.ts';
import { summaryOf } from '../../wire/layers.ts';
import type { Glyphs } from './glyphs.ts';
import type { Tone } from './text.ts';

export interface PacketWords {
  /** The longest first. */
  readonly labels: readonly string[];
  readonly tone: Tone;
  /** What it is, whatever its numbers: two of a kind look alike. */
  readonly kind: string;
  /** The same with its place in the stream, where that makes it the same segment again. */
  readonly same: string;
  /** Of many: `retransmissions`. */
  readonly noun: string;
  readonly trouble: boolean;
}

/** Connections whose first sequence numbers are remembered. */
const MOST = 4096;
const ORDER: readonly TcpFlag[] = ['SYN', 'FIN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR', 'AE'];

/** In the order in which one of them names a packet. */
const NOUNS: readonly (readonly [PacketNote, string, string])[] = [
  ['keep-alive', 'keep-alive probe', 'keep-alive probes'],
  ['keep-alive-ack', 'keep-alive answer', 'keep-alive answers'],
  ['window-probe', 'window probe', 'window probes'],
  ['window-probe-ack', 'probe answer', 'probe answers'],
  ['retransmission', '', 'retransmissions'],
  ['fast-retransmission', 'fast', 'fast retransmissions'],
  ['spurious-retransmission', 'needless', 'needless retransmissions'],
  ['dup-ack', 'dup', 'duplicate ACKs'],
  ['out-of-order', 'out of order', 'segments out of order'],
  ['bad-checksum', 'bad checksum', 'frames with a bad checksum'],
  ['malformed', 'malformed', 'malformed frames'],
  ['window-full', 'window full', 'segments that fill the window'],
  ['out-of-window', 'out of window', 'segments outside the window'],
  ['acks-unseen', 'acks what was not seen', 'ACKs of what was not seen'],
  ['fragment', 'fragment', 'fragments'],
];
const AGAIN: readonly PacketNote[] = ['retransmission', 'fast-retransmission', 'spurious-retransmission'];
const EASY: readonly PacketNote[] = ['keep-alive-ack', 'window-probe-ack', 'fragment', 'window-full'];

export function createPacketWords(glyphs: Glyphs): (packet: Packet) => PacketWords {
  const bases = new Map<string, Map<string, number>>();
  /** Sides whose last word was that they have no room. */
  const full = new Set<string>();

  function base(packet: Packet, sender: string, seq: number, syn: boolean): number {
    const id = packet.connection ?? '';
    let known = bases.get(id);
    if (known === undefined) {
      if (bases.size >= MOST) {
        bases.delete(bases.keys().next().value!);
      }
      known = new Map();
      bases.set(id, known);
    }
    let first = known.get(sender);
    if (first === undefined || (syn && first !== seq)) {
      first = seq;
      known.set(sender, first);
    }
    return first;
  }

  return (packet) => {
    const { flags, seq, ack, length, notes } = packet;
    if (flags === undefined || seq === undefined) {
      return otherWords(packet);
    }
    const from = packet.from ?? packet.host;
    const other = packet.from === undefined ? 'other' : packet.from === 'client' ? 'server' : 'client';
    const syn = flags.includes('SYN');
    const rst = flags.includes('RST');
    const relative = signed(seq - base(packet, from, seq, syn));
    const acked =
      ack === undefined || !flags.includes('ACK') ? null : signed(ack - base(packet, other, ack, false));
    const words = flags.length === 0 ? 'no flags' : ORDER.filter((flag) => flags.includes(flag)).join(',');
    const again = notes.some((note) => AGAIN.includes(note));
    const zero = packet.window === 0 && !rst && !syn;
    const side = `${packet.connection ?? ''}/${from}`;
    if (zero && full.size < MOST) {
      full.add(side);
    } else {
      full.delete(side);
    }
    // On the wire Linux asks for room as it asks for life: one number below, no data.
    const asksForRoom = notes.includes('keep-alive') && full.has(`${packet.connection ?? ''}/${other}`);
    const named = NOUNS.find(([note]) => (asksForRoom ? note === 'window-probe' : notes.includes(note)));
    const suffix = [
      ...(asksForRoom ? ['window probe'] : shorts(notes)),
      ...(zero ? ['win=0'] : notes.includes('window-update') ? [`win=${packet.window ?? '?'}`] : []),
    ];
    const place =
      length > 0
        ? `${relative}:${relative + length} (${length})`
        : syn || flags.includes('FIN')
          ? `seq=${relative}`
          : acked !== null && !rst
            ? String(acked)
            : '';
    const more = syn
      ? acked === null
        ? `seq=${relative} win=${packet.window ?? '?'}`
        : `seq=${relative} ack=${acked}`
      : flags.includes('FIN') && length === 0 && acked !== null
        ? `seq=${relative} ack=${acked}`
        : place;
    const mark = again ? glyphs.again : '';
    const join = (...parts: string[]): string => mark + parts.filter((part) => part !== '').join(' ');
    const briefPlace = length > 0 ? `(${length})` : '';
    const labels = [
      join(words, more, ...suffix),
      join(words, place, ...suffix),
      ...(length > 0 && /^(PSH,)?ACK$/.test(words) ? [join(place, ...suffix)] : []),
      join(words, briefPlace, ...suffix),
      join(words, ...suffix),
      // Trouble may stand alone; a window that grew is the first thing to leave out.
      ...(suffix.length === 0
        ? []
        : named === undefined && !zero
          ? [join(words, place), join(words)]
          : [join(...suffix)]),
    ];
    const grave = zero || notes.includes('bad-checksum') || notes.includes('malformed');
    const kind = `${words}|${length > 0 ? 'data' : ''}|${zero ? 'zero' : ''}|${named?.[0] ?? ''}`;
    return {
      labels: [...new Set(labels)],
      tone: rst || grave ? 'red' : again || named !== undefined ? 'yellow' : 'plain',
      kind,
      same: again ? `${kind}|${relative}|${length}` : kind,
      noun: named?.[2] ?? (length > 0 ? 'segments' : words === 'ACK' ? 'ACKs' : words),
      trouble:
        grave ||
        (named !== undefined && !EASY.includes(named[0])) ||
        named?.[0] === 'keep-alive-ack' ||
        named?.[0] === 'window-probe-ack',
    };
  };
}

function shorts(notes: readonly PacketNote[]): string[] {
  return NOUNS.filter(([note, short]) => short !== '' && notes.includes(note)).map(([, short]) => short);
}

/** Sequence numbers wrap; a little before the first is -1, which is what a keep-alive probe may ask for. */
function signed(difference: number): number {
  const plain = difference >>> 0;
  return plain > 0xffff_0000 ? plain - 0x1_0000_0000 : plain;
}

function otherWords(packet: Packet): PacketWords {
  const protocol = packet.protocol.toUpperCase();
  const brief = protocol === 'ARP' ? protocol : `${protocol} ${packet.length} B`;
  const summary = protocol === 'UDP' || protocol === 'TCP' ? null : summaryOfFrame(packet.frame);
  const full = protocol === 'UDP' ? `UDP ${packet.length} bytes` : brief;
  const labels =
    summary === null ? [full, brief, protocol] : [summary, withoutAddresses(summary), brief, protocol];
  return {
    labels,
    tone: protocol.startsWith('ICMP') ? 'yellow' : 'plain',
    kind: `${protocol}|${summary === null ? '' : summary}`,
    same: protocol,
    noun: protocol === 'UDP' ? 'datagrams' : `${protocol} packets`,
    trouble: false,
  };
}

/** `ARP who has 10.9.0.2` rather than `ARP`; an ICMP error names its code. */
function summaryOfFrame(frame: Uint8Array | undefined): string | null {
  if (frame === undefined || frame.length < 14) {
    return null;
  }
  const headers = emptyHeaders();
  headers.bytes = frame;
  headers.from = 0;
  headers.to = frame.length;
  headers.wireLength = frame.length;
  headers.linkType = LINK.ethernet;
  dissect(headers);
  return summaryOf(headers);
}

function withoutAddresses(summary: string): string {
  return summary.replace(/\s*\S+ > \S+:?/, '').replace(/^ICMP(v6)?\s+/, 'ICMP$1 ');
}
