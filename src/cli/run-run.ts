/** What `sockscope run` does. */
import { writeSync } from 'node:fs';
import { constants, hostname } from 'node:os';
import { join } from 'node:path';
import type { Event } from '../session/events.ts';
import { encode } from '../session/ndjson.ts';
import { painter, wantsColour } from '../view/colour.ts';
import { startSession } from '../watch/session.ts';
import { forwardTo } from '../watch/syscalls/forward.ts';
import { createProgramSession, type ProgramSession } from '../watch/syscalls/program-session.ts';
import { type Exit, traceProgram } from '../watch/syscalls/trace-program.ts';
import { eventLine, summaryLines, type Who } from './run-lines.ts';

const LOOK_MS = 10;
const STANDARD_ERROR = 2;

/** Where our lines go. `who`: whose call or socket an event is about. */
interface Drawing {
  add(event: Event, who: Who | null): void;
  end(lines: () => readonly string[]): void;
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Not through process.stderr: the program shares the open file, and must not find it non-blocking. */
function put(text: string): void {
  const bytes = Buffer.from(`${text}\n`);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(STANDARD_ERROR, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') {
        return;
      }
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

function drawingFor(json: boolean): Drawing {
  const paint = painter(wantsColour(process.stderr.isTTY === true, process.env));
  return json
    ? { add: (event) => put(encode(event)), end: () => {} }
    : {
        add(event, who) {
          const line = eventLine(event, who, paint);
          if (line !== null) {
            put(line);
          }
        },
        end: (lines) => put(lines().join('\n')),
      };
}

export async function runProgram([command = '', ...args]: readonly string[], json: boolean): Promise<void> {
  const { clock, netns } = startSession();
  const host = hostname();
  const drawing = drawingFor(json);
  const session = createProgramSession({ host, netns, now: () => clock.now() });
  const lost = (why: string): void =>
    drawing.add({ type: 'lost', at: clock.now(), source: 'run', count: null, why }, null);
  let exit: Exit | null = null;
  let gone: () => void = () => {};
  const over = new Promise<void>((resolve) => {
    gone = resolve;
  });

  function look(last = false): void {
    for (const change of session.sample(last)) {
      drawing.add(change, session.holder(change));
    }
  }

  const now = clock.now();
  const trace = traceProgram({
    command,
    args,
    env: process.env,
    stdio: ['inherit', 'inherit', 'inherit'],
    // What CLOCK_MONOTONIC was when the session's clock was 0.
    start: { monotonic: process.hrtime.bigint() - BigInt(Math.round(now)), realtime: clock.startedAt.ns },
    entry: join(__dirname, 'trace-worker.js'),
    onCalls(batch) {
      const programs = new Map(batch.map(({ pid, program }) => [pid, program]));
      for (const event of session.calls(batch)) {
        drawing.add(event, whoIsIn(event, programs, session));
      }
      look();
    },
    onExit(how) {
      exit = how;
    },
    onTrouble: lost,
    onGone: () => gone(),
  });
  if (json) {
    put(
      encode({
        v: 1,
        type: 'session',
        startedAt: clock.startedAt,
        host,
        clock: { source: 'monotonic', uncertaintyNs: clock.uncertaintyNs },
      }),
    );
  }
  lost('packets: run shows system calls and states; sockscope watch shows what crosses the wire');
  const stopForwarding = forwardTo(trace, () => exit !== null);
  // Behind the calls that have arrived meanwhile.
  let behind: NodeJS.Immediate | undefined;
  const looking = setInterval(() => {
    behind = setImmediate(() => look());
  }, LOOK_MS);
  try {
    await trace.pid();
    await over;
  } finally {
    clearInterval(looking);
    clearImmediate(behind);
    stopForwarding();
  }
  look(true);
  drawing.end(() => summaryLines(session.summary(), ending(command, exit, clock.now())));
  session.close();
  process.exitCode = exitCode(exit);
}

function whoIsIn(event: Event, programs: ReadonlyMap<number, string>, session: ProgramSession): Who | null {
  switch (event.type) {
    case 'syscall':
      return { pid: event.pid, program: programs.get(event.pid) ?? '' };
    case 'state':
      return session.holder(event);
    default:
      return null;
  }
}

function ending(command: string, exit: Exit | null, at: number): string {
  const how =
    exit === null
      ? 'was let go'
      : exit.signal === null
        ? `ended with status ${exit.code}`
        : `was ended by ${exit.signal}`;
  return `${command} ${how} after ${(at / 1e6).toFixed(1)} ms`;
}

/** As shells say it: 128 and the signal's number. */
function exitCode(exit: Exit | null): number {
  return exit === null ? 0 : (exit.code ?? 128 + (exit.signal === null ? 0 : constants.signals[exit.signal]));
}
