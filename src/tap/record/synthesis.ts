/**
 * What a tap observed → the packets that the client's machine would have seen: handshake, data, acknowledgements, FIN or RST,
 * each at the time it happened. One conversation per connection, from the client to the address it entered.
 */
import type { Side } from '../../wire/app/decoder.ts';
import type { Bytes, DialFailed, Dialled, Ended, Observation, Opened } from '../observation.ts';
import { addressText } from '../to-events.ts';
import { type Ends, endsOf } from './ends.ts';
import {
  ACK,
  FIN,
  LONGEST_DATAGRAM,
  LONGEST_FRAME,
  PSH,
  RST,
  SEGMENT,
  SYN,
  tcpFrame,
  udpFrame,
} from './frame.ts';

/** Connections that are recorded at a time. Beyond it the one opened longest ago is given up, and its bytes are counted as lost. */
export const MAX_TALKS = 131_072;
/** Segments after which the receiver acknowledges, if it has nothing to say meanwhile (RFC 1122 section 4.2.3.2). */
const ACK_EVERY = 2;

export interface FrameSink {
  /** frame[0, length): untouched until the frame after the next one. `comments` are for this packet. */
  frame(of: Observation, frame: Uint8Array, length: number, comments: string[] | undefined): void;
  /** Could not be made into a packet. */
  lost(of: Observation, why: string): void;
}

export interface SynthesisOptions {
  /** The program that holds an address (`127.0.0.1:40000`), as `redis-cli pid 77`; '' when nobody knows. */
  readonly ownerOf: (address: string) => string;
  readonly errnoText: (errno: number) => string;
}

interface Voice {
  /** The next sequence number, of 32 bits. */
  next: number;
  ended: boolean;
  /** Segments of the other side that this one has not acknowledged. */
  owes: number;
}

interface Talk {
  readonly ends: Ends;
  readonly client: Voice;
  readonly server: Voice;
  phase: 'syn' | 'open' | 'over';
  /** A fault sends RST instead of FIN. */
  resets: boolean;
  /** Comments for the next packet. */
  comments: string[] | undefined;
}

export interface Synthesis {
  observe(observation: Observation): void;
  readonly size: number;
}

const NOTHING = new Uint8Array(0);

export function createSynthesis(sink: FrameSink, options: SynthesisOptions): Synthesis {
  const taps = new Map<string, Map<number, Talk>>();
  /** All talks in the order in which they were opened. */
  const talks = new Map<Talk, readonly [tap: string, connection: number]>();
  /** Stays where the oldest is: a new iterator would walk over all that was deleted before it. */
  let oldest = talks.keys();
  /** Written in turns: the frame before stays as it is while its sink waits for what belongs to it. */
  const buffers = [new Uint8Array(LONGEST_FRAME), new Uint8Array(LONGEST_FRAME)] as const;
  let turn = 0;
  let opened = 0;

  function send(
    of: Observation,
    talk: Talk,
    from: Side,
    flags: number,
    payload: Uint8Array = NOTHING,
    start = 0,
    end = 0,
  ): void {
    const { ends } = talk;
    const to = from === 'client' ? 'server' : 'client';
    const frame = buffers[turn & 1]!;
    turn++;
    const { comments } = talk;
    talk.comments = undefined;
    if (ends.udp) {
      sink.frame(of, frame, udpFrame(frame, ends[from], ends[to], payload, start, end), comments);
      return;
    }
    const voice = talk[from];
    const length = tcpFrame(
      frame,
      ends[from],
      ends[to],
      voice.next,
      talk[to].next,
      flags,
      payload,
      start,
      end,
    );
    voice.next = (voice.next + end - start + ((flags & (SYN | FIN)) === 0 ? 0 : 1)) >>> 0;
    voice.owes = 0;
    talk[to].owes += end > start ? 1 : 0;
    sink.frame(of, frame, length, comments);
  }

  function comment(talk: Talk, text: string): void {
    talk.comments ??= [];
    talk.comments.push(text);
  }

  function open(seen: Opened): void {
    if (talks.size >= MAX_TALKS) {
      sink.lost(seen, `more than ${MAX_TALKS} connections at a time: the oldest is not recorded any further`);
      giveUpOldest();
    }
    const { tap, connection, client, entered } = seen;
    const ends = endsOf(client, entered, opened++);
    // Spread over the 32 bits, so that a port used again begins at another number.
    const first = Math.imul(connection, 0x9e3779b1) >>> 0;
    const talk: Talk = {
      ends,
      client: { next: first, ended: false, owes: 0 },
      server: { next: ~first >>> 0, ended: false, owes: 0 },
      phase: 'syn',
      resets: false,
      comments: undefined,
    };
    const before = taps.get(tap) ?? new Map<number, Talk>();
    const same = before.get(connection);
    if (same !== undefined) {
      talks.delete(same);
    }
    taps.set(tap, before.set(connection, talk));
    talks.set(talk, [tap, connection]);
    if (ends.note !== '') {
      comment(talk, ends.note);
    }
    const owner = client.kind === 'unix' ? '' : options.ownerOf(addressText(client));
    if (owner !== '') {
      comment(talk, `client ${addressText(client)} is ${owner}`);
    }
    if (!ends.udp) {
      send(seen, talk, 'client', SYN);
    }
  }

  function giveUpOldest(): void {
    let next = oldest.next();
    if (next.done) {
      oldest = talks.keys();
      next = oldest.next();
    }
    if (!next.done) {
      forget(next.value);
    }
  }

  function forget(talk: Talk): void {
    const where = talks.get(talk);
    talks.delete(talk);
    if (where !== undefined) {
      const ofTap = taps.get(where[0]);
      ofTap?.delete(where[1]);
      if (ofTap?.size === 0) {
        taps.delete(where[0]);
      }
    }
  }

  function stand(of: Observation, talk: Talk): void {
    if (talk.phase === 'syn' && !talk.ends.udp) {
      send(of, talk, 'server', SYN | ACK);
      send(of, talk, 'client', ACK);
      // The window in a SYN is never scaled: until the server has said more, there is room for one segment.
      talk.server.owes = ACK_EVERY - 1;
    }
    talk.phase = 'open';
  }

  function dialled(seen: Dialled, talk: Talk): void {
    const { source, target, took } = seen;
    const owner = target.kind === 'unix' ? '' : options.ownerOf(addressText(target));
    const who = owner === '' ? '' : `, which is ${owner},`;
    const from = source.kind === 'unix' ? '' : ` from ${addressText(source)}`;
    comment(talk, `led on to ${addressText(target)}${who}${from} in ${(took / 1e6).toFixed(3)} ms`);
    stand(seen, talk);
  }

  function dialFailed(seen: DialFailed, talk: Talk): void {
    const { target, errno, took, told } = seen;
    comment(
      talk,
      `${target} was not reached: ${options.errnoText(errno)} after ${(took / 1e6).toFixed(3)} ms`,
    );
    if (told === 'silence') {
      sink.lost(seen, talk.comments!.join('; '));
      talk.comments = undefined;
    } else if (talk.phase === 'syn') {
      send(seen, talk, 'server', RST | ACK);
    }
    talk.phase = 'over';
  }

  function data(seen: Bytes, talk: Talk): void {
    const { from, bytes } = seen;
    if (talk.ends.udp) {
      const end = Math.min(bytes.length, LONGEST_DATAGRAM);
      if (end < bytes.length) {
        comment(talk, `cut: the datagram had ${bytes.length} bytes`);
      }
      send(seen, talk, from, 0, bytes, 0, end);
      return;
    }
    if (talk.phase === 'over' || talk[from].ended) {
      sink.lost(seen, `${bytes.length} bytes came after the end of their stream`);
      return;
    }
    stand(seen, talk);
    for (let at = 0; at < bytes.length; at += SEGMENT) {
      const to = from === 'client' ? 'server' : 'client';
      if (talk[to].owes >= ACK_EVERY) {
        send(seen, talk, to, ACK);
      }
      const end = Math.min(bytes.length, at + SEGMENT);
      send(seen, talk, from, end === bytes.length ? PSH | ACK : ACK, bytes, at, end);
    }
  }

  function fin(of: Observation, talk: Talk, from: Side): void {
    if (talk.ends.udp || talk.phase === 'over' || talk[from].ended) {
      return;
    }
    stand(of, talk);
    talk[from].ended = true;
    send(of, talk, from, FIN | ACK);
    send(of, talk, from === 'client' ? 'server' : 'client', ACK);
  }

  function end(seen: Ended, talk: Talk): void {
    const { how, by } = seen;
    if (talk.ends.udp || talk.phase === 'over') {
      forget(talk);
      return;
    }
    // A server that closes by itself would mean something to whoever plays the recording; a tap that ends means nothing.
    const first = by ?? (how === 'tap closed' ? 'client' : 'server');
    const refused = talk.phase === 'syn';
    if (
      refused ||
      how === 'reset' ||
      how === 'timeout' ||
      how === 'dial' ||
      (how === 'fault' && talk.resets)
    ) {
      // Whoever had said FIN before has nothing more to say: then it was the other.
      const other = first === 'client' ? 'server' : 'client';
      send(seen, talk, refused ? 'server' : talk[first].ended ? other : first, RST | ACK);
    } else {
      fin(seen, talk, first);
      fin(seen, talk, first === 'client' ? 'server' : 'client');
    }
    forget(talk);
  }

  return {
    get size() {
      return talks.size;
    },
    observe(seen) {
      if (seen.type === 'opened') {
        open(seen);
        return;
      }
      if (!('connection' in seen)) {
        return;
      }
      const talk = taps.get(seen.tap)?.get(seen.connection);
      if (talk === undefined) {
        if (seen.type === 'bytes') {
          sink.lost(seen, `${seen.bytes.length} bytes of a connection that began before the recording`);
        }
        return;
      }
      switch (seen.type) {
        case 'dialled':
          dialled(seen, talk);
          break;
        case 'dial-failed':
          dialFailed(seen, talk);
          break;
        case 'bytes':
          data(seen, talk);
          break;
        case 'half-closed':
          fin(seen, talk, seen.from);
          break;
        case 'fault':
          talk.resets ||= /\breset\b/.test(seen.what);
          break;
        case 'ended':
          end(seen, talk);
      }
    },
  };
}
