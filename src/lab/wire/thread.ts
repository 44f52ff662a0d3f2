/**
 * The thread that is the wire. It blocks in ppoll(2) and has no event loop: frames are read from a ring, carried by the cable, and written
 * when they are due; around each, the two hosts' kernels are asked what they think.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { type Clock, clockFrom } from '../../kernel/clock.ts';
import { errnoName } from '../../kernel/errno.ts';
import { type FramePort, openFramePort, type RingVisitor } from '../../kernel/frame-port.ts';
import { exactWaiting } from '../../kernel/ppoll.ts';
import { drainBytes } from '../../kernel/transparent.ts';
import type { FromWireThread, WireOrder, WireThreadData } from '../stage/protocol.ts';
import { createCable } from './cable.ts';
import { fateOf } from './leg.ts';
import { obey } from './orders.ts';
import { createOutbox } from './outbox.ts';
import type { Samplers } from './samplers.ts';
import type { Witnesses } from './traced-samplers.ts';

/** Frames before orders get their turn. */
const TURN = 64;
/** What is still in the ring at the end is read, unless it never ends. */
const LAST_TURNS = 256;
/** How often the hosts are looked at when nothing happens, and when frames come all the time. */
const TICK_NS = 10e6;
const BUSY_TICK_NS = 50e6;
/** What is due sooner than this goes before a message is made of the events. */
const SOON_NS = 0.3e6;
/**
 * A state that a frame changes lasts until the frame arrives, so a look before that sees it however late the wire is. Only frames that
 * are later than this go first, and the hosts are looked at when the wire has caught up.
 */
const LATE_NS = 50e6;
/** About what a look takes. */
const LOOK_NS = 0.06e6;
/** A stamp of the kernel that is further off was made by a wall clock that has been set since. */
const STALE_NS = 1e9;

export function runWire(data: WireThreadData, port: MessagePort, witness: () => Witnesses): void {
  const say = (message: FromWireThread): void => port.postMessage(message);
  const { monotonic, realtime } = data.start;
  const clock = clockFrom({ before: monotonic, realtime, after: monotonic });
  const frames = openFramePort();
  if (typeof frames === 'number') {
    say({ type: 'failed', step: 'the wire’s ring of frames (AF_PACKET)', errno: -frames });
    return;
  }
  const { samplers, tracing } = witness();
  say({ type: 'ready', tracing });
  try {
    carry(data, port, say, clock, frames, samplers);
  } finally {
    frames.close();
  }
}

function carry(
  data: WireThreadData,
  port: MessagePort,
  say: (message: FromWireThread) => void,
  clock: Clock,
  frames: FramePort,
  samplers: Samplers,
): void {
  const cable = createCable(data);
  const outbox = createOutbox((events) => say({ type: 'batch', events }));
  const out = outbox.events;
  const sampled = new Set<string>();
  const waiting = exactWaiting([frames.fd, data.wake]);
  /** Hosts that are to be looked at when there is time. */
  const owed = new Set<string>();
  let lookedAt = 0;
  let frameAt = Number.NEGATIVE_INFINITY;

  function lookAt(host: string, frameDue: number, othersDue: number): void {
    const now = clock.now();
    frameAt = now;
    if (frameDue < now - LATE_NS || othersDue < now + LOOK_NS) {
      owed.add(host);
    } else {
      owed.delete(host);
      samplers.sample(host, now, out);
    }
  }

  function lookAtOwed(): void {
    for (const host of owed) {
      const now = clock.now();
      if (cable.next < now + LOOK_NS) {
        return;
      }
      owed.delete(host);
      samplers.sample(host, now, out);
    }
  }

  const arrived: RingVisitor = (bytes, from, to, ifindex, _unfinished, seconds, nanoseconds) => {
    const now = clock.now();
    const stamp = clock.fromTimespec(seconds, nanoseconds);
    const at = stamp <= now && stamp > now - STALE_NS ? stamp : now;
    const othersDue = cable.next;
    // A copy of its own: the ring's slot goes back to the kernel, and a message clones the whole buffer behind a view.
    const host = cable.arrive(at, ifindex, new Uint8Array(bytes.subarray(from, to)), out);
    if (host !== null) {
      lookAt(host, at, othersDue);
    }
  };

  function deliver(): void {
    for (let leg = cable.take(clock.now(), out); leg !== null; leg = cable.take(clock.now(), out)) {
      const at = clock.now();
      const { frame, to, packet } = leg;
      // The moment is that before: the other kernel may have answered by the time that the call returns.
      const written = frames.write(to.ifindex, frame, 0, frame.length);
      if (packet > 0) {
        const why = `the device did not take it: ${errnoName(-written)}`;
        out.push(written < 0 ? fateOf(leg, at, 'dropped', why) : fateOf(leg, at, 'delivered'));
        lookAt(to.host, at, cable.next);
      }
    }
  }

  /** One frame at a time: what is due does not wait for what has arrived meanwhile. Whether the ring is empty. */
  function carryFrames(): boolean {
    for (let turns = 0; turns < TURN; turns++) {
      const count = frames.read(arrived, 1);
      deliver();
      outbox.postDue(clock.now());
      if (count === 0) {
        return true;
      }
    }
    return false;
  }

  /** How many there were, or that it is over. */
  function hear(): number | 'finish' {
    for (let count = 0; ; count++) {
      const received = receiveMessageOnPort(port) as { message: WireOrder } | undefined;
      if (received === undefined) {
        return count;
      }
      const order = received.message;
      if (order.do === 'finish') {
        finish(order.id);
        return 'finish';
      }
      note(order);
      const answer = obey(order, cable, samplers, clock.now(), out);
      outbox.post();
      say({ type: 'done', id: order.id, ...answer });
    }
  }

  function note(order: WireOrder): void {
    if (order.do === 'add' && order.sampled !== null) {
      sampled.add(order.sampled.host);
    }
    if (order.do === 'remove') {
      sampled.delete(order.host);
    }
  }

  function look(force = false): void {
    const now = clock.now();
    lookedAt = now;
    owed.clear();
    samplers.sampleAll(now, out, force);
    samplers.countersDue(now, out, force);
    const count = frames.lost();
    if (count > 0) {
      out.push({
        type: 'lost',
        at: now,
        source: 'wire',
        count,
        why: 'frames came faster than they could be carried',
      });
    }
  }

  function finish(id: number): void {
    for (let turns = 0; turns < LAST_TURNS && !carryFrames(); turns++) {}
    look(true);
    outbox.post();
    for (const host of sampled) {
      samplers.remove(host);
    }
    say({ type: 'done', id, value: true });
  }

  /** Blocks until there is something to do, and posts before it does unless a frame is due in a moment. */
  function rest(idle: boolean): void {
    let now = clock.now();
    if (idle && cable.next - now > SOON_NS) {
      outbox.post();
      now = clock.now();
    }
    waiting.wait(idle ? Math.min(cable.next, nextTick(), outbox.deadline(now)) - now : 0);
  }

  function nextTick(): number {
    return Math.min(Math.max(lookedAt, frameAt) + TICK_NS, lookedAt + BUSY_TICK_NS);
  }

  for (let idle = true; ; ) {
    rest(idle);
    if (waiting.ready(1)) {
      drainBytes(data.wake);
      const heard = hear();
      if (heard === 'finish') {
        return;
      }
      if (heard === 0) {
        look();
      }
    }
    idle = carryFrames();
    if (idle) {
      lookAtOwed();
    }
    if (clock.now() >= nextTick()) {
      look();
    }
  }
}
