/** Signals that sockscope gets are the program's. */
import { constants } from 'node:os';
import { inForeground } from '../../kernel/spawn-program.ts';
import type { Program } from './launch.ts';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const;
/** What a terminal sends to its whole foreground group. */
const FROM_KEYBOARD = new Set<NodeJS.Signals>(['SIGINT', 'SIGQUIT']);

/** Until the answer is called. Ctrl-C has reached the program by itself, and twice would mean "at once" to many. */
export function forwardSignals(program: Program): () => void {
  const forward = (signal: NodeJS.Signals): void => {
    if (!FROM_KEYBOARD.has(signal) || !inForeground()) {
      program.kill(signal);
    }
  };
  for (const signal of FORWARDED) {
    process.on(signal, forward);
  }
  return () => {
    for (const signal of FORWARDED) {
      process.off(signal, forward);
    }
  };
}

/** As shells say it: 128 and the signal's number. */
export function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}
