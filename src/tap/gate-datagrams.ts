/** The gate for UDP, where a datagram is a message: each is judged alone, and none waits for another. */
import type { Side } from '../wire/app/decoder.ts';
import { Conversation, type Spoken } from '../wire/conversation.ts';
import { type Heard, heard } from '../wire/heard.ts';
import type { Verdict } from './control.ts';
import { add, merged, newOrder, type Order } from './gate/piece.ts';
import { counts, type Rule } from './gate/rule.ts';
import type { GateOptions } from './gate.ts';
import type { DatagramOut, DatagramStage } from './stage.ts';

/** Datagrams that wait, of one flow and direction; more are dropped, as a full queue does. */
export const DATAGRAMS_MAX = 1024;

export interface DatagramGate {
  readonly client: DatagramStage;
  readonly server: DatagramStage;
  release(id: number, verdict: Verdict): boolean;
  close(): void;
}

interface Waiting {
  readonly bytes: Uint8Array;
  readonly order: Order;
  /** When it may go; Infinity: when a person says so. */
  due: number;
  id: number;
  verdict: Verdict | null;
}

interface Lane {
  readonly side: Side;
  waiting: Waiting[];
  held: number;
  stalled: boolean;
  out: DatagramOut | null;
}

const newLane = (side: Side): Lane => ({ side, waiting: [], held: 0, stalled: false, out: null });

export function createDatagramGate(options: GateOptions): DatagramGate {
  const lanes = { client: newLane('client'), server: newLane('server') };
  const orders: Order[] = [];
  /** Requests that a rule found: their replies are none of its. */
  const met = new Map<number | string, readonly Rule[]>();
  const conversation = new Conversation(
    options.start,
    options.candidates,
    { message: judge, trouble: () => {} },
    options.fixed,
    options.budget,
  );

  function judge(spoken: Spoken): void {
    const { side, message } = spoken;
    const asked = message.kind === 'reply' && message.pair !== undefined ? met.get(message.pair) : undefined;
    const mine: Rule[] = [];
    let order: Order | null = null;
    let said: Heard | null = null;
    for (const rule of options.rules) {
      if ((rule.from !== 'both' && rule.from !== side) || asked?.includes(rule) === true) {
        continue;
      }
      said ??= heard(spoken, options.reveal);
      if (!rule.matches(said)) {
        continue;
      }
      mine.push(rule);
      if (rule.counter === null || counts(rule.counter, lanes[side].out?.now ?? 0)) {
        order ??= newOrder(said, null);
        const wrong = add(order, rule);
        if (wrong !== null) {
          lanes[side].out?.say(wrong);
        }
      }
    }
    if (message.pair !== undefined && mine.length > 0 && message.kind === 'request') {
      if (met.size >= DATAGRAMS_MAX) {
        met.delete(met.keys().next().value!);
      }
      met.set(message.pair, mine);
    } else if (asked !== undefined && message.more !== true) {
      met.delete(message.pair!);
    }
    if (order !== null) {
      orders.push(order);
    }
  }

  function come(lane: Lane, bytes: Uint8Array, at: number, out: DatagramOut): void {
    lane.out = out;
    orders.length = 0;
    conversation.datagram(lane.side, bytes, 0, bytes.length, options.now());
    if (lane.stalled) {
      return;
    }
    if (orders.length === 0) {
      out.pass(bytes);
      return;
    }
    const order = merged(orders);
    const waits = order.hold || order.delay > 0;
    if (waits && lane.waiting.length >= DATAGRAMS_MAX) {
      out.say(`${order.by}: dropped, for ${DATAGRAMS_MAX} datagrams wait already`);
      return;
    }
    if (!waits) {
      carryOut(lane, bytes, order, out);
      return;
    }
    if (order.delay > 0) {
      out.say(`${order.by}: delayed ${Math.round(order.delay / 1e6)} ms: ${order.heard.summary}`);
    }
    const id = order.hold ? options.held(order.heard, bytes.slice()) : 0;
    lane.waiting.push({
      bytes,
      order,
      due: order.hold ? Number.POSITIVE_INFINITY : at + order.delay,
      id,
      verdict: null,
    });
    lane.held += bytes.length;
    run(lane, out);
  }

  function carryOut(lane: Lane, bytes: Uint8Array, order: Order, out: DatagramOut): void {
    for (const fault of order.over) {
      options.handOver(fault, lane.side);
    }
    if (order.fate === 'go') {
      out.pass(bytes);
      return;
    }
    if (order.made !== null) {
      out.say(`${order.by}: answered ${order.heard.summary}`);
      out.answer(order.made.bytes);
      return;
    }
    lane.stalled = order.fate === 'stall';
    // There is no connection to reset or to close: the datagram is what can be lost.
    out.say(`${order.by}: dropped ${order.heard.summary}`);
  }

  function run(lane: Lane, out: DatagramOut): void {
    const ready = lane.waiting.filter(({ due }) => due <= out.now);
    if (ready.length > 0) {
      lane.waiting = lane.waiting.filter(({ due }) => due > out.now);
    }
    for (const { bytes, order, verdict } of ready) {
      lane.held -= bytes.length;
      if (verdict?.verdict === 'edit') {
        out.pass(verdict.bytes);
      } else if (verdict?.verdict !== 'drop') {
        carryOut(lane, bytes, order, out);
      }
    }
    out.wake(lane.waiting.reduce((next, { due }) => Math.min(next, due), Number.POSITIVE_INFINITY));
  }

  function stage(lane: Lane): DatagramStage {
    return {
      get held() {
        return lane.held;
      },
      datagram: (bytes, at, out) => come(lane, bytes, at, out),
      timer(out) {
        lane.out = out;
        run(lane, out);
      },
      removed(out) {
        for (const one of lane.waiting) {
          forget(one);
          out.pass(one.bytes);
        }
        lane.waiting = [];
        lane.held = 0;
      },
    };
  }

  function forget({ id, verdict }: Waiting): void {
    if (id !== 0 && verdict === null) {
      options.forgotten(id);
    }
  }

  return {
    client: stage(lanes.client),
    server: stage(lanes.server),
    release(id, verdict) {
      for (const lane of [lanes.client, lanes.server]) {
        const found = lane.waiting.find((one) => one.id === id && one.verdict === null);
        if (found !== undefined) {
          found.verdict = verdict;
          found.due = 0;
          lane.out?.wake(0);
          options.stir(lane.side);
          return true;
        }
      }
      return false;
    },
    close() {
      for (const lane of [lanes.client, lanes.server]) {
        lane.waiting.forEach(forget);
        lane.waiting = [];
        lane.held = 0;
        conversation.end(lane.side, options.now());
      }
    },
  };
}
