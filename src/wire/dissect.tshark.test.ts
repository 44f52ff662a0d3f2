/** The same frames read by us and by tshark: the same addresses, ports, numbers, options and verdicts on checksums. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Extension,
  ethernet,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  join,
  MAC_A,
  pcap,
  tcp,
  udp,
  w16,
  w32,
} from '../../test/fixtures/frames.ts';
import { needs } from '../../test/needs.ts';
import { dissect } from './dissect.ts';
import { emptyHeaders, type Headers, LINK } from './headers.ts';
import { type Field, layers } from './layers.ts';
import { checksums } from './net/checksum.ts';

const lab = needs('tshark');
const SEED = 20_260_101;

/** tshark's name → ours. Where tshark gives several values of a name, so do we. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  'eth.src': ['eth.src'],
  'eth.len': ['eth.len'],
  'vlan.id': ['vlan.id'],
  'sll.pkttype': ['sll.pkttype'],
  'sll.etype': ['sll.etype'],
  'null.family': ['null.family'],
  'arp.opcode': ['arp.op'],
  'arp.src.proto_ipv4': ['arp.src.ip'],
  'arp.dst.hw_mac': ['arp.dst.hw'],
  'ip.src': ['ip.src', 'icmp.quoted.src'],
  'ip.dst': ['ip.dst', 'icmp.quoted.dst'],
  'ip.proto': ['ip.proto', 'icmp.quoted.proto'],
  'ipv6.src': ['ipv6.src', 'icmpv6.quoted.src'],
  'ipv6.dst': ['ipv6.dst', 'icmpv6.quoted.dst'],
  'ipv6.nxt': ['ipv6.nxt', 'icmpv6.quoted.proto'],
  'ipv6.fraghdr.offset': ['ipv6.fraghdr.offset'],
  'ipv6.fraghdr.ident': ['ipv6.fraghdr.ident'],
  'ipv6.routing.segleft': ['ipv6.routing.segleft'],
  'ipv6.dstopts.nxt': ['ipv6.dstopts.nxt'],
  'ah.spi': ['ah.spi'],
  'tcp.srcport': ['tcp.srcport', 'icmp.quoted.srcport'],
  'tcp.dstport': ['tcp.dstport', 'icmp.quoted.dstport'],
  'tcp.seq': ['tcp.seq', 'icmp.quoted.seq'],
  'tcp.options.mss_val': ['tcp.options.mss'],
  'tcp.options.wscale.shift': ['tcp.options.wscale'],
  'tcp.options.timestamp.tsval': ['tcp.options.timestamp.tsval'],
  'tcp.options.timestamp.tsecr': ['tcp.options.timestamp.tsecr'],
  'tcp.options.sack_le': ['tcp.options.sack_le'],
  'tcp.options.sack_re': ['tcp.options.sack_re'],
  'tcp.options.mptcp.subtype': ['tcp.options.mptcp.subtype'],
  'tcp.options.mptcp.recvtok': ['tcp.options.mptcp.recvtok'],
  'tcp.options.tfo.cookie': ['tcp.options.tfo.cookie'],
  'tcp.options.user_to_val': ['tcp.options.user_to'],
  'udp.srcport': ['udp.srcport', 'icmpv6.quoted.srcport'],
  'udp.dstport': ['udp.dstport', 'icmpv6.quoted.dstport'],
  'icmp.type': ['icmp.type'],
  'icmp.code': ['icmp.code'],
  'icmp.mtu': ['icmp.mtu'],
  'icmp.ident': ['icmp.id'],
  'icmp.seq': ['icmp.seq'],
  'icmpv6.type': ['icmpv6.type'],
  'icmpv6.echo.identifier': ['icmpv6.echo.id'],
  'icmpv6.mtu': ['icmpv6.mtu'],
  'icmpv6.nd.ns.target_address': ['icmpv6.nd.ns.target_address'],
  'icmpv6.opt.src_linkaddr': ['icmpv6.opt.src_linkaddr'],
};

/** These are of the outer packet alone: tshark's first value. */
const FIRST: Readonly<Record<string, string>> = {
  'eth.type': 'eth.type',
  'ip.ttl': 'ip.ttl',
  'ip.id': 'ip.id',
  'ip.len': 'ip.len',
  'ip.dsfield': 'ip.dsfield',
  'ip.frag_offset': 'ip.frag_offset',
  'ipv6.hlim': 'ipv6.hlim',
  'ipv6.flow': 'ipv6.flow',
  'ipv6.tclass': 'ipv6.tclass',
  'tcp.ack': 'tcp.ack',
  'tcp.window_size_value': 'tcp.window',
  'tcp.urgent_pointer': 'tcp.urgent',
  'tcp.len': 'tcp.len',
  'udp.length': 'udp.length',
};

const STATUS = [
  'ip.checksum.status',
  'tcp.checksum.status',
  'udp.checksum.status',
  'icmp.checksum.status',
  'icmpv6.checksum.status',
] as const;
/** We say offsets in bytes. */
const IN_EIGHTS = new Set(['ip.frag_offset', 'ipv6.fraghdr.offset']);

const ASKED = [...Object.keys(NAMES), ...Object.keys(FIRST), 'tcp.flags', ...STATUS];

/** One map of values per frame. */
function theirs(linkType: number, frames: readonly Uint8Array[]): Map<string, string[]>[] {
  const folder = mkdtempSync(joinPath(tmpdir(), 'sockscope-tshark-'));
  try {
    const file = joinPath(folder, 'frames.pcap');
    writeFileSync(file, pcap(linkType, frames));
    const settings = [
      'tcp.check_checksum:TRUE',
      'udp.check_checksum:TRUE',
      'ip.check_checksum:TRUE',
      'ip.defragment:FALSE',
      'ipv6.defragment:FALSE',
      'tcp.desegment_tcp_streams:FALSE',
      'tcp.relative_sequence_numbers:FALSE',
    ].flatMap((setting) => ['-o', setting]);
    const wanted = ASKED.flatMap((name) => ['-e', name]);
    const { stdout, status, stderr } = spawnSync(
      'tshark',
      ['-n', '-r', file, ...settings, '-T', 'fields', '-E', 'occurrence=a', '-E', 'aggregator=;', ...wanted],
      { encoding: 'utf8', env: { ...process.env, HOME: folder }, maxBuffer: 1 << 26 },
    );
    expect([status, stderr.replace(/^Running as user.*\n/, '')]).toEqual([0, '']);
    return stdout
      .replace(/\n$/, '')
      .split('\n')
      .map(
        (line) =>
          new Map(
            line.split('\t').map((cell, i) => [ASKED[i]!, cell === '' ? [] : cell.split(';')] as const),
          ),
      );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Numbers compare as numbers, in whatever base. */
function plain(text: string): string {
  return /^(0x[0-9a-f]+|\d+)$/.test(text) ? String(Number(text)) : text.replaceAll(':', '');
}

function expected(h: Headers): Map<string, string[]> {
  const fields = layers(h).flatMap((layer) => layer.fields);
  const of = (name: string) => fields.filter((field) => field.name === name);
  const shown = ({ value }: Field) => plain(String(value));
  const map = new Map<string, string[]>();
  for (const [name, ours] of Object.entries(NAMES)) {
    map.set(
      name,
      ours.flatMap((our) => of(our).map(shown)),
    );
  }
  for (const [name, our] of Object.entries(FIRST)) {
    map.set(name, of(our).slice(0, 1).map(shown));
  }
  map.set(
    'tcp.flags',
    of('tcp.flags').map(() => String(h.flags)),
  );
  return map;
}

/** 0 bad, 1 good, 2 unverified, 3 not present, 4 illegal */
const VERDICTS: Readonly<Record<string, readonly string[]>> = {
  '0': ['bad'],
  '1': ['good'],
  '2': ['unknown'],
  '3': ['none'],
  '4': ['bad'],
};

function compare(linkType: number, frames: readonly Uint8Array[]): void {
  const rows = theirs(linkType, frames);
  expect(rows.length).toBe(frames.length);
  for (const [i, frame] of frames.entries()) {
    const row = rows[i]!;
    const h = emptyHeaders();
    h.bytes = frame;
    h.to = h.wireLength = frame.length;
    h.linkType = linkType;
    dissect(h);
    const ours = expected(h);
    const got = new Map<string, string[]>();
    for (const name of ours.keys()) {
      const cells = row
        .get(name)!
        .map((cell) => String(IN_EIGHTS.has(name) ? 8 * Number(cell) : plain(cell)));
      const first = name in FIRST || name === 'tcp.flags';
      // We show less of what an error quotes.
      const onlyQuoted = h.protocol === 58 && name === 'udp.length';
      got.set(name, onlyQuoted ? [] : first ? cells.slice(0, 1) : cells);
    }
    expect({ frame: i, ...Object.fromEntries(ours) }).toEqual({ frame: i, ...Object.fromEntries(got) });
    const sums = checksums(h);
    for (const name of STATUS) {
      const status = row.get(name)![0];
      if (status !== undefined) {
        const verdict = name === 'ip.checksum.status' ? sums.ip : sums.transport;
        expect(`frame ${i} ${name} ${VERDICTS[status]!.includes(verdict) ? verdict : VERDICTS[status]}`).toBe(
          `frame ${i} ${name} ${verdict}`,
        );
      }
    }
  }
}

const port = fc.integer({ min: 50_000, max: 65_000 });
const word = fc.integer({ min: 0, max: 0xffff_ffff });
const byte = fc.integer({ min: 0, max: 255 });

const option = fc.oneof(
  fc.constant([1]),
  fc.constant([4, 2]),
  fc.integer({ min: 0, max: 65_535 }).map((mss) => [2, 4, ...w16(mss)]),
  fc.integer({ min: 0, max: 14 }).map((shift) => [3, 3, shift]),
  fc.tuple(word, word).map(([value, echo]) => [8, 10, ...w32(value), ...w32(echo)]),
  fc
    .array(fc.tuple(word, word), { minLength: 1, maxLength: 3 })
    .map((blocks) => [5, 2 + 8 * blocks.length, ...blocks.flatMap(([a, b]) => [...w32(a), ...w32(b)])]),
  word.map((token) => [30, 12, 0x10, 1, ...w32(token), ...w32(5)]),
  fc.array(byte, { minLength: 4, maxLength: 16 }).map((cookie) => [34, 2 + cookie.length, ...cookie]),
  fc.integer({ min: 1, max: 0x7fff }).map((seconds) => [28, 4, ...w16(seconds)]),
  fc.constant([77, 4, 1, 2]),
);

/** As many as fit 40 bytes, and none twice: tshark has opinions on that. */
const tcpOptionBytes = fc.array(option, { maxLength: 6 }).map((list) => {
  const seen = new Set<number>();
  const all: number[] = [];
  for (const one of list) {
    if (!seen.has(one[0]!) && all.length + one.length <= 40) {
      seen.add(one[0]!);
      all.push(...one);
    }
  }
  return all;
});

const extension: fc.Arbitrary<Extension> = fc.oneof(
  fc.constant({ kind: 60, body: [0, 1, 4, 0, 0, 0, 0] }),
  fc.constant({ kind: 43, body: [2, 4, 0, 0, 0, 0, 0, ...new Array<number>(15).fill(0), 1] }),
  word.map((id) => ({ kind: 44, body: [0, 0, 0, ...w32(id)] })),
  word.map((spi) => ({
    kind: 51,
    body: [4, 0, 0, ...w32(spi), 0, 0, 0, 1, ...new Array<number>(12).fill(7)],
  })),
);

const any = fc.record({
  kind: fc.constantFrom('tcp', 'tcp', 'tcp', 'udp', 'echo', 'error', 'fragment'),
  six: fc.boolean(),
  sourcePort: port,
  destinationPort: port,
  seq: word,
  ack: word,
  flags: fc.integer({ min: 0, max: 511 }),
  window: fc.integer({ min: 0, max: 65_535 }),
  urgent: fc.integer({ min: 0, max: 65_535 }),
  options: tcpOptionBytes,
  tags: fc.array(fc.integer({ min: 0, max: 4095 }), { maxLength: 2 }),
  hops: byte,
  class: byte,
  flow: fc.integer({ min: 0, max: 0xfffff }),
  id: fc.integer({ min: 0, max: 65_535 }),
  source: fc.ipV4(),
  source6: fc.array(fc.integer({ min: 1, max: 0xffff }), { minLength: 7, maxLength: 7 }),
  extensions: fc.array(extension, { maxLength: 2 }),
  size: fc.integer({ min: 0, max: 400 }),
  spoil: fc.integer({ min: 0, max: 5 }),
});
type Any = typeof any extends fc.Arbitrary<infer T> ? T : never;

function network(p: Any): Uint8Array {
  const body = new Uint8Array(p.size).fill(p.hops);
  const source = p.six ? ['2001', ...p.source6.map((group) => group.toString(16))].join(':') : p.source;
  const ends = { version: p.six ? (6 as const) : (4 as const), source };
  const fragment = p.kind === 'fragment';
  const [protocol, above] = transport(p, body, ends);
  if (p.six) {
    const piece = { kind: 44, body: [0, ...w16(8 * 50 + 1), ...w32(p.seq)] };
    const extensions = fragment ? [piece] : p.extensions;
    return ipv6({ protocol, source, hops: p.hops, trafficClass: p.class, flow: p.flow, extensions }, above);
  }
  const place = fragment ? { offset: 8 * 50, more: true } : {};
  return ipv4({ protocol, source, ttl: p.hops, tos: p.class, id: p.id, ...place }, above);
}

function transport(p: Any, body: Uint8Array, ends: { version: 4 | 6; source: string }): [number, Uint8Array] {
  switch (p.kind) {
    case 'tcp':
      return [6, spoilt(p, tcp(p, body, ends))];
    case 'udp':
      return [17, spoilt(p, udp(p, body, ends))];
    case 'echo': {
      const rest = join(w16(p.id), w16(p.window), body);
      return p.six ? [58, spoilt(p, icmpv6(128, 0, rest, ends))] : [1, spoilt(p, icmp(8, 0, rest))];
    }
    case 'error':
      return p.six
        ? [58, icmpv6(2, 0, join(w32(1400), ipv6({ protocol: 17 }, udp(p, body, { version: 6 }))), ends)]
        : [1, icmp(3, 4, join(w16(0), w16(1400), ipv4({ protocol: 6 }, tcp(p, body)).subarray(0, 28)))];
    default:
      return [17, body];
  }
}

/** One in six has a wrong checksum. */
function spoilt(p: Any, segment: Uint8Array): Uint8Array {
  if (p.spoil === 0) {
    segment[2]! ^= 0xff;
  }
  return segment;
}

describe.skipIf(lab.missing !== null)(
  `beside tshark${lab.missing === null ? '' : ` (${lab.missing})`}`,
  () => {
    const samples = fc.sample(any, { numRuns: 600, seed: SEED });

    it('Ethernet frames of every kind are read alike', () => {
      const frames = samples.map((p) =>
        ethernet({ type: p.six ? 0x86dd : 0x0800, tags: p.tags.map((id) => ({ id })) }, network(p)),
      );
      compare(LINK.ethernet, frames);
    });

    it('ARP, SNAP, neighbour solicitations and frames with padding are read alike', () => {
      const arp = join(
        w16(1),
        w16(0x0800),
        6,
        4,
        w16(1),
        MAC_A,
        [10, 0, 0, 1],
        new Uint8Array(6),
        [10, 0, 0, 2],
      );
      const snap = join([0xaa, 0xaa, 3, 0, 0, 0], w16(0x0800), network({ ...samples[0]!, six: false }));
      const target = [0xfe, 0x80, ...new Array<number>(13).fill(0), 9];
      const solicitation = icmpv6(135, 0, join(w32(0), target, [1, 1], MAC_A));
      compare(LINK.ethernet, [
        ethernet({ type: 0x0806 }, join(arp, new Uint8Array(18))),
        ethernet({ type: snap.length }, snap),
        ethernet({ type: 0x86dd }, ipv6({ protocol: 58, hops: 255 }, solicitation)),
        ethernet(
          { type: 0x0800 },
          join(
            ipv4({ protocol: 17 }, udp({ sourcePort: 50_001, destinationPort: 50_002 }, Uint8Array.of(1))),
            new Uint8Array(17),
          ),
        ),
      ]);
    });

    it.each([
      ['cooked', LINK.linuxSll, (type: number) => join(w16(4), w16(1), w16(6), MAC_A, [0, 0], w16(type))],
      [
        'cooked v2',
        LINK.linuxSll2,
        (type: number) => join(w16(type), w16(0), w32(2), w16(1), [3, 6], MAC_A, [0, 0]),
      ],
      ['BSD loopback', LINK.null, (type: number) => (type === 0x0800 ? [2, 0, 0, 0] : [30, 0, 0, 0])],
      ['raw', LINK.raw, () => []],
    ])('%s frames are read alike', (_, link, head) => {
      const frames = samples.slice(0, 100).map((p) => join(head(p.six ? 0x86dd : 0x0800), network(p)));
      compare(link, frames);
    });
  },
);
