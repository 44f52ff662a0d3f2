/** One conversation from its first connect to its summary: what end of input means, who ended it, and how long anybody waits. */
import { SockscopeError } from '../../errors.ts';
import type { DialEvent, DialSummary, Ending, Side } from '../../session/dial-events.ts';
import type { Conversation, DialKind, DialPlan } from './kind.ts';

export type AtEnd = 'half-close' | 'keep' | 'close' | 'reset';

export interface Manners {
  readonly atEnd: AtEnd;
  /** Nanoseconds after the end of input; null: as long as the peer takes. */
  readonly quitAfter: number | null;
  /** Nanoseconds in which nothing happens in either direction. */
  readonly idle: number | null;
}

export interface TalkFace {
  tell(event: DialEvent): void;
  /** What came. False: not more before `drained`. */
  arrived(bytes: Uint8Array): boolean;
  /** After an `input` that said false. */
  room(): void;
}

export interface Talk {
  /** Nanoseconds since it began. */
  now(): number;
  /** False: not more before `room`. */
  input(bytes: Uint8Array): boolean;
  endOfInput(): void;
  drained(): void;
  /** Ends it in good order: `interrupt` by Ctrl-C, `quit` because there is nothing more to do. */
  leave(how: 'interrupt' | 'quit'): void;
  resized(columns: number, rows: number): void;
  /** Resolves when nothing is open any more: true when it ended as it should. */
  readonly over: Promise<boolean>;
}

const NS_PER_MS = 1e6;
/** Where no FIN tells that the answers are complete, they are when nothing has come for so long. */
const QUIET_NS = 1e9;
const CLOSE_PATIENCE_MS = 1000;

export async function startTalk(
  kind: DialKind,
  plan: DialPlan,
  manners: Manners,
  face: TalkFace,
  cancelled: AbortSignal,
): Promise<Talk | SockscopeError> {
  const began = process.hrtime.bigint();
  const now = (): number => Number(process.hrtime.bigint() - began);
  let conversation: Conversation | null = null;
  let sent = 0;
  let received = 0;
  let first: DialSummary['first'] = null;
  const ended = { you: false, peer: false };
  let inputEnded = false;
  let full = false;
  let closing = false;
  let early: boolean | null = null;
  let fine = true;
  const timers = { quiet: null, idle: null, quit: null } as Record<
    'quiet' | 'idle' | 'quit',
    NodeJS.Timeout | null
  >;
  let resolveOver: (fine: boolean) => void = () => {};
  const over = new Promise<boolean>((resolve) => {
    resolveOver = resolve;
  });

  function arm(name: 'quiet' | 'idle' | 'quit', ns: number, run: () => void): void {
    clearTimeout(timers[name] ?? undefined);
    timers[name] = setTimeout(run, ns / NS_PER_MS);
  }

  function ends(by: Side, how: Ending): void {
    first ??= { by, how };
  }

  /** Something moved. */
  function stir(): void {
    const { idle } = manners;
    if (idle !== null && !closing) {
      arm('idle', idle, () => {
        face.tell({ type: 'idle', ns: now() });
        ends('you', 'idle');
        void leave();
      });
    }
    if (inputEnded && manners.atEnd === 'half-close' && conversation?.halfCloses === false && !closing) {
      arm('quiet', QUIET_NS, quiet);
    }
  }

  function quiet(): void {
    conversation!.finish();
    // WebSocket answers a close with a close; of datagrams nobody hears.
    if (conversation!.pieces !== null && !ended.you) {
      ends('you', 'quit');
      void leave();
    }
  }

  async function leave(): Promise<void> {
    const one = conversation;
    if (closing || one === null) {
      return;
    }
    closing = true;
    for (const timer of Object.values(timers)) {
      clearTimeout(timer ?? undefined);
    }
    const agreed = ended.you && ended.peer;
    // Only TCP has an RST.
    const resets = (manners.atEnd === 'reset' || plan.lingerZero) && plan.scheme !== 'unix' && one.halfCloses;
    if (resets && !agreed && fine) {
      ends('you', 'rst');
      face.tell({ type: 'reset', by: 'you', ns: now() });
      one.reset();
    }
    let limit: NodeJS.Timeout | null = null;
    const late = new Promise<void>((resolve) => {
      limit = setTimeout(() => {
        // The peer takes nothing more: what waits for it is given up.
        one.reset();
        resolve();
      }, CLOSE_PATIENCE_MS);
    });
    await Promise.race([one.close(), late]);
    clearTimeout(limit!);
    const pieces = one.pieces;
    const counts = { sentPieces: pieces?.sent ?? null, receivedPieces: pieces?.received ?? null };
    face.tell({ type: 'summary', sent, received, ...counts, ns: now(), first });
    resolveOver(fine);
  }

  /** Everything is with the socket now. */
  function atEnd(): void {
    switch (manners.atEnd) {
      case 'half-close':
        if (conversation!.halfCloses) {
          conversation!.finish();
        } else {
          conversation!.flush?.();
          stir();
        }
        break;
      case 'keep':
        if (ended.peer) {
          void leave();
        }
        break;
      case 'close':
        if (plan.lingerZero || !conversation!.halfCloses) {
          conversation!.flush?.();
          void leave();
        } else {
          conversation!.finish();
        }
        break;
      case 'reset':
        void leave();
        break;
    }
  }

  function hear(event: DialEvent): void {
    if (closing) {
      return;
    }
    face.tell(event);
    if (event.type === 'half-closed') {
      ended[event.by] = true;
      ends(event.by, 'fin');
      const done = event.by === 'you' ? manners.atEnd === 'close' : manners.atEnd === 'keep' && inputEnded;
      if (done) {
        void leave();
      }
    } else if (event.type === 'closing') {
      ended[event.by] = true;
      ends(event.by, 'close');
    } else if (event.type === 'reset') {
      fine = false;
      ends(event.by, 'rst');
    } else if (event.type === 'broken') {
      ends('peer', 'error');
    }
  }

  const opened = await kind.open(
    plan,
    {
      now,
      tell: hear,
      arrived(bytes) {
        received += bytes.length;
        stir();
        if (!closing && !face.arrived(bytes)) {
          conversation?.hold(true);
        }
      },
      room() {
        full = false;
        if (inputEnded) {
          atEnd();
        } else {
          face.room();
        }
      },
      over(failed) {
        fine = fine && !failed;
        if (conversation === null) {
          early = failed;
        } else {
          void leave();
        }
      },
    },
    cancelled,
  );
  if (opened instanceof SockscopeError) {
    return opened;
  }
  conversation = opened;
  stir();
  if (early !== null) {
    void leave();
  }

  return {
    now,
    over,
    input(bytes) {
      if (closing || inputEnded) {
        return true;
      }
      sent += bytes.length;
      full = !opened.send(bytes);
      stir();
      return !full;
    },
    endOfInput() {
      if (inputEnded || closing) {
        return;
      }
      inputEnded = true;
      const { quitAfter } = manners;
      if (quitAfter !== null) {
        arm('quit', quitAfter, () => {
          ends('you', 'quit');
          void leave();
        });
      }
      if (!full) {
        atEnd();
      }
    },
    drained: () => opened.hold(false),
    leave(how) {
      ends('you', how);
      void leave();
    },
    resized: (columns, rows) => opened.resized?.(columns, rows),
  };
}
