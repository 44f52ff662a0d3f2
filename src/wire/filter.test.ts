import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generatedFilters, WRITTEN, WRONG } from '../../test/fixtures/bpf-filters.ts';
import { ethernet, frames, seeded } from '../../test/fixtures/bpf-frames.ts';
import { fromBytes, refusal, run } from '../../test/fixtures/bpf-machine.ts';
import { compileFilter, type FilterFault, type FilterLookups, type FilterTarget } from './filter.ts';
import { assemble } from './filter-assemble.ts';
import { blocksOf } from './filter-blocks.ts';
import { generate } from './filter-generate.ts';
import { groundOf } from './filter-link.ts';
import { optimised } from './filter-optimise.ts';
import { parseFilter } from './filter-parse.ts';
import { KEYWORDS } from './filter-words.ts';

const lookups: FilterLookups = {
  host: (name) => (name === 'both' ? [new Uint8Array([10, 0, 0, 1]), new Uint8Array(16).fill(1)] : []),
  port: (name, protocol) =>
    name === 'web' ? [80] : name === 'clock' && protocol === 'udp' ? [123] : name === 'shell-x' ? [514] : [],
};
const target: FilterTarget = { linkType: 1, lookups };

function program(text: string, of: FilterTarget = target): Uint8Array {
  const read = compileFilter(text, of);
  if (!('program' in read)) {
    throw new Error(`${text}: ${read.message}`);
  }
  return read.program;
}

function fault(text: string, of: FilterTarget = target): FilterFault {
  const read = compileFilter(text, of);
  if ('program' in read) {
    throw new Error(`${text} was taken`);
  }
  return read;
}

/** The text with carets below, as a person sees it. */
function shown(text: string, of: FilterTarget = target): string[] {
  const { from, to, message, hint } = fault(text, of);
  return [text, ' '.repeat(from) + '^'.repeat(Math.max(1, to - from)), message, hint];
}

describe('a capture filter', () => {
  it('that is empty takes every packet, as much of it as asked', () => {
    expect(fromBytes(program('', { linkType: 1, snapLength: 96 }))).toEqual([
      { code: 6, jt: 0, jf: 0, k: 96 },
    ]);
    expect(run(fromBytes(program(' \n')), { bytes: new Uint8Array() })).toBe(262144);
  });

  it('keeps of a taken packet what the snap length says', () => {
    const frame = new Uint8Array(60);
    frame.set([8, 6], 12);
    expect(run(fromBytes(program('arp', { linkType: 1, snapLength: 128 })), { bytes: frame })).toBe(128);
  });

  it('may use names that the caller can look up', () => {
    expect(program('port web')).toEqual(program('port 80'));
    expect(program('port clock')).toEqual(program('udp port 123'));
    expect(program('host both')).toEqual(program('host 10.0.0.1 or 101:101:101:101:101:101:101:101'));
    expect(program('ip host both')).toEqual(program('ip host 10.0.0.1'));
    expect(program('portrange web-clock')).toEqual(program('portrange 80-123'));
    expect(program('port \\shell-x')).toEqual(program('port 514'));
  });

  it('inherits the words of the condition before', () => {
    expect(program('tcp port 80 or 443')).toEqual(program('tcp port 80 or tcp port 443'));
    expect(program('not host 10.0.0.1 and 10.0.0.2')).toEqual(program('not host 10.0.0.1 and host 10.0.0.2'));
    expect(program('src net 10 or 192.168')).toEqual(program('src net 10.0.0.0/8 or src net 192.168.0.0/16'));
  });

  it('joins from left to right', () => {
    expect(program('tcp or udp and port 80')).toEqual(program('(tcp or udp) and port 80'));
    expect(program('tcp or udp and port 80')).not.toEqual(program('tcp or (udp and port 80)'));
  });

  it('takes a number alone and :NUMBER for a port', () => {
    expect(program('8080')).toEqual(program('port 8080'));
    expect(program(':8080 or 443')).toEqual(program('port 8080 or port 443'));
    expect(program('host 10.0.0.1 and :80')).toEqual(program('host 10.0.0.1 and port 80'));
  });

  it('does not ask twice what it knows', () => {
    const instructions = (text: string): number => program(text).length / 8;
    expect(instructions('tcp port 80')).toBe(20);
    expect(instructions('tcp port 80 and tcp port 80')).toBe(20);
    expect(instructions('ip and ip and ip')).toBe(instructions('ip'));
    expect(instructions('tcp and port 80')).toBeLessThan(instructions('tcp') + instructions('port 80') - 4);
  });

  it('with hundreds of ports jumps further than a conditional jump can', () => {
    const text = Array.from({ length: 200 }, (_, i) => `tcp port ${1000 + i}`).join(' or ');
    const long = fromBytes(program(text));
    expect(refusal(long)).toBe(null);
    const frame = (port: number, family: number): Uint8Array => {
      const bytes = new Uint8Array(80);
      bytes.set(family === 4 ? [8, 0, 0x45] : [0x86, 0xdd, 0x60], 12);
      bytes[family === 4 ? 23 : 20] = 6;
      bytes.set([port >> 8, port & 255], family === 4 ? 36 : 56);
      return bytes;
    };
    for (const family of [4, 6]) {
      for (const port of [999, 1000, 1001, 1100, 1198, 1199, 1200]) {
        expect([family, port, run(long, { bytes: frame(port, family) }) > 0]).toEqual([
          family,
          port,
          port >= 1000 && port < 1200,
        ]);
      }
    }
  });

  it('that needs more instructions than the kernel takes is refused', () => {
    const text = Array.from({ length: 3000 }, (_, i) => `host 10.0.${i >> 8}.${i & 255}`).join(' or ');
    expect(fault(text).message).toContain('4096 instructions');
    expect(fault(`port 1${' or 2'.repeat(5000)}`).message).toMatch(/4096|characters/);
    expect(fault('a'.repeat(70_000)).message).toContain('characters');
  });

  it('changes between and and or no more often than the tree may be deep', () => {
    const text = (changes: number): string => `ip${' and tcp or ip'.repeat(changes / 2)}`;
    expect(refusal(fromBytes(program(text(1000))))).toBe(null);
    expect(fault(text(1002)).message).toBe('more than 1000 changes between and and or');
    expect(fault(text(8000)).message).toBe('more than 1000 changes between and and or');
  });

  it('nests no deeper than the parser goes', () => {
    expect(fault(`${'('.repeat(5000)}tcp`).message).toMatch(/nesting|closed/);
    expect(fault(`${'not '.repeat(5000)}tcp`).message).toContain('nesting');
    expect(fault(`${'-'.repeat(5000)}1 = 1`).message).toContain('nesting');
    expect(fault(`${'('.repeat(5000)}1${')'.repeat(5000)} = 1`).message).toContain('nesting');
    expect(fault(`${'tcp['.repeat(300)}0${']'.repeat(300)} = 1`).message).toContain('nesting');
    expect(fault(`${'len ^ '.repeat(20)}len = 1`).message).toContain('15 values');
    expect(program(`${'('.repeat(100)}tcp${')'.repeat(100)}`)).toEqual(program('tcp'));
  });

  it('for a socket asks the kernel for direction, interface and tag; for a file it cannot', () => {
    const live: FilterTarget = { linkType: 1, kernel: true };
    const bytes = new Uint8Array(60);
    const asked = (text: string, packet: object): boolean =>
      run(fromBytes(program(text, live)), { bytes, ...packet }) > 0;
    expect(asked('outbound', { packetType: 4 })).toBe(true);
    expect(asked('inbound', { packetType: 4 })).toBe(false);
    expect(asked('ifindex 3', { ifindex: 3 })).toBe(true);
    expect(asked('vlan 7', { vlanTag: 0x2007 })).toBe(true);
    expect(asked('vlan 7', { vlanTag: 8 })).toBe(false);
    expect(shown('tcp and inbound')).toEqual([
      'tcp and inbound',
      '        ^^^^^^^',
      'the direction of packets is not known here',
      'A file with this kind of link does not say it: it works on a live capture.',
    ]);
  });

  it('for a link type without headers we know is refused', () => {
    expect(fault('tcp', { linkType: 147 }).message).toBe('no capture filter for link type 147');
  });
});

describe('a wrong capture filter', () => {
  it.each([
    ['prot 80', '^^^^', "'prot' is no word of a capture filter", 'Did you mean port?'],
    ['tpc port 80', '^^^', "'tpc' is no word of a capture filter", 'Did you mean tcp?'],
    ['tcp adn udp', '    ^^^', "'adn' is no word of a capture filter", 'Did you mean and?'],
    ['TCP', '^^^', "'TCP' is no word of a capture filter", 'Did you mean tcp?'],
    ['tcp 80', '    ^^', "'80' cannot stand here", 'Write tcp port 80, or join two conditions with and.'],
    ['example.com', '^^^^^^^^^^^', "'example.com' needs a word in front", 'Write host example.com.'],
    [
      'ip proto tcp',
      '         ^^^',
      "'tcp' cannot stand here",
      'Write proto \\tcp: a word of the language needs a backslash.',
    ],
    ['net 10/8', '      ^', "'/' cannot stand here", 'Write at least two numbers: 10.0/LENGTH.'],
    [
      'net 10.0.0.1/8',
      '    ^^^^^^^^^^',
      'bits are set behind the mask',
      'Write net 10.0.0.0 with that mask.',
    ],
    ['port 80-90', '     ^^^^^', "'80-90' is no port", 'Write portrange 80-90.'],
    ['host a:80', '      ^', "':' cannot stand here", 'Write host a and port NUMBER.'],
    ['len-20 > 5', '^^^^^^', "'len-20' is read as one name", 'Put spaces around the minus.'],
    ['(tcp', '^', "this '(' is never closed", "Close it with ')'."],
    ['tcp)', '   ^', "this ')' closes nothing", "Leave it out, or open it with '('."],
    [
      'tcp and',
      '       ^',
      'the filter ends too early',
      'Begin with a protocol (tcp, udp, icmp, arp …), host, net, port or :PORT.',
    ],
    ['tcp[0:3] = 1', '      ^', "'3' is no size", 'The size is 1, 2 or 4 bytes.'],
    [
      'host 1.2.3.400',
      '     ^^^^^^^^^',
      "'1.2.3.400' is no IPv4 address",
      'Each of the up to four numbers is 0 to 255.',
    ],
    [
      'icmp port 7',
      '          ^',
      'icmp has no port',
      'Only tcp, udp and sctp have ports: write port alone, or join two conditions with and.',
    ],
    [
      'tcp port clock',
      '         ^^^^^',
      "the service 'clock' is udp",
      'Write udp port clock, or the number.',
    ],
    [
      'ip and arp',
      '^^^^^^^^^^',
      'no packet can match',
      'Its conditions exclude each other, or this kind of link.',
    ],
  ])('%s is shown where it is wrong', (text, carets, message, hint) => {
    expect(shown(text)).toEqual([text, carets, message, hint]);
  });

  it('points at the word that is not supported and says why', () => {
    for (const text of [
      'pppoes',
      'tcp and protochain 6',
      'gateway x',
      'host a and llc',
      'not ifname eth0',
      'geneve 5',
    ]) {
      const { message, hint } = fault(text);
      expect(message).toMatch(/^'\w+' is not supported$/);
      expect(hint).toMatch(/^[A-Z].*[.)]$/s);
    }
  });
});

const words = [
  ...KEYWORDS,
  'and',
  'or',
  'not',
  '(',
  ')',
  '[',
  ']',
  ':',
  '=',
  '!=',
  '<',
  '>>',
  '&',
  '%',
  '-',
  '80',
  '0x1f',
  '10.1',
  '::1',
  '02:00:00:00:00:01',
  'name',
  '\\tcp',
  '65536',
  '$',
  'é',
  '"',
];
const targets: FilterTarget[] = [
  target,
  { linkType: 1, kernel: true, netmask: 0xffffff00 },
  { linkType: 'network', lookups },
  ...[0, 12, 101, 108, 113, 228, 229, 276].map((linkType) => ({ linkType, lookups })),
];

function isSound(text: string): void {
  for (const one of targets) {
    const read = compileFilter(text, one);
    if ('program' in read) {
      expect(refusal(fromBytes(read.program))).toBe(null);
      expect(read.instructions).toBe(read.program.length / 8);
    } else {
      expect(read.from).toBeGreaterThanOrEqual(0);
      expect(read.to).toBeGreaterThanOrEqual(read.from);
      expect(read.to).toBeLessThanOrEqual(text.length);
      expect(read.message).not.toBe('');
      expect(read.hint).not.toBe('');
    }
  }
}

describe('any text at all', () => {
  it('of words in any order gives a program the kernel takes or a place in the text', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...words), { maxLength: 12 }), (some) => {
        isSound(some.join(' '));
        isSound(some.join(''));
      }),
      { numRuns: 200 },
    );
  });

  it('of characters gives a program the kernel takes or a place in the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        isSound(text);
      }),
      { numRuns: 200 },
    );
  });

  it('made from right filters by cutting and swapping is no worse', () => {
    const chance = seeded(4);
    const all = [...WRITTEN, ...WRONG, ...generatedFilters(100, 5)];
    for (const text of all) {
      isSound(text.slice(0, chance(text.length + 1)));
      const at = chance(text.length + 1);
      isSound(text.slice(0, at) + all[chance(all.length)]!.slice(chance(9)) + text.slice(at + chance(4)));
    }
  });
});

describe('leaving out what is known', () => {
  it('changes no answer, not even for packets that are cut off', () => {
    const packets = frames(300, 8).map((frame) => ({ bytes: ethernet(frame) }));
    let compared = 0;
    for (const text of [...WRITTEN, ...generatedFilters(150, 6)]) {
      const expression = parseFilter(text);
      if (expression === null || 'hint' in expression) {
        continue;
      }
      const tree = generate({ ground: groundOf(1, false)!, lookups, netmask: null }, expression);
      if (typeof tree === 'boolean' || 'hint' in tree) {
        continue;
      }
      compared++;
      const blocks = blocksOf(tree)!;
      const plain = fromBytes(assemble(blocks, 1));
      const better = fromBytes(assemble(optimised(blocks), 1));
      expect(better.length).toBeLessThanOrEqual(plain.length);
      for (const packet of packets) {
        if (run(plain, packet) !== run(better, packet)) {
          throw new Error(`${text} answers differently for ${packet.bytes}`);
        }
      }
    }
    expect(compared).toBeGreaterThan(350);
  });
});
