/**
 * The conversations of a capture, TCP and UDP. A packet finds its own by addresses and ports, read as 32-bit words straight
 * from the frame: open addressing over typed arrays, and nothing is allocated for a packet of a known conversation.
 */
import { Flow, FlowList } from './flow.ts';
import type { Headers } from './headers.ts';

export { Flow, FlowEnd, FlowList, type KnownBy } from './flow.ts';

/** Conversations remembered at a time. Beyond it whoever has been silent longest is dropped. */
export const MAX_FLOWS = 65_536;

const FIRST_CAPACITY = 256;
/** Ports, protocol and version, two addresses of up to four words. */
const KEY_WORDS = 10;

export class FlowTable {
  /** Which end of the flow found or added last sent the packet. */
  sender: 0 | 1 = 0;
  size = 0;
  readonly tcp = new FlowList();
  readonly udp = new FlowList();
  /** TCP flows that are over and kept for their last packets. */
  readonly closed = new FlowList();
  private readonly max: number;
  /** Hostile traffic must not be able to choose its places in the table. */
  private readonly seed = (Math.random() * 0x1_0000_0000) | 0;
  /** Place in the table → entry + 1; 0 is a free place. Twice as many places as entries. */
  private places: Int32Array;
  private hashes: Int32Array;
  private keys: Int32Array;
  private readonly flows: (Flow | null)[] = [];
  private readonly free: number[] = [];
  /** The key of the packet at hand, sender first, and its hash. */
  private readonly words = new Int32Array(KEY_WORDS);
  private hash = 0;
  private streams = { tcp: 0, udp: 0 };
  private numbered = 0;

  constructor(max: number) {
    this.max = max;
    this.places = new Int32Array(2 * FIRST_CAPACITY);
    this.hashes = new Int32Array(FIRST_CAPACITY);
    this.keys = new Int32Array(FIRST_CAPACITY * KEY_WORDS);
  }

  get full(): boolean {
    return this.size >= this.max;
  }

  /** The flow of a packet, or null; then `add` with the same headers makes it. */
  find(h: Headers): Flow | null {
    this.readKey(h);
    const { places, hashes, hash } = this;
    const mask = places.length - 1;
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const entry = places[place]! - 1;
      if (entry < 0) {
        return null;
      }
      if (hashes[entry] === hash) {
        const sender = this.matches(entry);
        if (sender >= 0) {
          this.sender = sender as 0 | 1;
          return this.flows[entry]!;
        }
      }
    }
  }

  /** Straight after `find` said null, and with room made. */
  add(h: Headers): Flow {
    const entry = this.free.pop() ?? this.flows.length;
    if (entry >= this.hashes.length) {
      this.grow();
    }
    const stream = h.protocol === 6 ? this.streams.tcp++ : this.streams.udp++;
    const flow = new Flow(this.numbered++, stream, entry, h);
    this.flows[entry] = flow;
    this.hashes[entry] = this.hash;
    this.keys.set(this.words, entry * KEY_WORDS);
    this.place(entry);
    this.size++;
    this.sender = 0;
    (h.protocol === 6 ? this.tcp : this.udp).append(flow);
    return flow;
  }

  remove(flow: Flow): void {
    const { entry } = flow;
    if (entry < 0) {
      return;
    }
    flow.list?.remove(flow);
    this.unplace(entry);
    this.flows[entry] = null;
    this.free.push(entry);
    flow.entry = -1;
    this.size--;
  }

  /** Who goes when the table is full: what is over first, then whoever has been silent longest. */
  leastMissed(): Flow | null {
    const tcp = this.tcp.oldest;
    const udp = this.udp.oldest;
    if (this.closed.oldest !== null) {
      return this.closed.oldest;
    }
    if (tcp === null || udp === null) {
      return tcp ?? udp;
    }
    return tcp.last <= udp.last ? tcp : udp;
  }

  /** How many places a search looks at in the worst case: says whether the hash scatters. */
  longestSearch(): number {
    const { places, hashes } = this;
    const mask = places.length - 1;
    let longest = 0;
    for (let place = 0; place < places.length; place++) {
      if (places[place] !== 0) {
        longest = Math.max(longest, ((place - hashes[places[place]! - 1]!) & mask) + 1);
      }
    }
    return longest;
  }

  private readKey(h: Headers): void {
    const { bytes, sourceAt, destinationAt } = h;
    const { words } = this;
    words[0] = (h.sourcePort << 16) | h.destinationPort;
    words[1] = (h.net << 8) | h.protocol;
    const count = h.net === 4 ? 1 : 4;
    let source = mix(this.seed, h.sourcePort);
    let destination = mix(this.seed, h.destinationPort);
    for (let i = 0; i < count; i++) {
      const from = word(bytes, sourceAt + 4 * i);
      const to = word(bytes, destinationAt + 4 * i);
      words[2 + i] = from;
      words[6 + i] = to;
      source = mix(source, from);
      destination = mix(destination, to);
    }
    for (let i = count; i < 4; i++) {
      words[2 + i] = 0;
      words[6 + i] = 0;
    }
    // The same for both directions: a sum does not know who came first.
    this.hash = scatter((scatter(source) + scatter(destination)) ^ words[1]);
  }

  /** 0: the packet goes the way of the entry's key; 1: the other way; -1: another flow. */
  private matches(entry: number): number {
    const { keys, words } = this;
    const at = entry * KEY_WORDS;
    const ports = words[0]!;
    if (keys[at + 1] !== words[1]) {
      return -1;
    }
    if (
      keys[at] === ports &&
      keys[at + 2] === words[2] &&
      keys[at + 6] === words[6] &&
      keys[at + 3] === words[3] &&
      keys[at + 4] === words[4] &&
      keys[at + 5] === words[5] &&
      keys[at + 7] === words[7] &&
      keys[at + 8] === words[8] &&
      keys[at + 9] === words[9]
    ) {
      return 0;
    }
    return keys[at] === ((ports << 16) | (ports >>> 16)) &&
      keys[at + 2] === words[6] &&
      keys[at + 6] === words[2] &&
      keys[at + 3] === words[7] &&
      keys[at + 4] === words[8] &&
      keys[at + 5] === words[9] &&
      keys[at + 7] === words[3] &&
      keys[at + 8] === words[4] &&
      keys[at + 9] === words[5]
      ? 1
      : -1;
  }

  private place(entry: number): void {
    const { places } = this;
    const mask = places.length - 1;
    let place = this.hashes[entry]! & mask;
    while (places[place] !== 0) {
      place = (place + 1) & mask;
    }
    places[place] = entry + 1;
  }

  /** Whoever comes after the freed place and is not at home moves up, so that no search ends early. */
  private unplace(entry: number): void {
    const { places, hashes } = this;
    const mask = places.length - 1;
    let hole = hashes[entry]! & mask;
    while (places[hole] !== entry + 1) {
      hole = (hole + 1) & mask;
    }
    for (let place = (hole + 1) & mask; places[place] !== 0; place = (place + 1) & mask) {
      const home = hashes[places[place]! - 1]! & mask;
      if (((place - home) & mask) >= ((place - hole) & mask)) {
        places[hole] = places[place]!;
        hole = place;
      }
    }
    places[hole] = 0;
  }

  private grow(): void {
    const capacity = 2 * this.hashes.length;
    const hashes = new Int32Array(capacity);
    hashes.set(this.hashes);
    this.hashes = hashes;
    const keys = new Int32Array(capacity * KEY_WORDS);
    keys.set(this.keys);
    this.keys = keys;
    this.places = new Int32Array(2 * capacity);
    for (let entry = 0; entry < this.flows.length; entry++) {
      if (this.flows[entry] !== null) {
        this.place(entry);
      }
    }
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function mix(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ value, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/** Every bit of the input reaches every bit of the result: flows that follow each other must not lie side by side. */
function scatter(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return mixed ^ (mixed >>> 16);
}
