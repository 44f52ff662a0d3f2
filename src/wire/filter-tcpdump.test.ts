/** Beside tcpdump: the same filters, the same packets, the same answers. Each known difference is listed with its reason. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DIFFERENT,
  generatedFilters,
  ONLY_OURS,
  ONLY_TCPDUMP,
  WRITTEN,
  WRONG,
} from '../../test/fixtures/bpf-filters.ts';
import { ethernet, frames, under } from '../../test/fixtures/bpf-frames.ts';
import {
  fromBytes,
  fromDecimals,
  type Instruction,
  type Packet,
  refusal,
  run,
} from '../../test/fixtures/bpf-machine.ts';
import { needs } from '../../test/needs.ts';
import { compileFilter, type FilterLookups, type FilterTarget } from './filter.ts';
import { loadProgram, runFilter } from './filter-run.ts';
import { parseIpv4, parseIpv6 } from './net/address.ts';

/** More of everything with `npm run test:long`. */
const LONG = process.env.SOCKSCOPE_LONG === '1';
const made = frames(LONG ? 1000 : 500, 20);
const onEthernet: Packet[] = made.map((frame) => ({ bytes: ethernet(frame) }));

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sockscope-filter-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file with nothing in it but its link type, which tcpdump then compiles for. */
function emptyFile(linkType: number): string[] {
  const path = join(folder, `${linkType}.pcap`);
  const header = new DataView(new ArrayBuffer(24));
  header.setUint32(0, 0xa1b2c3d4, true);
  header.setUint16(4, 2, true);
  header.setUint16(6, 4, true);
  header.setUint32(16, 262144, true);
  header.setUint32(20, linkType, true);
  writeFileSync(path, new Uint8Array(header.buffer));
  return ['-r', path];
}

function tcpdump(text: string, ...how: string[]): Instruction[] | string {
  const done = spawnSync('tcpdump', [...how, '-ddd', '--', text], { encoding: 'utf8' });
  return done.status === 0 ? fromDecimals(done.stdout) : done.stderr.trim();
}

function services(): FilterLookups['port'] {
  const known = new Map<string, number>();
  for (const line of readFileSync('/etc/services', 'utf8').split('\n')) {
    const [name, port, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    const [number, protocol] = port?.split('/') ?? [];
    for (const one of [name!, ...aliases]) {
      known.set(`${one}/${protocol}`, Number(number));
    }
  }
  return (name, protocol) => [known.get(`${name}/${protocol}`)].filter((port) => port !== undefined);
}

/** As libpcap asks (getaddrinfo), so that both know the same hosts. */
function hosts(name: string): Uint8Array[] {
  const found = spawnSync('getent', ['ahosts', name], { encoding: 'utf8' }).stdout;
  const texts = new Set(found.split('\n').map((line) => line.split(/\s/)[0]!));
  return [...texts].map((text) => parseIpv4(text) ?? parseIpv6(text)).filter((one) => one !== null);
}

const NEVER: Instruction[] = [{ code: 6, jt: 0, jf: 0, k: 0 }];

/** The program, which the kernel would take and both interpreters read alike; or why it is refused. */
function compiled(text: string, target: FilterTarget, packets: readonly Packet[]): Instruction[] | string {
  const ours = compileFilter(text, target);
  if (!('program' in ours)) {
    return ours.message === 'no packet can match' ? NEVER : ours.message;
  }
  const program = fromBytes(ours.program);
  const loaded = loadProgram(ours.program);
  expect([text, refusal(program)]).toEqual([text, null]);
  for (const packet of packets) {
    const { bytes, protocol, packetType = 0, ifindex = 0, vlanTag = -1 } = packet;
    const wireLength = packet.wireLength ?? bytes.length;
    const beside = protocol === undefined ? null : { protocol, packetType, ifindex, vlanTag };
    if (runFilter(loaded, bytes, 0, bytes.length, wireLength, beside) !== run(program, packet) > 0) {
      throw new Error(`${text}: runFilter and the machine differ on ${bytes}`);
    }
  }
  return program;
}

/** The packets on which the two programs differ, apart from packets that are too short (see `isShort`). */
function differences(
  text: string,
  ours: Instruction[],
  theirs: Instruction[],
  pairs: Pair[],
  how: string[],
): Pair[] {
  const unlike = pairs.filter(([mine, its]) => run(ours, mine) > 0 !== run(theirs, its) > 0);
  if (unlike.length === 0) {
    return [];
  }
  const plain = tcpdump(text, ...how, '-O');
  return unlike.filter((pair) => typeof plain === 'string' || !isShort(pair, ours, theirs, plain));
}

/** The packet as our program sees it and as tcpdump's does. */
type Pair = readonly [ours: Packet, theirs: Packet];

/**
 * tcpdump's optimiser leaves out loads whose value changes nothing. Beyond the end of a short packet such a load would have rejected it,
 * so the optimised program may accept what the plain one (-O) does not. Ours answers as the plain one; a longer packet shows no difference.
 */
function isShort(
  [mine, its]: Pair,
  ours: Instruction[],
  theirs: Instruction[],
  plain: Instruction[],
): boolean {
  const longer = (packet: Packet): Packet => {
    const bytes = new Uint8Array(packet.bytes.length + 400);
    bytes.set(packet.bytes);
    return { ...packet, bytes, wireLength: packet.bytes.length };
  };
  return (
    run(plain, its) > 0 === run(ours, mine) > 0 &&
    run(theirs, longer(its)) > 0 === run(ours, longer(mine)) > 0
  );
}

/** Filters on which we and tcpdump are not of one mind. To find a filter never true is no refusal: its program takes nothing. */
function compare(texts: readonly string[], target: FilterTarget, pairs: Pair[], how: string[]): string[] {
  const found: string[] = [];
  const mine = pairs.map(([packet]) => packet);
  for (const text of texts) {
    const ours = compiled(text, target, mine);
    const said = tcpdump(text, ...how);
    const theirs = typeof said === 'string' && said.includes('rejects all packets') ? NEVER : said;
    if (typeof ours === 'string' || typeof theirs === 'string') {
      if (typeof ours !== typeof theirs) {
        found.push(`${text}: only one refuses it: ${typeof ours === 'string' ? ours : theirs}`);
      }
      continue;
    }
    const unlike = differences(text, ours, theirs, pairs, how);
    if (unlike.length > 0) {
      found.push(`${text}: ${unlike.length} packets, such as ${unlike[0]![0].bytes}`);
    }
  }
  return found;
}

const same = (packets: readonly Packet[]): Pair[] => packets.map((packet) => [packet, packet]);

describe.skipIf(needs('tcpdump', 'getent').missing !== null)('beside tcpdump', () => {
  const lookups: FilterLookups = { host: hosts, port: services() };
  const onFile: FilterTarget = { linkType: 1, lookups };

  it('written filters give the same answers on Ethernet', () => {
    expect(compare(WRITTEN, onFile, same(onEthernet), emptyFile(1))).toEqual([]);
  });

  it('generated filters give the same answers on Ethernet', () => {
    expect(compare(generatedFilters(LONG ? 220 : 80, 7), onFile, same(onEthernet), emptyFile(1))).toEqual([]);
  });

  it.each([0, 101, 108, 113, 228, 229, 276])('filters give the same answers on link type %i', (linkType) => {
    const packets = made.slice(0, 400).map((frame, i) => ({ bytes: under(linkType, frame, i) }));
    const texts = [...WRITTEN.filter((_, i) => i % 6 === linkType % 6), ...generatedFilters(20, linkType)];
    const asked = linkType === 113 || linkType === 276 ? [...texts, 'inbound', 'outbound and tcp'] : texts;
    expect(compare(asked, { linkType, lookups }, same(packets), emptyFile(linkType))).toEqual([]);
  });

  it('a cooked socket of the kernel answers as the same packets in a file', () => {
    const pairs = made.slice(0, 800).map((frame, i): Pair => {
      const beside = { protocol: frame.type, packetType: i % 5, ifindex: 1 + (i % 3) };
      return [
        { bytes: frame.bytes, wireLength: 20 + frame.bytes.length, ...beside },
        { bytes: under(113, frame, i) },
      ];
    });
    const aboutLink = /ether\[|link\[|len|less|greater/;
    const texts = [...WRITTEN, ...generatedFilters(60, 3)].filter(
      (text, i) => i % 2 === 0 && !aboutLink.test(text),
    );
    const asked = [...texts, 'inbound', 'outbound', 'inbound and tcp port 80'];
    expect(compare(asked, { linkType: 'network', lookups }, pairs, emptyFile(113))).toEqual([]);
    const second = pairs.map(([mine], i): Pair => [mine, { bytes: under(276, made[i]!, i) }]);
    expect(
      compare(['ifindex 2', 'ifindex 2 and udp'], { linkType: 'network' }, second, emptyFile(276)),
    ).toEqual([]);
  });

  it('wrong filters are refused by both', () => {
    const how = emptyFile(1);
    const taken: string[] = [];
    for (const text of WRONG) {
      const ours = compileFilter(text, onFile);
      taken.push(...('program' in ours ? [`we take ${text}`] : []));
      taken.push(...(typeof tcpdump(text, ...how) === 'string' ? [] : [`tcpdump takes ${text}`]));
    }
    expect(taken).toEqual([]);
  });

  it.each(ONLY_TCPDUMP)('only tcpdump takes `%s`: %s', (text) => {
    expect(typeof tcpdump(text, ...emptyFile(1))).toBe('object');
    expect(compileFilter(text, onFile)).not.toHaveProperty('program');
  });

  it.each(ONLY_OURS)('only we take `%s`: it means `%s`', (text, meaning) => {
    expect(typeof tcpdump(text, ...emptyFile(1))).toBe('string');
    expect(compileFilter(text, onFile)).toEqual(compileFilter(meaning, onFile));
  });

  it.each(DIFFERENT)('both take `%s` and answer differently: %s', (text) => {
    expect(compare([text], onFile, same(onEthernet), emptyFile(1))).toHaveLength(1);
  });
});

describe.skipIf(needs('linux', 'root', 'tcpdump').missing !== null)('beside tcpdump on an interface', () => {
  it('a raw socket of the kernel has the outer VLAN tag beside the packet', () => {
    const packets = made.slice(0, 800).flatMap((frame, i): Packet[] => {
      const beside = { protocol: frame.type, packetType: i % 5, ifindex: 1 + (i % 3) };
      const [outer, ...inner] = frame.tags;
      const taken =
        outer === undefined
          ? []
          : [{ bytes: ethernet({ ...frame, tags: inner }), vlanTag: outer & 0xffff, ...beside }];
      return [{ bytes: ethernet(frame), ...beside }, ...taken];
    });
    // -O: tcpdump's optimiser loses track of the tag (it stores its place before it asks for it) in `ip or vlan and ip`.
    const texts = WRITTEN.filter((text, i) => /vlan/.test(text) && i % 2 === 0);
    const own = [
      'inbound',
      'outbound and vlan',
      'ifindex 2',
      'not inbound',
      'ip broadcast',
      'ip broadcast or vlan and ip',
    ];
    const target: FilterTarget = {
      linkType: 1,
      kernel: true,
      netmask: 0xff000000,
      lookups: { host: hosts, port: services() },
    };
    expect(compare([...texts, ...own], target, same(packets), ['-i', 'lo', '-O'])).toEqual([]);
  });
});
