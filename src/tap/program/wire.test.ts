import { beforeEach, describe, expect, it } from 'vitest';
import { emptyHeaders, readHeaders } from './frames.ts';
import { type FrameWish, frameOf, hostBytes } from './testing.ts';
import { createWire, type Surroundings, type Talker, type Wire } from './wire.ts';

const SYN = 0x02;
const ACK = 0x10;
const RST = 0x04;
const FIN = 0x01;

describe.each([4, 6] as const)('the wire, IPv%i', (version) => {
  /** What it did, in order, as short words. */
  let did: string[];
  let wire: Wire;
  let now: number;
  /** Local ports of the program's namespace that would take something, as `protocol:port`. */
  let sockets: Set<string>;

  beforeEach(() => {
    did = [];
    now = 0;
    sockets = new Set();
    const around: Surroundings = {
      toProgram: (frame, from, to) => did.push(`program ${describeFrame(frame, from, to)}`),
      toFar: (frame, from, to) => did.push(`far ${describeFrame(frame, from, to)}`),
      has: (protocol, local) => sockets.has(`${protocol}:${local.port}`),
      listen: (_, port) => did.push(`listen ${port}`) > 0 && port !== 99,
      now: () => now,
      dial: (id, from, to) => did.push(`dial ${id} ${from.port}>${to.port}`),
      abandoned: (id) => did.push(`abandoned ${id}`),
      flow: (id, from, to) => did.push(`flow ${id} ${from.port}>${to.port}`),
      datagram: (flow, payload) => did.push(`datagram ${flow} ${Buffer.from(payload)}`),
      flowEnded: (flow) => did.push(`flow ended ${flow}`),
    };
    wire = createWire(new Set([hostBytes(version, 0).toString('latin1')]), around);
  });

  function describeFrame(frame: Uint8Array, from: number, to: number): string {
    const headers = emptyHeaders();
    const bytes = Buffer.from(frame);
    if (!readHeaders(bytes, from, to, headers)) {
      return 'icmp';
    }
    const { transport: at } = headers;
    const ports = `${bytes.readUInt16BE(at)}>${bytes.readUInt16BE(at + 2)}`;
    return headers.protocol === 17
      ? `${ports} "${bytes.subarray(at + 8, headers.end)}"`
      : `${ports} ${bytes[at + 13]!.toString(16)}`;
  }

  const tcp = (from: number, to: number, flags: number, more: Partial<FrameWish> = {}): Buffer =>
    frameOf({ version, protocol: 6, from, to, flags, ...more });
  const say = (frame: Buffer, arrived = false): void =>
    wire.fromProgram(frame, 0, frame.length, arrived, false);
  const talker = (host: number, port: number): Talker => ({ version, host: hostBytes(version, host), port });
  const done = (): string[] => did.splice(0);

  it('holds a SYN, and what comes again of it, until it may go', () => {
    say(tcp(1000, 80, SYN));
    say(tcp(1000, 80, SYN));
    expect(done()).toEqual(['dial 1 1000>80']);
    wire.verdict(1, 'go');
    expect(done()).toEqual(['listen 80', 'far 1000>80 2']);
    say(tcp(1000, 80, SYN));
    expect(done()).toEqual(['far 1000>80 2']);
    expect(wire.accepted(talker(1, 1000), talker(2, 80))).toBe(1);
    expect(wire.accepted(talker(1, 1000), talker(2, 80))).toBe(null);
  });

  it('every connection is asked for by itself', () => {
    say(tcp(1000, 80, SYN));
    say(tcp(1001, 80, SYN));
    wire.verdict(2, 'refused');
    wire.verdict(1, 'go');
    expect(done()).toEqual([
      'dial 1 1000>80',
      'dial 2 1001>80',
      'program 80>1001 14',
      'listen 80',
      'far 1000>80 2',
    ]);
  });

  it.each(['unreachable', 'no-route'] as const)('answers %s with ICMP, once', (verdict) => {
    say(tcp(1000, 80, SYN));
    wire.verdict(1, verdict);
    wire.verdict(1, verdict);
    expect(done()).toEqual(['dial 1 1000>80', 'program icmp']);
  });

  it('silence answers nothing, however often it is asked', () => {
    say(tcp(1000, 80, SYN));
    wire.verdict(1, 'silence');
    say(tcp(1000, 80, SYN));
    now = 100_000;
    wire.tick();
    expect(done()).toEqual(['dial 1 1000>80']);
  });

  it('a new SYN with the same ports is a new connection', () => {
    say(tcp(1000, 80, SYN, { sequence: 1 }));
    say(tcp(1000, 80, SYN, { sequence: 2 }));
    expect(done()).toEqual(['dial 1 1000>80', 'abandoned 1', 'dial 2 1000>80']);
  });

  it('a RST before the far side has accepted gives the connection up', () => {
    say(tcp(1000, 80, SYN));
    wire.verdict(1, 'go');
    done();
    say(tcp(1000, 80, RST));
    expect(done()).toEqual(['abandoned 1', 'far 1000>80 4']);
    expect(wire.accepted(talker(1, 1000), talker(2, 80))).toBe(null);
  });

  it('a socket that is gone while it waits is noticed', () => {
    sockets.add('6:1000');
    say(tcp(1000, 80, SYN));
    now = 2000;
    wire.tick();
    expect(done()).toEqual(['dial 1 1000>80']);
    sockets.clear();
    wire.tick();
    wire.verdict(1, 'go');
    expect(done()).toEqual(['abandoned 1']);
  });

  it('a port that the far side cannot open refuses', () => {
    say(tcp(1000, 99, SYN));
    wire.verdict(1, 'go');
    expect(done()).toEqual(['dial 1 1000>99', 'listen 99', 'program 99>1000 14', 'abandoned 1']);
  });

  it('turns what is for its own listener back, both ways and to the last', () => {
    const own = { fromHost: 0, toHost: 0 };
    sockets.add('6:3000');
    say(tcp(1000, 3000, SYN, own));
    sockets.clear();
    say(tcp(3000, 1000, SYN | ACK, own));
    say(tcp(1000, 3000, ACK | FIN, own));
    say(tcp(3000, 1000, ACK | FIN, own));
    say(tcp(1000, 3000, ACK, own));
    expect(done().every((line) => line.startsWith('program '))).toBe(true);
    say(tcp(1000, 3000, SYN, own));
    expect(done()).toEqual(['dial 1 1000>3000']);
  });

  it('a listener at somebody else’s address is not its own', () => {
    sockets.add('6:80');
    say(tcp(1000, 80, SYN));
    expect(done()).toEqual(['dial 1 1000>80']);
  });

  it('what its own lo has delivered already is not delivered twice', () => {
    const own = { fromHost: 0, toHost: 0 };
    sockets.add('6:3000').add('17:4000');
    say(tcp(1000, 3000, SYN, own), true);
    say(frameOf({ version, protocol: 17, from: 1, to: 4000, ...own }), true);
    expect(done()).toEqual([]);
    say(tcp(3000, 1000, SYN | ACK, own));
    expect(done()).toEqual(['program 3000>1000 12']);
  });

  it('datagrams of one pair are one flow, with answers, complaints and an end', () => {
    const datagram = (text: string): Buffer =>
      frameOf({ version, protocol: 17, from: 500, to: 53, payload: Buffer.from(text) });
    say(datagram('one'));
    now = 100_000;
    say(datagram('two'));
    wire.send(1, Buffer.from('answer'));
    wire.fail(1, 'refused');
    expect(done()).toEqual([
      'flow 1 500>53',
      'datagram 1 one',
      'datagram 1 two',
      'program 53>500 "answer"',
      'program icmp',
    ]);
    now = 200_000;
    wire.tick();
    expect(done()).toEqual([]);
    now = 230_000;
    wire.tick();
    wire.send(1, Buffer.from('late'));
    expect(done()).toEqual(['flow ended 1']);
  });

  it('a datagram whose own length is not true is dropped', () => {
    const frame = frameOf({ version, protocol: 17, from: 500, to: 53, payload: Buffer.from('abc') });
    frame.writeUInt16BE(5000, frame.length - 3 - 4);
    say(frame);
    frame.writeUInt16BE(7, frame.length - 3 - 4);
    say(frame);
    expect(done()).toEqual([]);
  });

  it('flows and dials are bounded', () => {
    for (let port = 1; port <= 5000; port++) {
      say(frameOf({ version, protocol: 17, from: port, to: 53 }));
      say(tcp(port, 80, SYN));
    }
    const all = done();
    expect(all.filter((line) => line.startsWith('dial')).length).toBe(4096);
    expect(all.filter((line) => line.startsWith('flow ended')).length).toBe(5000 - 4096);
  });
});
