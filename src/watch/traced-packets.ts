/** The packets of the connections that traced programs have, out of everything that crosses this machine's interfaces. */
import { deviceName } from '../kernel/names.ts';
import { connectionKey, endpointText, plainAddress, type Tuple } from '../session/connection.ts';
import type { Event } from '../session/events.ts';
import type { Generations } from '../session/generations.ts';
import { identifiedPackets } from '../session/identified-packets.ts';
import type { Endpoint } from '../session/socket.ts';
import { dissectNetwork } from '../wire/dissect.ts';
import { emptyHeaders, PROBLEM } from '../wire/headers.ts';
import { ipv4Text, ipv6Text } from '../wire/net/address.ts';
import type { Capture } from './capture.ts';
import type { Frame } from './live.ts';
import { type Early, youngFlows } from './young-flows.ts';

export interface TracedPackets {
  /** From now on what crosses between these ends is told, and what did shortly before. */
  want(tuple: Tuple): void;
  /** The same for everybody who speaks to this end. */
  wantAll(protocol: Protocol, end: Endpoint): void;
  /** The ends that a call could not tell, by the packets that crossed meanwhile; null while that is not sure. */
  complete(tuple: Tuple, from: number, to: number): Tuple | null;
  read(): Event[];
  /** Everything up to now. */
  finish(): Event[];
  close(): void;
}

export interface TracedPacketsOptions {
  readonly capture: Capture;
  readonly host: string;
  readonly netns: number;
  readonly generations: Generations;
  readonly now: () => number;
  /** A packet's stamp as a moment of the session. */
  readonly momentOf: (seconds: number, nanoseconds: number) => number;
}

type Protocol = 'tcp' | 'udp';

const TCP = 6;
const UDP = 17;
const SYN = 0x02;
const ACK = 0x10;
/** A call is told some milliseconds after it happened; on a busy machine later. */
const YOUNG_NS = 2e9;
/** Stamps of packets and moments of calls are read from two clocks. */
const UNSURE_NS = 1e6;
const MOST_ENDS = 65_536;
const MOST_SOURCES = 4096;
const MOST_SYNS = 4096;
const MOST_LATEST = 32;
const ON_ITS_WAY_NS = 10e6;

/** Who spoke to whom: the sender is the local end. */
interface Speaking {
  readonly tuple: Tuple;
  readonly begins: boolean;
}

export function tracedPackets(options: TracedPacketsOptions): TracedPackets {
  const { capture, host, netns, generations, now, momentOf } = options;
  const headers = emptyHeaders();
  const identified = identifiedPackets(netns, generations);
  const wanted = new Set<string>();
  const ends = new Set<string>();
  /** Those that a call has told of. */
  const claimed = new Set<string>();
  const young = youngFlows<Tuple>();
  /** Who tried to connect lately. */
  let syns: { readonly tuple: Tuple; readonly at: number }[] = [];
  /** Where datagrams to a peer really come from: a socket bound to no address does not know. */
  const sources = new Map<string, Tuple>();
  const latest: Pick<Early, 'bytes' | 'at' | 'ifindex'>[] = [];
  let out: Event[] = [];

  function speaking(): Speaking | null {
    const { protocol, net, bytes, sourceAt, destinationAt, flags } = headers;
    if (headers.problem === PROBLEM.fragment || headers.transportAt < 0) {
      return null;
    }
    const text = net === 4 ? ipv4Text : ipv6Text;
    const local = { address: text(bytes, sourceAt), port: headers.sourcePort };
    const peer = { address: text(bytes, destinationAt), port: headers.destinationPort };
    const tcp = protocol === TCP;
    const begins = !tcp || (flags & (SYN | ACK)) === SYN;
    return { tuple: { netns, protocol: tcp ? 'tcp' : 'udp', local, peer }, begins };
  }

  function isWanted(key: string, { protocol, local, peer }: Tuple): boolean {
    if (wanted.has(key)) {
      return true;
    }
    const listens = ends.size > 0 && [local, peer].some((end) => isEnd(protocol as Protocol, end));
    if (listens) {
      remember(wanted, key);
    }
    return listens;
  }

  function isEnd(protocol: Protocol, { address, port }: Endpoint): boolean {
    return ends.has(`${protocol} ${address} ${port}`) || ends.has(`${protocol} any ${port}`);
  }

  function take(frame: Frame): void {
    headers.bytes = frame.bytes;
    headers.from = frame.from;
    headers.to = frame.to;
    headers.wireLength = frame.wireLength;
    dissectNetwork(headers, frame.protocol);
    if (headers.protocol !== TCP && headers.protocol !== UDP) {
      return;
    }
    const spoken = speaking();
    if (spoken === null) {
      return;
    }
    const { tuple } = spoken;
    const key = connectionKey(tuple);
    if (tuple.protocol === 'udp') {
      sources.set(sourceKey(tuple.local.port, tuple.peer), tuple);
      if (sources.size > MOST_SOURCES) {
        sources.clear();
      }
    }
    const early = (): Early => ({
      bytes: frame.bytes.slice(frame.from, frame.to),
      wireLength: frame.wireLength,
      at: momentOf(frame.seconds, frame.nanoseconds),
      etherType: frame.protocol,
      ifindex: frame.ifindex,
    });
    if (tuple.protocol === 'tcp' && spoken.begins && syns.length < MOST_SYNS) {
      syns.push({ tuple, at: momentOf(frame.seconds, frame.nanoseconds) });
    }
    if (isWanted(key, tuple)) {
      tell(early());
    } else {
      young.keep(key, spoken.begins, () => tuple, early);
    }
  }

  /** A packet that goes through a bridge or to a container is seen on each device on its way, unchanged. */
  function isRepeated({ bytes, at, ifindex }: Early): boolean {
    const again = latest.some(
      (one) =>
        one.ifindex !== ifindex && at - one.at < ON_ITS_WAY_NS && Buffer.compare(one.bytes, bytes) === 0,
    );
    if (!again) {
      latest.push({ bytes, at, ifindex });
      if (latest.length > MOST_LATEST) {
        latest.shift();
      }
    }
    return again;
  }

  function tell(early: Early): void {
    if (isRepeated(early)) {
      return;
    }
    const { bytes, wireLength, at, etherType, ifindex } = early;
    const events = identified.read(
      (lane) => lane.network(bytes, 0, bytes.length, wireLength, at, etherType),
      { host, interface: deviceName(ifindex), frame: bytes },
    );
    for (const event of events) {
      out.push(event);
    }
  }

  function gather(): Event[] {
    const lost = capture.lost();
    if (lost > 0) {
      out.push({ type: 'lost', at: now(), source: 'packets', count: lost, why: 'the ring was full' });
    }
    const old = now() - YOUNG_NS;
    young.forget(old);
    if ((syns[0]?.at ?? old) < old) {
      syns = syns.filter(({ at }) => at >= old);
    }
    const events = out;
    out = [];
    return events;
  }

  function bySyn({ local, peer }: Tuple, from: number, to: number): Tuple | null {
    const fits = syns.filter(
      ({ at, tuple }) =>
        at >= from - UNSURE_NS &&
        at <= to + UNSURE_NS &&
        (local.port === 0 || tuple.local.port === local.port) &&
        tuple.peer.port === peer.port &&
        tuple.peer.address === plainAddress(peer.address) &&
        !claimed.has(connectionKey(tuple)),
    );
    const [first] = fits;
    // Of two that tried the same at one time nobody can tell which is whose.
    return first !== undefined && fits.every(({ tuple }) => tuple.local.port === first.tuple.local.port)
      ? first.tuple
      : null;
  }

  function want(tuple: Tuple): void {
    const key = connectionKey(tuple);
    if (wanted.has(key)) {
      return;
    }
    remember(wanted, key);
    for (const early of young.take(key)) {
      tell(early);
    }
  }

  return {
    want(tuple) {
      remember(claimed, connectionKey(tuple));
      want(tuple);
    },
    wantAll(protocol, { address, port }) {
      const plain = plainAddress(address);
      const any = plain === '0.0.0.0' || plain === '::';
      remember(ends, `${protocol} ${any ? 'any' : plain} ${port}`);
      for (const { about: tuple } of [...young.all()]) {
        if ([tuple.local, tuple.peer].some((end) => tuple.protocol === protocol && isEnd(protocol, end))) {
          want(tuple);
        }
      }
    },
    complete(tuple, from, to) {
      return tuple.protocol === 'tcp'
        ? bySyn(tuple, from, to)
        : (sources.get(sourceKey(tuple.local.port, tuple.peer)) ?? null);
    },
    read() {
      capture.read(take);
      return gather();
    },
    finish() {
      capture.drain(take);
      return gather();
    },
    close: capture.close,
  };
}

function sourceKey(port: number, { address, port: peerPort }: Endpoint): string {
  return `${port} ${endpointText({ address: plainAddress(address), port: peerPort })}`;
}

function remember(all: Set<string>, key: string): void {
  if (all.size >= MOST_ENDS) {
    for (const oldest of all) {
      all.delete(oldest);
      break;
    }
  }
  all.add(key);
}
