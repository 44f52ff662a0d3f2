/**
 * The wire between the program's namespace and the far side, as decisions about frames; no sockets. It holds the first SYN of every
 * connection until somebody says what became of the real one, answers refusals itself, turns what the program says to its own
 * listeners back to it, and takes datagrams off the wire altogether.
 */
import { ipv4Text, ipv6Text } from '../../wire/net/address.ts';
import {
  ACK,
  datagramAnswer,
  emptyHeaders,
  FIN,
  finishChecksum,
  type Headers,
  mostDatagram,
  RST,
  readHeaders,
  refusalOf,
  SYN,
  TCP,
  UDP,
  unreachableAnswer,
} from './frames.ts';
import type { DatagramFailure, Endpoint, Verdict } from './messages.ts';

/** Connections being dialled at a time; a SYN beyond that is lost, and comes again by itself. */
const MOST_HELD = 4096;
/** Connections of the program to itself that are remembered; the ones that have ended go first. */
const MOST_TURNED = 16_384;
const MOST_FLOWS = 4096;
const FLOW_IDLE_MS = 120_000;
/** A SYN that is not answered is sent for 131 s (tcp_syn_retries 6); after that nobody waits any more. */
const HELD_MS = 150_000;
/** What is kept of a flow's last datagram, to answer with: link and IP headers, UDP, and what ICMP quotes. */
const KEPT = 256;

export interface Talker {
  readonly version: 4 | 6;
  readonly host: Uint8Array;
  readonly port: number;
}

export interface Surroundings {
  toProgram(frame: Uint8Array, from: number, to: number): void;
  toFar(frame: Uint8Array, from: number, to: number): void;
  /** Is there a socket in the program's namespace with this local end that would take what comes from `peer`? */
  has(protocol: 6 | 17, local: Talker, peer: Talker): boolean;
  /** From now on the far side takes connections to this port. */
  listen(version: 4 | 6, port: number): boolean;
  now(): number;
  dial(id: number, from: Talker, to: Talker): void;
  abandoned(id: number): void;
  flow(id: number, from: Talker, to: Talker): void;
  datagram(flow: number, payload: Uint8Array): void;
  flowEnded(flow: number): void;
}

interface Held {
  readonly id: number;
  readonly key: string;
  readonly frame: Buffer;
  readonly headers: Headers;
  readonly sequence: number;
  readonly since: number;
  released: boolean;
}

/** A connection of the program to itself; both directions have a key to it. */
interface Turned {
  readonly keys: readonly [string, string];
  fins: number;
  over: boolean;
}

interface Flow {
  readonly id: number;
  readonly key: string;
  /** The last datagram, cut short. */
  frame: Buffer;
  headers: Headers;
  usedAt: number;
}

export interface Wire {
  /** A frame that the program's namespace sent. `arrived`: it went over the program's own `lo`, where its own sockets have it already. */
  fromProgram(frame: Buffer, from: number, to: number, arrived: boolean, unfinished: boolean): void;
  fromFar(frame: Buffer, from: number, to: number, unfinished: boolean): void;
  /** Whose connection this is that the far side has accepted; null: nobody's. */
  accepted(from: Talker, to: Talker): number | null;
  verdict(id: number, verdict: Verdict): void;
  send(flow: number, payload: Uint8Array): void;
  fail(flow: number, failure: DatagramFailure): void;
  /** To be called about once a second. */
  tick(): void;
}

/** `own`: addresses (as latin1 text of their bytes) that are the program's own, besides 127/8. */
export function createWire(own: ReadonlySet<string>, around: Surroundings): Wire {
  const headers = emptyHeaders();
  const held = new Map<string, Held>();
  const heldById = new Map<number, Held>();
  const turned = new Map<string, Turned>();
  const ended: Turned[] = [];
  const flows = new Map<string, Flow>();
  const flowsById = new Map<number, Flow>();
  let lastId = 0;

  const nextId = (): number => {
    lastId = (lastId + 1) % 0x1_0000_0000;
    return lastId;
  };

  function isOwn(b: Buffer, h: Headers): boolean {
    if (h.version === 4) {
      const at = h.addresses + 4;
      return b[at] === 127 || own.has(b.toString('latin1', at, at + 4));
    }
    return own.has(b.toString('latin1', h.addresses + 16, h.addresses + 32));
  }

  function forget(one: Held): void {
    held.delete(one.key);
    heldById.delete(one.id);
  }

  function dropHeld(one: Held): void {
    forget(one);
    around.abandoned(one.id);
  }

  function openTcp(b: Buffer, from: number, to: number, arrived: boolean): void {
    const key = keyOf(b, headers);
    const sequence = b.readUInt32BE(headers.transport + 4);
    const before = held.get(key);
    if (before !== undefined) {
      if (before.sequence === sequence) {
        if (before.released) {
          around.toFar(b, from, to);
        }
        return;
      }
      dropHeld(before);
    }
    const local = talker(b, headers, 'source');
    const peer = talker(b, headers, 'destination');
    if (isOwn(b, headers) && around.has(TCP, peer, local)) {
      turn(b, key);
      turnBack(b, from, to, arrived);
      return;
    }
    endTurned(turned.get(key));
    if (held.size >= MOST_HELD) {
      return;
    }
    const frame = Buffer.from(b.subarray(from, headers.end));
    const copied = emptyHeaders();
    readHeaders(frame, 0, frame.length, copied);
    const one: Held = {
      id: nextId(),
      key,
      frame,
      headers: copied,
      sequence,
      since: around.now(),
      released: false,
    };
    held.set(key, one);
    heldById.set(one.id, one);
    around.dial(one.id, local, peer);
  }

  function turn(b: Buffer, key: string): void {
    endTurned(turned.get(key));
    const one: Turned = { keys: [key, reverseKeyOf(b, headers)], fins: 0, over: false };
    for (const each of one.keys) {
      turned.set(each, one);
    }
    while (turned.size > 2 * MOST_TURNED && ended.length > 0) {
      removeTurned(ended.shift()!);
    }
  }

  function removeTurned(one: Turned): void {
    for (const key of one.keys) {
      if (turned.get(key) === one) {
        turned.delete(key);
      }
    }
  }

  /** Remembered on: its last acknowledgements, and those of TIME-WAIT, must find the way too. */
  function endTurned(one: Turned | undefined): void {
    if (one !== undefined && !one.over) {
      one.over = true;
      ended.push(one);
    }
  }

  function turnBack(b: Buffer, from: number, to: number, arrived: boolean): void {
    if (!arrived) {
      around.toProgram(b, from, to);
    }
  }

  function tcpFromProgram(b: Buffer, from: number, to: number, arrived: boolean): void {
    const flags = b[headers.transport + 13]!;
    if ((flags & (SYN | ACK | RST | FIN)) === SYN) {
      openTcp(b, from, to, arrived);
      return;
    }
    if (turned.size > 0 && isOwn(b, headers)) {
      const one = turned.get(keyOf(b, headers));
      if (one !== undefined) {
        one.fins += flags & FIN;
        if (one.fins >= 2 || (flags & RST) !== 0) {
          endTurned(one);
        }
        turnBack(b, from, to, arrived);
        return;
      }
    }
    if ((flags & RST) !== 0 && held.size > 0) {
      const one = held.get(keyOf(b, headers));
      if (one !== undefined) {
        dropHeld(one);
      }
    }
    around.toFar(b, from, to);
  }

  function udpFromProgram(b: Buffer, from: number, to: number, arrived: boolean): void {
    const local = talker(b, headers, 'source');
    const peer = talker(b, headers, 'destination');
    if (isOwn(b, headers) && around.has(UDP, peer, local)) {
      turnBack(b, from, to, arrived);
      return;
    }
    const length = b.readUInt16BE(headers.transport + 4);
    if (length < 8 || headers.transport + length > headers.end) {
      return;
    }
    const key = keyOf(b, headers);
    const flow = flows.get(key) ?? openFlow(key, local, peer);
    flow.usedAt = around.now();
    flow.frame = Buffer.from(b.subarray(from, Math.min(headers.end, from + KEPT)));
    flow.headers = {
      ...headers,
      ip: headers.ip - from,
      addresses: headers.addresses - from,
      transport: headers.transport - from,
      end: Math.min(headers.end - from, KEPT),
    };
    around.datagram(flow.id, b.subarray(headers.transport + 8, headers.transport + length));
  }

  function openFlow(key: string, from: Talker, to: Talker): Flow {
    if (flows.size >= MOST_FLOWS) {
      let oldest: Flow | null = null;
      for (const one of flows.values()) {
        if (oldest === null || one.usedAt < oldest.usedAt) {
          oldest = one;
        }
      }
      endFlow(oldest!);
    }
    const flow: Flow = { id: nextId(), key, frame: Buffer.alloc(0), headers: emptyHeaders(), usedAt: 0 };
    flows.set(key, flow);
    flowsById.set(flow.id, flow);
    around.flow(flow.id, from, to);
    return flow;
  }

  function endFlow(flow: Flow): void {
    flows.delete(flow.key);
    flowsById.delete(flow.id);
    around.flowEnded(flow.id);
  }

  function release(one: Held): void {
    if (around.listen(one.headers.version, portAt(one, 2))) {
      one.released = true;
      around.toFar(one.frame, 0, one.frame.length);
      return;
    }
    answer(one, refusalOf(one.frame, one.headers));
    around.abandoned(one.id);
  }

  function answer(one: Held, frame: Buffer): void {
    forget(one);
    around.toProgram(frame, 0, frame.length);
  }

  return {
    fromProgram(frame, from, to, arrived, unfinished) {
      if (!readHeaders(frame, from, to, headers)) {
        return;
      }
      if (unfinished) {
        finishChecksum(frame, headers);
      }
      if (headers.protocol === TCP) {
        tcpFromProgram(frame, from, to, arrived);
      } else {
        udpFromProgram(frame, from, to, arrived);
      }
    },

    fromFar(frame, from, to, unfinished) {
      if (readHeaders(frame, from, to, headers) && headers.protocol === TCP) {
        if (unfinished) {
          finishChecksum(frame, headers);
        }
        around.toProgram(frame, from, to);
      }
    },

    accepted(from, to) {
      const key = keyOfTalkers(from, to);
      const one = held.get(key);
      if (one === undefined || !one.released) {
        return null;
      }
      forget(one);
      return one.id;
    },

    verdict(id, verdict) {
      const one = heldById.get(id);
      if (one === undefined || one.released) {
        return;
      }
      switch (verdict) {
        case 'go':
          release(one);
          break;
        case 'refused':
          answer(one, refusalOf(one.frame, one.headers));
          break;
        case 'unreachable':
          answer(one, unreachableAnswer(one.frame, one.headers, 'host'));
          break;
        case 'no-route':
          answer(one, unreachableAnswer(one.frame, one.headers, 'network'));
          break;
        case 'silence':
          // Held for ever: whoever sends it again is told nothing.
          heldById.delete(id);
          break;
      }
    },

    send(id, payload) {
      const flow = flowsById.get(id);
      if (flow === undefined || payload.length > mostDatagram(flow.headers.version)) {
        return;
      }
      flow.usedAt = around.now();
      const frame = datagramAnswer(flow.frame, flow.headers, payload);
      around.toProgram(frame, 0, frame.length);
    },

    fail(id, failure) {
      const flow = flowsById.get(id);
      if (flow !== undefined) {
        const what = failure === 'refused' ? 'port' : 'host';
        const frame = unreachableAnswer(flow.frame, flow.headers, what);
        around.toProgram(frame, 0, frame.length);
      }
    },

    tick() {
      const now = around.now();
      for (const one of held.values()) {
        const silent = !one.released && !heldById.has(one.id);
        if (now - one.since > HELD_MS) {
          forget(one);
          if (!silent) {
            around.abandoned(one.id);
          }
        } else if (!silent && !one.released && now - one.since > 1000 && !stillWaits(one)) {
          dropHeld(one);
        }
      }
      for (const flow of flows.values()) {
        if (now - flow.usedAt > FLOW_IDLE_MS) {
          endFlow(flow);
        }
      }
    },
  };

  /** A socket that is closed while it connects sends nothing: only its absence tells. */
  function stillWaits(one: Held): boolean {
    return around.has(
      TCP,
      talker(one.frame, one.headers, 'source'),
      talker(one.frame, one.headers, 'destination'),
    );
  }
}

function portAt(one: Held, offset: number): number {
  return one.frame.readUInt16BE(one.headers.transport + offset);
}

/** Source, destination, and both ports, as one string. */
function keyOf(b: Buffer, h: Headers): string {
  const length = h.version === 4 ? 8 : 32;
  return (
    b.toString('latin1', h.addresses, h.addresses + length) +
    b.toString('latin1', h.transport, h.transport + 4)
  );
}

function reverseKeyOf(b: Buffer, h: Headers): string {
  const { addresses: at, transport: ports } = h;
  const size = h.version === 4 ? 4 : 16;
  return (
    b.toString('latin1', at + size, at + 2 * size) +
    b.toString('latin1', at, at + size) +
    b.toString('latin1', ports + 2, ports + 4) +
    b.toString('latin1', ports, ports + 2)
  );
}

function keyOfTalkers(from: Talker, to: Talker): string {
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(from.port, 0);
  ports.writeUInt16BE(to.port, 2);
  return Buffer.concat([from.host, to.host, ports]).toString('latin1');
}

function talker(b: Buffer, h: Headers, which: 'source' | 'destination'): Talker {
  const size = h.version === 4 ? 4 : 16;
  const far = which === 'destination';
  const at = h.addresses + (far ? size : 0);
  // A copy of its own: the frame is only lent, and system calls want bytes that stand alone.
  const host = new Uint8Array(size);
  host.set(b.subarray(at, at + size));
  return { version: h.version, host, port: b.readUInt16BE(h.transport + (far ? 2 : 0)) };
}

export function endpointOf({ version, host, port }: Talker): Endpoint {
  return { host: version === 4 ? ipv4Text(host, 0) : ipv6Text(host, 0), port };
}
