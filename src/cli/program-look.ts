/** Traced programs while they run: their calls, the states and the packets of their connections, on one clock and into one drawing. */
import { hostname } from 'node:os';
import type { Event } from '../session/events.ts';
import { openCapture } from '../watch/capture.ts';
import { startSession } from '../watch/session.ts';
import { createProgramSession, type ProgramSession } from '../watch/syscalls/program-session.ts';
import type { Start, TracedCall } from '../watch/syscalls/trace-program.ts';
import { tracedPackets } from '../watch/traced-packets.ts';
import type { ProgramDrawing } from './program-drawing.ts';

export interface ProgramLook {
  readonly session: ProgramSession;
  /** The session's clock, for tracers. */
  readonly start: Start;
  /** Why there are no packets, or null. */
  readonly noPackets: string | null;
  now(): number;
  begin(): void;
  calls(batch: readonly TracedCall[]): void;
  add(events: readonly Event[]): void;
  serves(pid: number): void;
  lost(source: string, why: string): void;
  /** The last look; everything is drawn. */
  end(): void;
}

const LOOK_MS = 10;
const DRAW_MS = 100;

export function lookAtPrograms(drawing: ProgramDrawing): ProgramLook {
  const { clock, netns } = startSession();
  const host = hostname();
  const now = clock.now;
  // What CLOCK_MONOTONIC was when the session's clock was 0.
  const start = {
    monotonic: process.hrtime.bigint() - BigInt(Math.round(now())),
    realtime: clock.startedAt.ns,
  };
  const capture = openCapture();
  const session = createProgramSession({
    host,
    netns,
    now,
    ...(capture instanceof Error
      ? {}
      : {
          packets: (generations) =>
            tracedPackets({ capture, host, netns, generations, now, momentOf: clock.fromTimespec }),
        }),
  });
  let drawnAt = 0;
  /** Behind the calls that have arrived meanwhile. */
  let behind: NodeJS.Immediate | undefined;
  let looking: NodeJS.Timeout | undefined;

  function look(last: boolean): void {
    drawing.add(session.packets(last));
    drawing.add(session.sample(last));
    if (now() >= drawnAt + DRAW_MS * 1e6) {
      drawnAt = now();
      drawing.tick(drawnAt);
    }
  }

  return {
    session,
    start,
    noPackets: capture instanceof Error ? whyNot(capture) : null,
    now,
    begin() {
      const { startedAt, uncertaintyNs } = clock;
      drawing.begins({
        v: 1,
        type: 'session',
        startedAt,
        host,
        clock: { source: 'monotonic', uncertaintyNs },
      });
      looking = setInterval(() => {
        behind = setImmediate(() => look(false));
      }, LOOK_MS);
    },
    calls(batch) {
      drawing.add(session.calls(batch));
      drawing.add(session.sample(false));
    },
    add: drawing.add,
    serves: drawing.serves,
    lost: (source, why) => drawing.add([{ type: 'lost', at: now(), source, count: null, why }]),
    end() {
      clearInterval(looking);
      clearImmediate(behind);
      look(true);
      drawing.finish();
      session.close();
    },
  };
}

function whyNot({ message, code }: { readonly message: string; readonly code: string }): string {
  return code === 'WATCH_PERMISSION' ? 'needs CAP_NET_RAW' : message;
}
