/**
 * Conversations of two simulated ends over a network that loses, reorders and doubles, seen by a capture that misses
 * packets of its own: what we say of each packet beside what tshark says.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fill, type Packet, packetBytes } from '../../test/fixtures/tcp-script.ts';
import { needs } from '../../test/needs.ts';
import { emptyHeaders } from './headers.ts';
import { NOTE, type PacketNote } from './notes.ts';
import { type ClosedHow, createStreams } from './streams.ts';

const MS = 1e6;
const SYN = 2;
const FIN = 1;
const RST = 4;
const ACK = 16;

/** Conversations beyond this many use the ports of earlier ones. */
const PORTS = 130;

type Random = () => number;

function random(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Nature {
  readonly clientPort: number;
  readonly start: number;
  readonly delay: number;
  readonly jitter: number;
  readonly loss: number;
  readonly doubled: number;
  /** Of what passes, how much the capture misses. */
  readonly missed: number;
  /** The capture begins after so many packets. */
  readonly skipped: number;
  readonly scales: readonly [number | null, number | null];
  readonly mss: number;
  readonly buffer: number;
  /** How often an application reads its whole buffer. */
  readonly reads: number;
  /** What each end says, in turns, and the pause before it. */
  readonly turns: readonly { by: 0 | 1; bytes: number; pause: number }[];
  readonly ending: 'fin' | 'reset' | 'none';
  readonly keepAlive: number;
}

/** One end: numbers relative to its own SYN, which is 0. */
class End {
  una = 0;
  next = 0;
  /** One beyond the last byte the application has written. */
  written = 1;
  closing = false;
  peerWindow = 0;
  dups = 0;
  timer = 0;
  backoff = 1;
  expected = 0;
  early: [number, number][] = [];
  unread = 0;
  announced = 0;
  finAt = -1;
  lastHeard = 0;
  probing = false;
  established = false;
  readonly side: 0 | 1;
  readonly isn: number;

  constructor(side: 0 | 1, isn: number) {
    this.side = side;
    this.isn = isn;
  }

  get end(): number {
    return this.written + (this.closing ? 1 : 0);
  }
}

interface Sent {
  by: 0 | 1;
  seq: number;
  ack: number;
  length: number;
  flags: number;
  window: number;
}

/** Plays one conversation; returns what the capture took down. */
function simulate(nature: Nature, seed: number): Packet[] {
  const rand = random(seed);
  const captured: Packet[] = [];
  const ends = [
    new End(0, Math.floor(rand() * 2 ** 32)),
    new End(1, rand() < 0.3 ? 2 ** 32 - 500 : 77),
  ] as const;
  const places = [
    { address: [10, 0, 0, 1], port: nature.clientPort },
    { address: [10, 0, 0, 2], port: 8080 },
  ] as const;
  const scaled = nature.scales[0] !== null && nature.scales[1] !== null;
  let now = nature.start;
  let seen = 0;
  let over = false;
  let queue: { at: number; order: number; run: () => void }[] = [];
  let order = 0;

  const after = (time: number, run: () => void): void => {
    queue.push({ at: now + Math.round(time), order: order++, run });
  };

  /** The capture stands at the client: it sees what the client sends at once, and what it gets when it gets it. */
  const take = (sent: Sent): void => {
    seen++;
    if (seen <= nature.skipped || rand() < nature.missed) {
      return;
    }
    const { by, seq, ack, length, flags, window } = sent;
    const scale = (flags & SYN) !== 0 ? nature.scales[by] : null;
    captured.push({
      at: now,
      from: places[by],
      to: places[1 - by]!,
      tcp: {
        seq: ends[by].isn + seq,
        ack: (flags & ACK) === 0 ? 0 : ends[1 - by]!.isn + ack,
        flags,
        window,
        ...(scale === null || scale === undefined ? {} : { scale }),
      },
      payload: new Uint8Array(length),
    });
  };

  const cross = (sent: Sent): void => {
    if (sent.by === 0) {
      take(sent);
    }
    if (rand() < nature.loss) {
      return;
    }
    const copies = rand() < nature.doubled ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      after(nature.delay + (rand() < 0.1 ? rand() * nature.jitter : 0) + i * 1000, () => {
        if (sent.by === 1) {
          take(sent);
        }
        receive(ends[1 - sent.by]!, sent);
      });
    }
  };

  const emit = (end: End, seq: number, length: number, flags: number): void => {
    const room = Math.max(nature.buffer - end.unread, 0);
    const shift = (flags & SYN) === 0 && scaled ? nature.scales[end.side]! : 0;
    const window = Math.min(room >> shift, 65_535);
    end.announced = window << shift;
    now += 1000 + Math.floor(rand() * 500);
    cross({ by: end.side, seq, ack: end.expected, length, flags, window });
  };

  const arm = (end: End): void => {
    const armed = ++end.timer;
    after(200 * MS * end.backoff, () => {
      if (armed !== end.timer || over) {
        return;
      }
      if (end.una < end.next) {
        end.backoff = Math.min(end.backoff * 2, 8);
        again(end);
        arm(end);
      } else if (end.established && end.una < end.written && end.peerWindow === 0) {
        end.probing = true;
        end.backoff = Math.min(end.backoff * 2, 8);
        emit(end, end.next, 1, ACK);
        arm(end);
      }
    });
  };

  const again = (end: End): void => {
    if (end.una === 0) {
      emit(end, 0, 0, end.side === 0 ? SYN : SYN | ACK);
    } else if (end.una >= end.written) {
      emit(end, end.una, 0, FIN | ACK);
    } else {
      const size = Math.min(nature.mss, end.written - end.una, end.next - end.una);
      emit(end, end.una, Math.max(size, 1), ACK);
    }
  };

  const push = (end: End): void => {
    if (!end.established || over) {
      return;
    }
    const limit = end.una + Math.min(end.peerWindow, 8 * nature.mss);
    let sent = false;
    while (end.next < end.written && end.next < limit) {
      const size = Math.min(nature.mss, end.written - end.next, limit - end.next);
      emit(end, end.next, size, ACK);
      end.next += size;
      sent = true;
    }
    if (end.closing && end.next === end.written) {
      emit(end, end.next, 0, FIN | ACK);
      end.next++;
      sent = true;
    }
    if (sent || (end.una < end.end && end.timer === 0)) {
      arm(end);
    }
  };

  const receive = (end: End, sent: Sent): void => {
    if (over) {
      return;
    }
    const peer = ends[1 - end.side]!;
    if ((sent.flags & RST) !== 0) {
      over = true;
      return;
    }
    end.lastHeard = now;
    if ((sent.flags & SYN) !== 0) {
      end.expected = 1;
      if (end.side === 1 && end.next === 0) {
        emit(end, 0, 0, SYN | ACK);
        end.next = 1;
        arm(end);
        return;
      }
      if (end.side === 1) {
        emit(end, 0, 0, SYN | ACK);
        return;
      }
    }
    if ((sent.flags & ACK) !== 0) {
      acknowledged(end, sent, peer);
    }
    const length = sent.length + ((sent.flags & FIN) !== 0 ? 1 : 0);
    if (length > 0) {
      accept(end, sent);
      emit(end, end.next, 0, ACK);
    } else if ((sent.flags & SYN) !== 0 || (sent.seq < end.expected && sent.length === 0)) {
      emit(end, end.next, 0, ACK);
    }
    push(end);
  };

  const acknowledged = (end: End, sent: Sent, peer: End): void => {
    const shift = (sent.flags & SYN) === 0 && scaled ? nature.scales[peer.side]! : 0;
    const window = sent.window << shift;
    const opened = window > 0 && end.peerWindow === 0;
    if (sent.ack > end.una) {
      end.una = sent.ack;
      end.next = Math.max(end.next, end.una);
      end.established = true;
      end.dups = 0;
      end.backoff = 1;
      end.probing = false;
      end.timer++;
      if (end.una < end.end) {
        arm(end);
      }
    } else if (sent.ack === end.una && sent.length === 0 && window === end.peerWindow && end.una < end.next) {
      if (++end.dups === 3) {
        again(end);
      }
    }
    end.peerWindow = window;
    if (opened) {
      end.backoff = 1;
    }
    if (window === 0 && end.una < end.written) {
      arm(end);
    }
  };

  const accept = (end: End, sent: Sent): void => {
    const to = Math.min(sent.seq + sent.length, end.expected + Math.max(nature.buffer - end.unread, 0));
    if ((sent.flags & FIN) !== 0) {
      end.finAt = sent.seq + sent.length;
    }
    if (to > sent.seq) {
      end.early.push([sent.seq, to]);
      end.early.sort((a, b) => a[0] - b[0]);
    }
    const before = end.expected;
    for (const [from, until] of end.early) {
      if (from <= end.expected) {
        end.expected = Math.max(end.expected, until);
      }
    }
    end.early = end.early.filter(([, until]) => until > end.expected);
    end.unread += end.expected - before;
    if (end.finAt === end.expected) {
      end.expected++;
    }
  };

  const reading = (end: End): void => {
    if (over) {
      return;
    }
    const small = end.announced < nature.mss;
    end.unread = 0;
    if (small && end.established) {
      emit(end, end.next, 0, ACK);
    }
    after(nature.reads, () => reading(end));
  };

  const keeping = (end: End): void => {
    if (over) {
      return;
    }
    if (end.established && end.una === end.next && end.next > 1 && now - end.lastHeard >= nature.keepAlive) {
      emit(end, end.next - 1, rand() < 0.5 ? 0 : 1, ACK);
    }
    after(nature.keepAlive, () => keeping(end));
  };

  let turn = 0;
  const speak = (): void => {
    if (over) {
      return;
    }
    const next = nature.turns[turn++];
    if (next === undefined) {
      if (nature.ending === 'reset') {
        emit(ends[0], ends[0].next, 0, RST | ACK);
        over = true;
      } else if (nature.ending === 'fin') {
        for (const end of ends) {
          after(end.side * 3 * MS, () => {
            end.closing = true;
            push(end);
          });
        }
        after(4000 * MS, () => {
          over = true;
        });
      } else {
        over = true;
      }
      return;
    }
    ends[next.by].written += next.bytes;
    push(ends[next.by]);
    after(next.pause, speak);
  };

  emit(ends[0], 0, 0, SYN);
  ends[0].next = 1;
  arm(ends[0]);
  after(nature.delay * 3, speak);
  for (const end of ends) {
    after(nature.reads, () => reading(end));
    after(nature.keepAlive, () => keeping(end));
  }
  for (let steps = 0; steps < 20_000 && queue.length > 0; steps++) {
    let first = queue[0]!;
    for (const one of queue) {
      if (one.at < first.at || (one.at === first.at && one.order < first.order)) {
        first = one;
      }
    }
    queue = queue.filter((one) => one !== first);
    // The ends take their time to send: whatever was due meanwhile comes after.
    now = Math.max(now, first.at);
    if (over && captured.length > 0 && first.at > now + 1000 * MS) {
      break;
    }
    first.run();
  }
  return captured;
}

function natureOf(number: number, rand: Random): Nature {
  const pick = <T>(...things: readonly T[]): T => things[Math.floor(rand() * things.length)]!;
  const delay = pick(0.05, 0.5, 5, 20) * MS;
  const mss = pick(100, 536, 1000);
  return {
    clientPort: 40_000 + (number % PORTS),
    start: number * 50 * MS + Math.floor(number / PORTS) * 60_000 * MS,
    delay,
    jitter: pick(0, 0, 1, 5) * delay,
    loss: pick(0, 0, 0.02, 0.1),
    doubled: pick(0, 0, 0.03),
    // Ports used again without their SYN belong to the old connection for tshark.
    missed: pick(0, 0, 0, 0.05) * (number < PORTS ? 1 : 0),
    skipped: pick(0, 0, 0, 1, 2, 7) * (number < PORTS ? 1 : 0),
    scales: pick<readonly [number | null, number | null]>([7, 7], [0, 0], [2, 9], [null, null], [7, null]),
    mss,
    buffer: pick(65_535, 65_535, 4000, 1024),
    reads: pick(1, 20, 700) * MS,
    turns: Array.from({ length: pick(1, 3, 6) }, () => ({
      by: pick<0 | 1>(0, 1),
      bytes: pick(1, 10, 300, 3000, 6000),
      pause: pick(5, 50, 900, 3000) * MS,
    })),
    ending: pick('fin', 'fin', 'fin', 'reset', 'none'),
    keepAlive: pick(1e9, 1e9, 700, 2000) * MS,
  };
}

/** https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html, with nanoseconds and raw IP. */
function pcap(packets: readonly { at: number; bytes: Uint8Array }[]): Uint8Array {
  const file = new Uint8Array(24 + packets.reduce((sum, { bytes }) => sum + 16 + bytes.length, 0));
  const view = new DataView(file.buffer);
  view.setUint32(0, 0xa1b23c4d);
  view.setUint16(4, 2);
  view.setUint16(6, 4);
  view.setUint32(16, 65_535);
  view.setUint32(20, 101);
  let at = 24;
  for (const { at: time, bytes } of packets) {
    view.setUint32(at, 1000 + Math.floor(time / 1e9));
    view.setUint32(at + 4, time % 1e9);
    view.setUint32(at + 8, bytes.length);
    view.setUint32(at + 12, bytes.length);
    file.set(bytes, at + 16);
    at += 16 + bytes.length;
  }
  return file;
}

const COMPARED: readonly [string, PacketNote][] = [
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

interface Said {
  stream: number;
  seq: number;
  ack: number;
  window: number;
  notes: ReadonlySet<PacketNote>;
}

function tsharkSays(file: string): Said[] {
  const fields = [
    'tcp.stream',
    'tcp.seq',
    'tcp.ack',
    'tcp.window_size',
    ...COMPARED.map(([name]) => `tcp.analysis.${name}`),
  ];
  const text = execFileSync(
    'tshark',
    ['-n', '-r', file, '-T', 'fields', ...fields.flatMap((name) => ['-e', name])],
    {
      encoding: 'utf8',
      maxBuffer: 64 << 20,
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const cells = line.split('\t');
      return {
        stream: Number(cells[0]),
        seq: Number(cells[1]),
        ack: Number(cells[2]),
        window: Number(cells[3]),
        notes: new Set(COMPARED.filter((_, i) => (cells[4 + i] ?? '') !== '').map(([, note]) => note)),
      };
    });
}

/** Where tshark's answer is kept apart from ours on purpose. */
const DIFFERENT: readonly PacketNote[] = ['acks-unseen', 'gap-before', 'window-probe', 'tuple-reused'];

/** What was captured of each direction, number by number: SYN, bytes and FIN. And how far acknowledgements were judged. */
interface Captured {
  numbers: Set<number>;
  packets: number;
  from: number;
  judged: number;
}

describe.skipIf(needs('tshark').missing !== null)('beside tshark', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-streams-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let packets: Packet[];
  let ours: Said[];
  let theirs: Said[];
  /** By stream. */
  const closed: ClosedHow[] = [];
  const midStream: boolean[] = [];
  /** By packet: an RST came before it. tshark takes over its window and numbers, and goes on to judge what is over. */
  let late: boolean[];

  beforeAll(() => {
    const rand = random(4711);
    packets = Array.from({ length: 160 }, (_, i) => simulate(natureOf(i, rand), i + 1))
      .flat()
      .sort((a, b) => a.at - b.at);
    const frames = packets.map((packet) => ({ at: packet.at, bytes: packetBytes(packet) }));
    const file = join(folder, 'simulated.pcap');
    writeFileSync(file, pcap(frames));
    theirs = tsharkSays(file);
    const streams = createStreams({
      opened(flow) {
        midStream[flow.stream] = flow.midStream;
      },
      data() {},
      gap() {},
      datagram() {},
      ended() {},
      closed(flow, how) {
        closed[flow.stream] = how;
      },
    });
    const h = emptyHeaders();
    ours = frames.map(({ at, bytes }) => {
      const notes = streams.packet(fill(h, bytes, at));
      return {
        stream: streams.flow!.stream,
        seq: streams.relativeSeq,
        ack: Math.max(streams.relativeAck, 0),
        window: streams.window < 0 ? h.window : streams.window,
        notes: new Set(COMPARED.filter(([, name]) => (notes & NOTE[name]) !== 0).map(([, name]) => name)),
      };
    });
    const reset = new Set<number>();
    late = ours.map(({ stream }, i) => {
      const was = reset.has(stream);
      if ((packets[i]!.tcp!.flags & RST) !== 0) {
        reset.add(stream);
      }
      return was;
    });
  });

  it('streams, relative numbers and scaled windows are the same in thousands of packets', () => {
    expect(ours.length).toBeGreaterThan(5000);
    const numbers = ({ stream, seq, ack, window }: Said): unknown => ({ stream, seq, ack, window });
    expect(ours.map(numbers)).toEqual(theirs.map(numbers));
  });

  it.each(COMPARED.filter(([, note]) => !DIFFERENT.includes(note)))(
    '%s is said of the same packets',
    (_, note) => {
      const said = (all: readonly Said[]): number[] =>
        all.flatMap(({ notes }, i) => (notes.has(note) && !late[i] ? [i + 1] : []));
      expect(said(ours).length).toBeGreaterThan(5);
      expect(said(ours)).toEqual(said(theirs));
    },
  );

  // tshark counts a probe's byte as not sent, also when the receiver took it. What follows it then looks like a gap to it.
  it('gap-before and window-probe differ only behind a probe whose byte was accepted', () => {
    const captured = new Map<string, Captured>();
    let same = 0;
    let different = 0;
    for (const [i, our] of ours.entries()) {
      const their = theirs[i]!;
      const { tcp } = packets[i]!;
      const own = numbersOf(captured, packets[i]!, our.stream);
      for (const note of ['gap-before', 'window-probe'] as const) {
        if (our.notes.has(note) === their.notes.has(note)) {
          same += our.notes.has(note) ? 1 : 0;
          continue;
        }
        different++;
        expect(our.notes.has('gap-before')).toBe(false);
        expect(their.notes.has('gap-before')).toBe(true);
        expect(own.numbers.has((tcp!.seq - 1) >>> 0)).toBe(true);
      }
      capture(own, packets[i]!);
    }
    expect(same).toBeGreaterThan(100);
    expect(different).toBeGreaterThan(0);
  });

  // tshark keeps one edge of what was seen, and it goes astray at retransmissions that begin before it and at holes: it then
  // says "ACKed unseen segment" again and again, or not at all. Ours is compared with the truth.
  it('acks-unseen is said exactly when an acknowledgement covers something that no packet before it had', () => {
    const captured = new Map<string, Captured>();
    let unlike = 0;
    let said = 0;
    for (const [i, our] of ours.entries()) {
      const packet = packets[i]!;
      const own = numbersOf(captured, packet, our.stream);
      const back = numbersOf(captured, { ...packet, from: packet.to, to: packet.from }, our.stream);
      let unseen = false;
      const judged = back.judged;
      const { flags, ack } = packet.tcp!;
      if ((flags & ACK) !== 0 && (flags & RST) === 0 && back.from >= 0) {
        for (let n = back.judged; n !== ack! >>> 0 && ((ack! - n) | 0) > 0; n = (n + 1) >>> 0) {
          unseen ||= !back.numbers.has(n);
          back.judged = (n + 1) >>> 0;
        }
      }
      // All that was seen of that end was a keep-alive of an idle connection, which is one behind: nothing is missing.
      const idle =
        midStream[our.stream] &&
        back.packets === 1 &&
        back.numbers.size === 0 &&
        ((back.judged - judged) | 0) === 1;
      expect({ packet: i + 1, unseen: our.notes.has('acks-unseen') }).toEqual({
        packet: i + 1,
        unseen: unseen && !idle && !late[i],
      });
      said += unseen ? 1 : 0;
      unlike += our.notes.has('acks-unseen') === theirs[i]!.notes.has('acks-unseen') ? 0 : 1;
      if ((flags & RST) === 0) {
        capture(own, packet);
      }
    }
    expect(said).toBeGreaterThan(10);
    expect(unlike).toBeGreaterThan(0);
  });

  // tshark says "port numbers reused" of every second connection on the same ports; we only when the first was still open.
  it('tuple-reused is said of a second connection whose first was not over', () => {
    const last = new Map<string, number>();
    let both = 0;
    let they = 0;
    for (const [i, our] of ours.entries()) {
      const { from, to } = packets[i]!;
      const key = [from.port, to.port].sort().join();
      const before = last.get(key);
      const second = before !== undefined && before !== our.stream;
      last.set(key, our.stream);
      expect(theirs[i]!.notes.has('tuple-reused')).toBe(second);
      expect(our.notes.has('tuple-reused')).toBe(second && closed[before] === 'reused');
      both += our.notes.has('tuple-reused') ? 1 : 0;
      they += second ? 1 : 0;
    }
    expect(both).toBeGreaterThan(0);
    expect(they).toBeGreaterThan(both);
  });
});

function numbersOf(all: Map<string, Captured>, { from }: Packet, stream: number): Captured {
  const key = `${stream} ${from.port}`;
  let found = all.get(key);
  if (found === undefined) {
    found = { numbers: new Set(), packets: 0, from: -1, judged: 0 };
    all.set(key, found);
  }
  return found;
}

function capture(own: Captured, { tcp, payload }: Packet): void {
  const seq = tcp!.seq >>> 0;
  own.packets++;
  if (own.from < 0) {
    own.from = seq;
    own.judged = seq;
  }
  const count = (payload?.length ?? 0) + ((tcp!.flags & (SYN | FIN)) !== 0 ? 1 : 0);
  for (let i = 0; i < count; i++) {
    own.numbers.add((seq + i) >>> 0);
  }
}
