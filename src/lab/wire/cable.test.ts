import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Fate } from '../../session/events.ts';
import type { Act, Match, Path } from '../api.ts';
import type { RawEvent, WirePort } from '../stage/protocol.ts';
import { type Cable, createCable, MOST_WAITING } from './cable.ts';
import { segmentFrame } from './craft.ts';
import { fateOf } from './leg.ts';

const MS = 1e6;
const HOSTS = ['client', 'server', 'third', 'far'] as const;
type Name = (typeof HOSTS)[number];
const macOf = (name: string): string => `02:00:00:00:00:0${HOSTS.indexOf(name as Name) + 1}`;
const portOf = (host: Name): WirePort => ({
  host,
  segment: host === 'far' ? 'wan' : 'lan',
  ifindex: HOSTS.indexOf(host) + 1,
  device: `w${host}`,
  mac: macOf(host),
});

function frame(from: Name, to: string, flags = 'A', data = ''): Uint8Array {
  const macs = { from: macOf(from), to: to.includes(':') ? to : macOf(to) };
  return segmentFrame({ from: '10.9.0.1:1000', to: '10.9.0.2:80', flags, data }, macs) as Uint8Array;
}

/** A cable with everybody plugged in, and all that it said. */
class Bench {
  readonly out: RawEvent[] = [];
  readonly delivered: { at: number; to: string; bytes: Uint8Array; packet: number }[] = [];
  readonly cable: Cable;

  constructor(path: Path = {}, seed = 1) {
    this.cable = createCable({ seed, path });
    for (const host of HOSTS) {
      this.cable.add(portOf(host));
    }
  }

  send(at: number, from: Name, to: string, flags = 'A', data = ''): void {
    this.cable.arrive(at, portOf(from).ifindex, frame(from, to, flags, data), this.out);
  }

  rule(act: Act, match: Match = {}): number {
    return this.cable.rule(act, match) as number;
  }

  /** Everything that is due until then, each at its moment. */
  until(end: number): void {
    while (this.cable.next <= end) {
      const now = this.cable.next;
      for (let leg = this.cable.take(now, this.out); leg !== null; leg = this.cable.take(now, this.out)) {
        this.delivered.push({ at: now, to: leg.to.host, bytes: leg.frame, packet: leg.packet });
        if (leg.packet > 0) {
          this.out.push(fateOf(leg, now, 'delivered'));
        }
      }
    }
  }

  fates(): Fate[] {
    return this.out.filter((event): event is Fate => event.type === 'fate');
  }

  /** `2 server delivered at 50 (a copy)` */
  story(): string[] {
    return this.fates().map(
      ({ packet, host, what, at, why }) =>
        `${packet} ${host} ${what} at ${at / MS}${why === undefined ? '' : ` (${why})`}`,
    );
  }
}

describe('the switch', () => {
  it('a frame goes to the host whose address it has', () => {
    const bench = new Bench({ delayMs: 50 });
    bench.send(MS, 'client', 'server');
    bench.send(2 * MS, 'server', 'third');
    bench.until(100 * MS);
    expect(bench.story()).toEqual(['1 server delivered at 51', '2 third delivered at 52']);
    expect(bench.out.filter(({ type }) => type === 'packet')).toMatchObject([
      { at: MS, id: 1, host: 'client', segment: 'lan' },
      { at: 2 * MS, id: 2, host: 'server', segment: 'lan' },
    ]);
  });

  it('an address that nobody on the segment has is nobody’s', () => {
    const bench = new Bench();
    bench.send(0, 'client', '02:00:00:00:00:77');
    bench.send(0, 'client', 'far');
    bench.until(0);
    expect(bench.fates()).toMatchObject([
      { packet: 1, what: 'dropped', why: 'nobody has this address' },
      { packet: 2, what: 'dropped', why: 'nobody has this address' },
    ]);
  });

  it('a broadcast goes to everybody else on the segment, and each has its fate', () => {
    const bench = new Bench();
    bench.rule({ do: 'drop' }, { to: 'third' });
    bench.send(0, 'client', 'ff:ff:ff:ff:ff:ff');
    bench.until(0);
    expect(bench.story()).toEqual([
      '1 third dropped at 0 (rule: every frame to third)',
      '1 server delivered at 0',
    ]);
  });

  it('multicast chatter is forwarded, delayed, and not told; no rule counts it', () => {
    const bench = new Bench({ delayMs: 5, loss: 1 });
    const rule = bench.rule({ do: 'drop' });
    bench.send(0, 'client', '33:33:00:00:00:16');
    bench.send(0, 'client', '01:00:5e:00:00:fb');
    bench.until(10 * MS);
    expect(bench.out).toEqual([]);
    expect(bench.delivered.map(({ at, to }) => `${to} ${at / MS}`).sort()).toEqual([
      'server 5',
      'server 5',
      'third 5',
      'third 5',
    ]);
    expect(bench.cable.rules.get(rule)?.matcher.hits).toBe(0);
    bench.cable.cut('third');
    bench.send(20 * MS, 'client', '33:33:00:00:00:16');
    bench.until(30 * MS);
    expect(bench.delivered).toHaveLength(5);
    expect(bench.out).toEqual([]);
  });

  it('a neighbour solicitation is told, a router solicitation is not', () => {
    const bench = new Bench();
    const icmp = (type: number): Uint8Array => {
      const bytes = frame('client', '33:33:ff:00:00:02').slice(0, 14 + 40 + 24);
      const packet = new Uint8Array(14 + 40 + 24);
      packet.set(bytes.subarray(0, 12));
      packet.set([0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 58, 255], 12);
      packet[54] = type;
      return packet;
    };
    bench.cable.arrive(0, 1, icmp(135), bench.out);
    bench.cable.arrive(0, 1, icmp(133), bench.out);
    expect(bench.out.filter(({ type }) => type === 'packet')).toHaveLength(1);
  });
});

describe('cutting', () => {
  it('drops what comes from and goes to the host, and what is under way to it', () => {
    const bench = new Bench({ delayMs: 50 });
    bench.send(0, 'client', 'server');
    bench.send(0, 'server', 'client');
    bench.cable.cut('server');
    bench.send(10 * MS, 'server', 'client');
    bench.send(20 * MS, 'client', 'server');
    bench.until(60 * MS);
    bench.cable.plug('server');
    bench.until(100 * MS);
    expect(bench.story()).toEqual([
      '3 client dropped at 10 (the cable of server is cut)',
      '1 server dropped at 50 (the cable of server is cut)',
      '2 client delivered at 50',
      '4 server delivered at 70',
    ]);
  });

  it('a host that is switched off says nothing more; what is sent to it is lost', () => {
    const bench = new Bench({ delayMs: 1 });
    bench.send(0, 'client', 'server');
    bench.cable.off('server');
    bench.send(0, 'server', 'client');
    bench.until(5 * MS);
    expect(bench.out.filter(({ type }) => type === 'packet')).toHaveLength(1);
    expect(bench.story()).toEqual(['1 server dropped at 1 (server is switched off)']);
    bench.cable.remove('server');
    bench.send(5 * MS, 'client', 'server');
    bench.cable.add({ ...portOf('server'), ifindex: 9 });
    bench.send(6 * MS, 'client', 'server');
    bench.until(10 * MS);
    expect(bench.story().slice(1)).toEqual([
      '2 server dropped at 5 (server is switched off)',
      '3 server delivered at 7',
    ]);
  });
});

describe('rules', () => {
  it('drop takes the one that is meant, and what comes again passes', () => {
    const bench = new Bench();
    bench.rule({ do: 'drop' }, { flags: 'A', nth: 3, from: 'client' });
    for (const flags of ['S', 'A', 'A', 'A', 'A']) {
      bench.send(0, 'client', 'server', flags);
    }
    bench.until(0);
    expect(bench.story()).toEqual([
      '4 server dropped at 0 (rule: the 3rd A from client)',
      '1 server delivered at 0',
      '2 server delivered at 0',
      '3 server delivered at 0',
      '5 server delivered at 0',
    ]);
  });

  it('duplicate sends a copy behind it', () => {
    const bench = new Bench({ delayMs: 1 });
    bench.rule({ do: 'duplicate' }, { nth: 1 });
    bench.send(0, 'client', 'server');
    bench.send(0, 'client', 'server');
    bench.until(MS);
    expect(bench.story()).toEqual([
      '1 server delivered at 1',
      '1 server delivered at 1 (a copy)',
      '2 server delivered at 1',
    ]);
  });

  it('delay lets others overtake', () => {
    const bench = new Bench({ delayMs: 1 });
    bench.rule({ do: 'delay', ms: 5 }, { nth: 1 });
    bench.send(0, 'client', 'server');
    bench.send(MS, 'client', 'server');
    bench.until(10 * MS);
    expect(bench.story()).toEqual(['2 server delivered at 2', '1 server delivered at 6 (5 ms late)']);
  });

  it('corrupt flips one bit of the payload, in the frame that arrives and not in the one that was told', () => {
    const bench = new Bench();
    bench.rule({ do: 'corrupt' }, { data: true });
    for (let i = 0; i < 50; i++) {
      bench.send(i * MS, 'client', 'server', 'A', 'ten bytes.');
    }
    bench.until(60 * MS);
    const original = frame('client', 'server', 'A', 'ten bytes.');
    const places = new Set<number>();
    for (const [index, { bytes }] of bench.delivered.entries()) {
      const at = bytes.findIndex((byte, i) => byte !== original[i]);
      const difference = bytes[at]! ^ original[at]!;
      expect(difference & (difference - 1)).toBe(0);
      expect(at).toBeGreaterThanOrEqual(54);
      expect(Buffer.compare(bytes.subarray(at + 1), original.subarray(at + 1))).toBe(0);
      expect(bench.fates()[index]!.why).toBe(`corrupted: bit ${Math.log2(difference)} of byte ${at} flipped`);
      places.add(at);
    }
    expect(places.size).toBeGreaterThan(5);
    for (const event of bench.out) {
      if (event.type === 'packet') {
        expect(Buffer.compare(event.frame, original)).toBe(0);
      }
    }
  });

  it('without payload the transport’s header is hit, without transport what is behind the link header', () => {
    const bench = new Bench();
    bench.rule({ do: 'corrupt' });
    const arp = Uint8Array.from([...frame('client', 'server').subarray(0, 12), 8, 6, ...Array(28).fill(0)]);
    bench.send(0, 'client', 'server', 'A');
    bench.cable.arrive(0, 1, arp, bench.out);
    bench.until(0);
    const [first, second] = bench.fates().map(({ why }) => Number(/byte (\d+)/.exec(why!)![1]));
    expect(first).toBeGreaterThanOrEqual(34);
    expect(second).toBeGreaterThanOrEqual(14);
  });

  it('held frames go on in their order when they are released, through the rules behind', () => {
    const bench = new Bench({ delayMs: 1 });
    const hold = bench.rule({ do: 'hold' }, { data: true });
    const drop = bench.rule({ do: 'drop' }, { data: true, nth: 2 });
    for (const at of [1, 2, 3, 4]) {
      bench.send(at * MS, 'client', 'server', 'A', 'x');
    }
    expect(bench.cable.rules.get(drop)?.matcher.hits).toBe(0);
    expect(bench.cable.next).toBe(Number.POSITIVE_INFINITY);
    expect(bench.cable.release(hold, 1, 303 * MS, bench.out)).toBe(1);
    expect(bench.cable.release(hold, Number.POSITIVE_INFINITY, 400 * MS, bench.out)).toBe(3);
    bench.until(500 * MS);
    expect(bench.story().slice(4)).toEqual([
      '2 server dropped at 400 (held 398 ms, rule: the 2nd data)',
      '1 server delivered at 304 (held 302 ms)',
      '3 server delivered at 401 (held 397 ms)',
      '4 server delivered at 401 (held 396 ms)',
    ]);
    expect(bench.story()[0]).toBe('1 server held at 1 (rule: every data)');
  });

  it('a rule that is removed lets go of what it holds', () => {
    const bench = new Bench();
    const hold = bench.rule({ do: 'hold' });
    bench.send(0, 'client', 'server');
    bench.cable.unrule(hold, 5 * MS, bench.out);
    bench.send(5 * MS, 'client', 'server');
    bench.until(5 * MS);
    expect(bench.story().slice(1)).toEqual([
      '1 server delivered at 5 (held 5 ms)',
      '2 server delivered at 5',
    ]);
    expect(bench.cable.release(hold, 1, 0, bench.out)).toBe(0);
  });

  it('what is put in belongs to nobody, and rules see it', () => {
    const bench = new Bench();
    const rule = bench.rule({ do: 'duplicate' }, { from: 'wire', flags: 'S' });
    bench.cable.inject(MS, frame('client', 'far', 'S'), bench.out);
    bench.until(MS);
    expect(bench.out[0]).toMatchObject({ type: 'packet', host: 'wire', segment: 'wan' });
    expect(bench.story()).toEqual(['1 far delivered at 1', '1 far delivered at 1 (a copy)']);
    expect(bench.cable.rules.get(rule)?.matcher.hits).toBe(1);
  });
});

describe('always', () => {
  it('more than fits is dropped, told and counted', () => {
    const bench = new Bench({ delayMs: 1000 });
    for (let i = 0; i < MOST_WAITING + 2; i++) {
      bench.send(i, 'client', 'server');
    }
    expect(bench.story()).toHaveLength(2);
    expect(bench.fates()[0]).toMatchObject({ what: 'dropped', why: 'too much is under way' });
    expect(bench.cable.waiting).toMatchObject({ frames: MOST_WAITING, refused: 2 });
    bench.until(2000 * MS);
    expect(bench.cable.waiting).toMatchObject({ frames: 0, bytes: 0 });
  });

  const act = fc.oneof(
    fc.constantFrom<Act>({ do: 'drop' }, { do: 'duplicate' }, { do: 'corrupt' }, { do: 'hold' }),
    fc.nat(20).map((ms): Act => ({ do: 'delay', ms })),
  );
  const match = fc.record(
    {
      from: fc.constantFrom('client', 'server'),
      flags: fc.constantFrom('S', 'A', 'R'),
      nth: fc.integer({ min: 1, max: 5 }),
      most: fc.nat(4),
      chance: fc.double({ min: 0, max: 1, noNaN: true }),
    },
    { requiredKeys: [] },
  );
  const path = fc.record(
    {
      delayMs: fc.nat(30),
      jitterMs: fc.nat(10),
      bitsPerSecond: fc.integer({ min: 10_000, max: 1e8 }),
      queueBytes: fc.nat(3000),
      mtu: fc.integer({ min: 40, max: 1500 }),
      loss: fc.double({ min: 0, max: 1, noNaN: true }),
    },
    { requiredKeys: [] },
  );
  const host = fc.constantFrom<Name>('client', 'server', 'third', 'far');
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ do: fc.constant('send' as const), from: host, to: host, data: fc.nat(80) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('all' as const), from: host }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('cut', 'plug', 'off'), host }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('release' as const), rule: fc.nat(4), count: fc.nat(3) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('until' as const), ms: fc.nat(20) }) },
  );
  const script = fc.record({
    seed: fc.nat(),
    path,
    rules: fc.array(fc.tuple(act, match), { maxLength: 4 }),
    steps: fc.array(step, { maxLength: 60 }),
  });

  function run({
    seed,
    path: start,
    rules,
    steps,
  }: typeof script extends fc.Arbitrary<infer T> ? T : never): Bench {
    const bench = new Bench(start as Path, seed);
    for (const [what, which] of rules) {
      bench.rule(what, which as Match);
    }
    let now = 0;
    for (const one of steps) {
      switch (one.do) {
        case 'send':
          bench.send(now, one.from, one.to, 'A', 'x'.repeat(one.data));
          break;
        case 'all':
          bench.send(now, one.from, 'ff:ff:ff:ff:ff:ff');
          break;
        case 'release':
          bench.cable.release(one.rule, one.count, now, bench.out);
          break;
        case 'until':
          now += one.ms * MS;
          bench.until(now);
          break;
        default:
          bench.cable[one.do as 'cut'](one.host);
      }
    }
    bench.until(Number.MAX_SAFE_INTEGER);
    return bench;
  }

  it('the same seed and the same frames make the same decisions', () => {
    fc.assert(
      fc.property(script, (one) => {
        expect(run(one).out).toEqual(run(one).out);
      }),
      { numRuns: 60 },
    );
  });

  it('nothing is lost or invented: each frame to each host is delivered, dropped or still held, and copies are extra', () => {
    fc.assert(
      fc.property(script, (one) => {
        const bench = run(one);
        const held = [...bench.cable.rules.values()].flatMap((rule) => rule.held.map(({ leg }) => leg));
        const ends = bench.fates().filter(({ what }) => what !== 'held');
        const copies = ends.filter(({ why }) => why?.includes('a copy')).length;
        const sent = bench.out.filter((event) => event.type === 'packet');
        let wanted = 0;
        for (const packet of sent) {
          const broadcast = packet.frame[0] === 0xff;
          wanted += broadcast ? (packet.host === 'far' ? 0 : 2) : 1;
          // On a segment of its own nobody hears it.
          wanted += broadcast && packet.host === 'far' ? 1 : 0;
        }
        expect(ends.length - copies + held.length).toBe(wanted);
        expect(bench.cable.waiting.frames).toBe(held.length);
        expect(bench.delivered.filter(({ packet }) => packet > 0).length).toBe(
          ends.filter(({ what }) => what === 'delivered').length,
        );
        expect(bench.delivered.every(({ packet }) => sent.some(({ id }) => id === packet))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('any bytes are carried', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 14, maxLength: 90 }), act, (bytes, what) => {
        const bench = new Bench();
        bench.rule(what, { filter: 'ip or ip6 or arp or not tcp' });
        const type = [
          [8, 0],
          [0x86, 0xdd],
          [8, 6],
        ][bytes[0]! % 3]!;
        const addressed = Uint8Array.from([
          2,
          0,
          0,
          0,
          0,
          2,
          2,
          0,
          0,
          0,
          0,
          1,
          ...type,
          ...bytes.subarray(14),
        ]);
        bench.cable.arrive(0, 1, addressed, bench.out);
        bench.until(Number.MAX_SAFE_INTEGER);
        expect(bench.fates().length).toBeGreaterThanOrEqual(1);
        expect(bench.delivered.every((one) => one.bytes.length === addressed.length)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
