/**
 * The stages of one direction, run one after the other. The chain owns no socket and no timer: its sink is told what to do,
 * and calls `timer` when the earliest of the stages' moments has come.
 */
import type { Stage, StageOut } from './stage.ts';

export interface ChainSink {
  /** To the other end. */
  bytes(bytes: Uint8Array): void;
  /** The sender's FIN, after all its bytes. */
  end(): void;
  /** `timer` must be called at `at` (monotonic nanoseconds) or soon after; Infinity: not any more. */
  wake(at: number): void;
  answer(bytes: Uint8Array): void;
  reset(): void;
  /** All that was passed on has been given to `bytes`: deliver it, then FIN to both. */
  close(): void;
  say(what: string): void;
}

export interface Chain {
  readonly stages: readonly Stage[];
  /** Bytes in all stages together. */
  readonly held: number;
  data(bytes: Uint8Array, readAt: number): void;
  end(): void;
  timer(): void;
  /** At the end, or before the stage that is now at `place`. It knows nothing of what was before. */
  insert(stage: Stage, place?: number): void;
  /** What it holds goes on, or the connection is closed, as the stage wants. */
  remove(stage: Stage): void;
  /** The same fault with other attributes: what the old stage holds goes on, and it cannot end the connection. */
  replace(stage: Stage, by: Stage): void;
}

interface Node extends StageOut {
  readonly stage: Stage;
  next: Node | null;
  wakeAt: number;
  /** A FIN reached it; it passed one on. */
  endedIn: boolean;
  endedOut: boolean;
  /** Nothing it says counts any more: this stage or a later one has closed the connection, or it was taken out. */
  dead: boolean;
  /** It is being replaced: it may pass on, and nothing else. */
  leaving: boolean;
}

/** What came while a stage was at work; it has to wait, or bytes would overtake others. */
type Waiting = () => void;

/**
 * The stages' `timer` is called once when they are put in, so that one that counts from the beginning can start its clock;
 * `sink.wake` may therefore be called before this function returns. Nothing else is.
 */
export function createChain(stages: readonly Stage[], sink: ChainSink, now: () => number): Chain {
  const nodes: Node[] = [];
  const waiting: Waiting[] = [];
  let waitingBytes = 0;
  let time = now();
  let busy = false;
  let told = Number.POSITIVE_INFINITY;
  /** FIN from the sender, or nobody wants its bytes any more. */
  let inputEnded = false;
  let outputEnded = false;
  /** A stage closed the connection; `over`: nothing more is to be said. */
  let closing = false;
  let over = false;

  const outOf = (stage: Stage): Node => {
    const node: Node = {
      stage,
      next: null,
      wakeAt: Number.POSITIVE_INFINITY,
      endedIn: false,
      endedOut: false,
      dead: false,
      leaving: false,
      get now() {
        return time;
      },
      pass(bytes, readAt) {
        if (over || node.dead || node.endedOut || bytes.length === 0) {
          return;
        }
        give(node.next, bytes, readAt);
      },
      end() {
        if (!over && !node.dead && !node.endedOut) {
          node.endedOut = true;
          giveEnd(node.next);
        }
      },
      wake(at) {
        if (!node.dead) {
          node.wakeAt = at;
        }
      },
      answer(bytes) {
        if (!over && !node.dead && !node.leaving) {
          sink.answer(bytes);
        }
      },
      reset() {
        if (!over && !node.dead && !node.leaving) {
          over = true;
          sink.reset();
        }
      },
      close() {
        if (!over && !node.dead && !node.leaving) {
          closeAt(node);
        }
      },
      say(what) {
        if (!over && !node.dead && !node.leaving) {
          sink.say(what);
        }
      },
    };
    return node;
  };

  const give = (node: Node | null, bytes: Uint8Array, readAt: number): void => {
    if (node === null) {
      sink.bytes(bytes);
    } else {
      node.stage.data(bytes, readAt, node);
    }
  };

  const giveEnd = (node: Node | null): void => {
    if (node !== null) {
      node.endedIn = true;
      node.stage.end(node);
      return;
    }
    outputEnded = true;
    if (closing) {
      over = true;
      sink.close();
    } else {
      sink.end();
    }
  };

  /** The later stages see a FIN, so what they hold comes out first and one that holds a FIN holds this one too. */
  const closeAt = (node: Node): void => {
    closing = true;
    inputEnded = true;
    const ended = node.endedOut;
    node.endedOut = true;
    for (const before of nodes) {
      before.dead = true;
      before.wakeAt = Number.POSITIVE_INFINITY;
      if (before === node) {
        break;
      }
    }
    if (!ended) {
      giveEnd(node.next);
    } else if (outputEnded) {
      over = true;
      sink.close();
    }
  };

  const link = (): void => {
    for (let i = 0; i < nodes.length; i++) {
      nodes[i]!.next = nodes[i + 1] ?? null;
    }
  };

  const put = (stage: Stage, place: number): void => {
    const node = outOf(stage);
    const before = nodes[place - 1];
    node.endedIn = node.endedOut = before === undefined ? inputEnded : before.endedOut;
    node.dead = nodes[place]?.dead ?? false;
    nodes.splice(place, 0, node);
    link();
    if (!node.dead) {
      stage.timer(node);
    }
  };

  const takeOut = (node: Node): void => {
    if (!node.dead) {
      node.stage.removed?.(node);
      if (node.endedIn) {
        node.end();
      }
    }
    node.dead = true;
    nodes.splice(nodes.indexOf(node), 1);
    link();
  };

  const find = (stage: Stage): Node | undefined => nodes.find((node) => node.stage === stage);

  const earliest = (): number => {
    let at = Number.POSITIVE_INFINITY;
    if (!over) {
      for (const node of nodes) {
        at = Math.min(at, node.wakeAt);
      }
    }
    return at;
  };

  /** Whether the caller may go on now; otherwise it has to leave its wish in `waiting`. */
  const enter = (): boolean => {
    if (busy) {
      return false;
    }
    busy = true;
    time = now();
    return true;
  };

  const leave = (): void => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      next();
    }
    busy = false;
    const at = earliest();
    if (at !== told) {
      told = at;
      sink.wake(at);
    }
  };

  const sooner = (wish: Waiting): void => {
    if (enter()) {
      wish();
      leave();
    } else {
      waiting.push(wish);
    }
  };

  const endNow = (): void => {
    if (!over && !inputEnded) {
      inputEnded = true;
      giveEnd(nodes[0] ?? null);
    }
  };

  const dataNow = (bytes: Uint8Array, readAt: number): void => {
    if (!over && !inputEnded && bytes.length > 0) {
      give(nodes[0] ?? null, bytes, readAt);
    }
  };

  const timerNow = (): void => {
    // The caller's timer is spent, so it has to be told again even if the moment is the same.
    told = Number.NaN;
    for (const node of nodes) {
      if (!over && node.wakeAt <= time) {
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
      let sum = over ? 0 : waitingBytes;
      for (const node of nodes) {
        sum += over || node.dead ? 0 : node.stage.held;
      }
      return sum;
    },
    data(bytes, readAt) {
      if (enter()) {
        dataNow(bytes, readAt);
        leave();
        return;
      }
      waitingBytes += bytes.length;
      waiting.push(() => {
        waitingBytes -= bytes.length;
        dataNow(bytes, readAt);
      });
    },
    end: () => sooner(endNow),
    timer: () => sooner(timerNow),
    insert: (stage, place) =>
      sooner(() => {
        put(stage, Math.max(0, Math.min(place ?? nodes.length, nodes.length)));
      }),
    remove: (stage) =>
      sooner(() => {
        const node = find(stage);
        if (node !== undefined) {
          takeOut(node);
        }
      }),
    replace: (stage, by) =>
      sooner(() => {
        const node = find(stage);
        if (node !== undefined) {
          const place = nodes.indexOf(node);
          node.leaving = true;
          takeOut(node);
          put(by, place);
        }
      }),
  };
}
