/** The same as chain.ts for one direction of UDP: whole datagrams, no FIN, and nobody who could be held back. */
import type { DatagramOut, DatagramStage } from './stage.ts';

export interface DatagramSink {
  datagram(bytes: Uint8Array): void;
  /** `timer` must be called at `at` or soon after; Infinity: not any more. */
  wake(at: number): void;
  answer(bytes: Uint8Array): void;
  say(what: string): void;
}

export interface DatagramChain {
  readonly stages: readonly DatagramStage[];
  readonly held: number;
  datagram(bytes: Uint8Array, at: number): void;
  timer(): void;
  insert(stage: DatagramStage, place?: number): void;
  remove(stage: DatagramStage): void;
}

/** What stages may hold of one direction of one flow. A sender of datagrams cannot be stopped, so more than this is lost. */
export const MOST_HELD_DATAGRAM_BYTES = 4 * 1024 * 1024;

interface Node extends DatagramOut {
  readonly stage: DatagramStage;
  next: Node | null;
  wakeAt: number;
  gone: boolean;
}

/** As in chain.ts, `timer` of every stage is called once when it is put in. */
export function createDatagramChain(
  stages: readonly DatagramStage[],
  sink: DatagramSink,
  now: () => number,
): DatagramChain {
  const nodes: Node[] = [];
  const waiting: (() => void)[] = [];
  let time = now();
  let busy = false;
  let told = Number.POSITIVE_INFINITY;
  let full = false;

  const outOf = (stage: DatagramStage): Node => {
    const node: Node = {
      stage,
      next: null,
      wakeAt: Number.POSITIVE_INFINITY,
      gone: false,
      get now() {
        return time;
      },
      pass(bytes) {
        if (!node.gone) {
          give(node.next, bytes, time);
        }
      },
      wake(at) {
        node.wakeAt = at;
      },
      answer(bytes) {
        sink.answer(bytes);
      },
      say(what) {
        sink.say(what);
      },
    };
    return node;
  };

  const give = (node: Node | null, bytes: Uint8Array, at: number): void => {
    if (node === null) {
      sink.datagram(bytes);
    } else {
      node.stage.datagram(bytes, at, node);
    }
  };

  const link = (): void => {
    for (let i = 0; i < nodes.length; i++) {
      nodes[i]!.next = nodes[i + 1] ?? null;
    }
  };

  const put = (stage: DatagramStage, place: number): void => {
    const node = outOf(stage);
    nodes.splice(place, 0, node);
    link();
    stage.timer(node);
  };

  const takeOut = (stage: DatagramStage): void => {
    const place = nodes.findIndex((node) => node.stage === stage);
    const node = nodes[place];
    if (node !== undefined) {
      stage.removed?.(node);
      node.gone = true;
      nodes.splice(place, 1);
      link();
    }
  };

  const sooner = (wish: () => void): void => {
    if (busy) {
      waiting.push(wish);
      return;
    }
    busy = true;
    time = now();
    wish();
    leave();
  };

  const leave = (): void => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      next();
    }
    busy = false;
    let at = Number.POSITIVE_INFINITY;
    for (const node of nodes) {
      at = Math.min(at, node.wakeAt);
    }
    if (at !== told) {
      told = at;
      sink.wake(at);
    }
  };

  const heldNow = (): number => {
    let sum = 0;
    for (const node of nodes) {
      sum += node.stage.held;
    }
    return sum;
  };

  const arrived = (bytes: Uint8Array, at: number): void => {
    if (heldNow() + bytes.length <= MOST_HELD_DATAGRAM_BYTES) {
      full = false;
      give(nodes[0] ?? null, bytes, at);
    } else if (!full) {
      full = true;
      sink.say(`lost datagrams: more than ${MOST_HELD_DATAGRAM_BYTES} bytes are held back`);
    }
  };

  const timerNow = (): void => {
    told = Number.NaN;
    for (const node of nodes) {
      if (node.wakeAt <= time) {
        node.wakeAt = Number.POSITIVE_INFINITY;
        node.stage.timer(node);
      }
    }
  };

  sooner(() => {
    for (const stage of stages) {
      put(stage, nodes.length);
    }
  });

  return {
    get stages() {
      return nodes.map((node) => node.stage);
    },
    get held() {
      return heldNow();
    },
    datagram(bytes, at) {
      if (busy) {
        waiting.push(() => arrived(bytes, at));
        return;
      }
      busy = true;
      time = now();
      arrived(bytes, at);
      leave();
    },
    timer: () => sooner(timerNow),
    insert: (stage, place) =>
      sooner(() => {
        put(stage, Math.max(0, Math.min(place ?? nodes.length, nodes.length)));
      }),
    remove: (stage) => sooner(() => takeOut(stage)),
  };
}
