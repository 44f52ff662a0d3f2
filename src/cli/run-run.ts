/** What `sockscope run` does. */
import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { SockscopeError } from '../errors.ts';
import { painter, wantsColour } from '../view/colour.ts';
import { forwardTo } from '../watch/syscalls/forward.ts';
import { type Exit, traceProgram } from '../watch/syscalls/trace-program.ts';
import { openRecording } from './lab-recording.ts';
import { programDrawing } from './program-drawing.ts';
import { lookAtPrograms } from './program-look.ts';
import { summaryLines } from './program-summary.ts';
import { writtenFile } from './written-file.ts';

export interface RunFlags {
  readonly json?: boolean;
  readonly write?: string;
}

const STANDARD_ERROR = 2;
const NARROWEST = 40;
const USUAL = 100;

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

function putLines(lines: readonly string[]): void {
  if (lines.length > 0) {
    put(lines.join('\n'));
  }
}

export async function runProgram(
  [command = '', ...args]: readonly string[],
  { json = false, write }: RunFlags,
): Promise<void> {
  if (write === '-') {
    throw new SockscopeError(
      'RUN_WRITE',
      "Standard output is the program's.",
      'Record into a file: -w run.pcapng.',
      2,
    );
  }
  const colour = wantsColour(process.stderr.isTTY === true, process.env);
  const paint = painter(colour);
  const note = (text: string): void => (json ? undefined : put(paint.dim(text)));
  const recording =
    write === undefined
      ? null
      : openRecording(write, `sockscope run ${command}`, { open: writtenFile }, true);
  const columns = Math.max(NARROWEST, process.stderr.columns ?? USUAL);
  const look = lookAtPrograms(programDrawing({ json, columns, colour, put: putLines, file: recording }));
  let exit: Exit | null = null;
  let endedAt = 0;
  let gone: () => void = () => {};
  const over = new Promise<void>((resolve) => {
    gone = resolve;
  });
  let stopForwarding = (): void => {};
  try {
    const trace = traceProgram({
      command,
      args,
      env: process.env,
      stdio: ['inherit', 'inherit', 'inherit'],
      start: look.start,
      entry: join(__dirname, 'trace-worker.js'),
      onCalls: look.calls,
      onExit(how) {
        exit = how;
        endedAt = look.now();
      },
      onTrouble: (why) => look.lost('calls', why),
      onGone: () => gone(),
    });
    stopForwarding = forwardTo(trace, () => exit !== null);
    look.begin();
    if (look.noPackets !== null) {
      note(`packets not visible: ${look.noPackets}`);
      if (json || recording !== null) {
        look.lost('packets', `not visible: ${look.noPackets}`);
      }
    }
    await trace.pid();
    await over;
  } finally {
    stopForwarding();
    look.end();
    const written = recording?.finish() ?? '';
    note(written);
  }
  if (!json) {
    put(
      summaryLines(look.session.summary(), ending(command, exit, exit === null ? look.now() : endedAt)).join(
        '\n',
      ),
    );
  }
  process.exitCode = exitCode(exit);
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
