/**
 * A session as pcapng: what its hosts sent as packets, what programs asked and kernels thought between them as journal
 * entries. What became of a packet is told later than the packet: events wait here and are written in the order of their moments.
 */
import { release, type as systemName } from 'node:os';
import type { Event, Fate, Packet, SessionHeader, Syscall } from '../session/events.ts';
import { encode } from '../session/ndjson.ts';
import { emptyOut, type Out } from '../wire/bytes-out.ts';
import { LINK } from '../wire/headers.ts';
import { writeInterface, writeJournal, writePacket, writeSection } from '../wire/pcapng-writer.ts';

/** So many events wait at most; then the older half is written, and what becomes of its packets is told in entries of their own. */
export const MOST_WAITING = 20_000;
const PAGE = 64 * 1024;
/** In a longer call something else may have happened, a handshake even: it begins at one moment and returns at another. */
const WAITED_NS = 100_000;
/** epb_flags: went out, seen from the host. */
const OUTBOUND = 2;
const NS_PER_SECOND = 1_000_000_000n;

export interface SessionFileOptions {
  readonly version: string;
  /** What was recorded: `sockscope lab close-wait`. */
  readonly about: string;
  /** A real machine's: packets begin with IP, and go in or out of its devices. Otherwise: each interface is a host's end of a wire. */
  readonly live?: boolean;
  readonly write: (bytes: Uint8Array) => void;
  /** An event as a person reads it. */
  readonly words: (event: Event) => string;
}

export interface SessionFile {
  begins(header: SessionHeader): void;
  events(batch: readonly Event[]): void;
  /** How many packets and entries the file holds. Nothing is written of a session that never began. */
  finish(): { readonly packets: number; readonly entries: number };
}

interface Waiting {
  readonly at: number;
  readonly event: Event;
  /** The words of an entry; null for a packet. */
  text: string | null;
  readonly comments: string[];
  arrivals: number;
  /** `void`: a call that has returned since is told by two other entries. */
  state: 'waiting' | 'void' | 'written';
}

export function createSessionFile({
  version,
  about,
  live = false,
  write,
  words,
}: SessionFileOptions): SessionFile {
  const out: Out = emptyOut(2 * PAGE);
  const interfaces = new Map<string, number>();
  const packetsById = new Map<number, Waiting>();
  const begun = new Map<string, Waiting>();
  let waiting: Waiting[] = [];
  let started = false;
  let startedNs = 0n;
  let packets = 0;
  let entries = 0;

  function wait(at: number, event: Event, text: string | null): Waiting {
    const one: Waiting = { at, event, text, comments: [], arrivals: 0, state: 'waiting' };
    waiting.push(one);
    return one;
  }

  function observe(event: Event): void {
    switch (event.type) {
      case 'packet': {
        const one = wait(event.at, event, event.frame === undefined ? words(event) : null);
        if (event.id !== undefined) {
          packetsById.set(event.id, one);
        }
        return;
      }
      case 'fate':
        fate(event);
        return;
      case 'syscall':
        call(event);
        return;
      case 'state':
      case 'message':
      case 'fault':
      case 'step':
      case 'lost':
        wait(event.at, event, words(event));
        return;
      default:
        // Samples of queues and counters: hundreds a second, and Wireshark has graphs for neither.
        return;
    }
  }

  function fate(event: Fate): void {
    const packet = packetsById.get(event.packet);
    const why = event.why === undefined || event.why === '' ? '' : `: ${event.why}`;
    if (event.what === 'delivered') {
      if (packet === undefined) {
        return;
      }
      packet.arrivals++;
      if (why !== '') {
        packet.comments.push(`delivered to ${event.host}${why}`);
      }
      if (packet.arrivals > 1) {
        packet.comments.push(`arrived at ${event.host} once more (${packet.arrivals} times)`);
      }
    } else if (packet === undefined) {
      wait(event.at, event, words(event));
    } else {
      packet.comments.push(`${event.what}${why}`);
    }
  }

  function call(event: Syscall): void {
    const key = `${event.host} ${event.pid} ${event.tid} ${event.at} ${event.name}`;
    if (event.took === null) {
      begun.set(key, wait(event.at, event, words(event)));
      return;
    }
    const beginning = begun.get(key);
    begun.delete(key);
    const told = beginning?.state === 'written';
    if (beginning !== undefined && !told) {
      beginning.state = 'void';
    }
    // What it waited for stands before its result.
    const waited = event.took >= WAITED_NS;
    if (waited && !told) {
      const { errno: _, ...rest } = event;
      const start = { ...rest, took: null, result: null };
      wait(event.at, start, words(start));
    }
    wait(waited ? event.at + event.took : event.at, event, words(event));
  }

  function put(one: Waiting): void {
    const { event, text } = one;
    const ns = startedNs + BigInt(Math.max(0, Math.floor(one.at)));
    const seconds = Number(ns / NS_PER_SECOND);
    const nanoseconds = Number(ns % NS_PER_SECOND);
    if (text !== null) {
      entries++;
      writeJournal(out, seconds, nanoseconds, fields(event, text));
    } else if (event.type === 'packet' && event.frame !== undefined) {
      packets++;
      const { frame, frameLength } = event;
      const length = Math.max(frameLength, frame.length);
      const index = interfaceOf(event);
      const { comments } = one;
      writePacket(
        out,
        index,
        seconds,
        nanoseconds,
        frame,
        0,
        frame.length,
        length,
        comments,
        live ? 0 : OUTBOUND,
      );
    }
    if (out.length > PAGE) {
      hand();
    }
  }

  function interfaceOf({ host, interface: device }: Packet): number {
    const name = live ? device : `${host} ${device}`;
    const known = interfaces.get(name);
    if (known !== undefined) {
      return known;
    }
    const index = interfaces.size;
    interfaces.set(name, index);
    writeInterface(out, { linkType: live ? LINK.raw : LINK.ethernet, snapLength: 0, name });
    return index;
  }

  function hand(): void {
    if (out.length > 0) {
      write(out.bytes.subarray(0, out.length));
      out.length = 0;
    }
  }

  /** Writes all but the newest `kept`. */
  function drain(kept: number): void {
    waiting.sort((one, other) => one.at - other.at);
    const older = waiting.slice(0, waiting.length - kept);
    waiting = waiting.slice(older.length);
    for (const one of older) {
      if (one.event.type === 'packet' && one.event.id !== undefined) {
        packetsById.delete(one.event.id);
      }
      if (one.state === 'waiting') {
        one.state = 'written';
        put(one);
      }
    }
  }

  return {
    begins(header) {
      started = true;
      startedNs = header.startedAt.ns;
      writeSection(out, {
        application: `sockscope ${version}`,
        os: `${systemName()} ${release()}`,
        hardware: header.host,
        comment: `recorded by ${about}${live ? '' : "; each interface is a host's end of the wire"}`,
      });
    },
    events(batch) {
      for (const event of batch) {
        observe(event);
      }
      if (waiting.length > MOST_WAITING) {
        drain(MOST_WAITING / 2);
      }
    },
    finish() {
      if (!started) {
        return { packets, entries };
      }
      drain(0);
      // Some readers refuse a file without an interface.
      if (interfaces.size === 0) {
        writeInterface(out, { linkType: LINK.ethernet, snapLength: 0, name: 'none' });
      }
      hand();
      return { packets, entries };
    },
  };
}

function fields(event: Event, text: string): [string, string][] {
  const bad = event.type === 'fault' || event.type === 'lost' || event.type === 'fate';
  const failed = event.type === 'syscall' && event.errno !== undefined;
  return [
    ['MESSAGE', text],
    ['PRIORITY', bad ? '4' : failed ? '5' : '6'],
    ['SYSLOG_IDENTIFIER', 'sockscope'],
    ...('host' in event ? [['_HOSTNAME', event.host] as [string, string]] : []),
    ...(event.type === 'syscall' ? [['_PID', String(event.pid)] as [string, string]] : []),
    ['SOCKSCOPE_TYPE', event.type],
    ['SOCKSCOPE_EVENT', encode(event)],
  ];
}
