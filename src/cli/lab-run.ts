/** `lab` at a real terminal, with the real engine: what is asked, printed and stopped. */
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { experiments } from '../lab/experiments.ts';
import type { RunExperiment } from '../lab/run-types.ts';
import { labCommand } from './lab-command.ts';
import type { LabFace } from './lab-face.ts';
import type { LabFlags } from './lab-flags.ts';
import { openLanes } from './lab-lanes.ts';
import { isTerminal, paint, print, warn, width } from './output.ts';
import { writtenFile } from './written-file.ts';

const ONE_WISH_MS = 200;

/** The engine is loaded when something runs: the catalogue needs none. */
const run: RunExperiment = async (name, wish, handlers) => {
  const { experimentRunner } = await import('../lab/run.ts');
  return experimentRunner(join(__dirname, 'lab-stage.js'))(name, wish, handlers);
};

export async function runLab(
  names: readonly string[],
  flags: LabFlags,
  parts: Pick<LabFace, 'run' | 'experiments'> = { run, experiments },
): Promise<void> {
  const stopping = new AbortController();
  const stop = stopOnSignals(stopping);
  // A recording on standard output leaves standard error for what is to be read.
  const beside = flags.write === '-';
  const terminal = {
    input: process.stdin.isTTY === true,
    output: beside ? process.stderr.isTTY === true : isTerminal(),
  };
  const face: LabFace = {
    ...parts,
    lanes: openLanes,
    paint,
    colour: paint.bold('x') !== 'x',
    columns: width(),
    terminal,
    print: beside ? (text) => void process.stderr.write(text) : print,
    warn,
    ask: (question, erase) => ask(question, erase === true, stopping.signal, stop),
    progress: progressLine(),
    open: (path) => writtenFile(path),
    stop: stopping.signal,
    async pause(ms) {
      await sleep(ms, undefined, { signal: stopping.signal }).catch(() => {});
    },
    now: () => performance.now(),
  };
  // A stage that goes without a word would leave nothing to wait for, and Node would end as if all were well.
  process.once('beforeExit', endedSilently);
  try {
    process.exitCode = await labCommand(names, flags, face);
  } finally {
    process.off('beforeExit', endedSilently);
  }
}

function endedSilently(): void {
  warn('sockscope: the stage ended without an outcome. This is a bug, please report it.');
  process.exit(70);
}

type Stop = (signal: NodeJS.Signals) => void;

/** Once: ends what runs, in order. Twice: leaves at once. */
function stopOnSignals(stopping: AbortController): Stop {
  let since = 0;
  const stop: Stop = (signal) => {
    if (!stopping.signal.aborted) {
      since = performance.now();
      stopping.abort(signal);
    } else if (performance.now() - since > ONE_WISH_MS) {
      // timeout(1) signals its child and then its group: that is one wish, told twice.
      process.exit(signal === 'SIGINT' ? 130 : 143);
    }
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  return stop;
}

/** Takes away the line above, where the question and its answer stood. */
const ERASE_ABOVE = '\x1b[1A\r\x1b[2K';

async function ask(
  question: string,
  erase: boolean,
  stopped: AbortSignal,
  stop: Stop,
): Promise<string | null> {
  if (process.stdin.readableEnded) {
    return null;
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new Promise<null>((resolve) => {
    lines.once('close', () => resolve(null));
    lines.once('SIGINT', () => {
      stop('SIGINT');
      lines.close();
    });
    stopped.addEventListener('abort', () => lines.close(), { once: true });
  });
  const answer = await Promise.race([lines.question(question), closed]);
  lines.close();
  if (answer === null) {
    process.stderr.write('\n');
  } else if (erase) {
    process.stderr.write(ERASE_ABOVE);
  }
  return answer === null ? null : answer.trim();
}

function progressLine(): (text: string) => void {
  if (process.stderr.isTTY !== true) {
    return () => {};
  }
  let shown = false;
  return (text) => {
    if (shown || text !== '') {
      process.stderr.write(`\r\x1b[2K${text === '' ? '' : paint.dim(text.slice(0, width() - 1))}`);
      shown = text !== '';
    }
  };
}
