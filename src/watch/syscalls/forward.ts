/** Signals that sockscope gets are the program's. */
import { inForeground } from '../../kernel/spawn-program.ts';
import type { Trace } from './trace-program.ts';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const;
/** What a terminal sends to its whole foreground group. */
const FROM_KEYBOARD = new Set<NodeJS.Signals>(['SIGINT', 'SIGQUIT']);

/** Once the program itself has ended, a signal ends what it left behind. */
export function forwardTo(trace: Pick<Trace, 'kill' | 'stop'>, hasEnded: () => boolean): () => void {
  const forward = (signal: NodeJS.Signals): void => {
    if (hasEnded()) {
      void trace.stop();
    } else if (!FROM_KEYBOARD.has(signal) || !inForeground()) {
      trace.kill(signal);
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
