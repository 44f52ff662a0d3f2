/** Where `dial` reads and writes; tests give it streams of their own. */
import type { Readable, Writable } from 'node:stream';
import type { TerminalFacts } from '../make/dial/kind.ts';

export interface DialInput extends Readable {
  isTTY?: boolean;
  setRawMode?(on: boolean): unknown;
}

export interface DialOutput extends Writable {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

export interface DialIo {
  readonly input: DialInput;
  readonly output: DialOutput;
  readonly errors: Writable;
  /** Ctrl-C, SIGTERM, SIGHUP. The answer undoes it. */
  onInterrupt(run: () => void): () => void;
  /** At once, without good-byes. */
  quit(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const INTERRUPTED = 130;

export function processIo(): DialIo {
  return {
    input: process.stdin,
    output: process.stdout,
    errors: process.stderr,
    onInterrupt(run) {
      for (const signal of SIGNALS) {
        process.on(signal, run);
      }
      return () => {
        for (const signal of SIGNALS) {
          process.off(signal, run);
        }
      };
    },
    quit: () => process.exit(INTERRUPTED),
  };
}

/** Null unless somebody both types and reads. */
export function terminalOf({ input, output }: DialIo): TerminalFacts | null {
  if (input.isTTY !== true || output.isTTY !== true) {
    return null;
  }
  return { name: process.env.TERM ?? 'unknown', columns: output.columns ?? 80, rows: output.rows ?? 24 };
}
