/** A tracer for each program that is watched. They are let go in the end, and go on. */
import { join } from 'node:path';
import { SockscopeError } from '../errors.ts';
import { attach, type Start, type Trace, type TracedCall } from '../watch/syscalls/trace-program.ts';
import { printable } from '../wire/printable.ts';

export interface Tracers {
  /** Takes hold of the program; once each. What goes wrong is said in a note. */
  hold(pid: number, name: string): Promise<void>;
  /** How many are held. */
  count(): number;
  /** Whether this one was held, and has ended. */
  ended(pid: number): boolean;
  release(): Promise<void>;
}

export interface TracersOptions {
  readonly start: Start;
  readonly calls: (batch: readonly TracedCall[]) => void;
  readonly lost: (why: string) => void;
  readonly note: (text: string) => void;
}

/** Each takes a thread of ours. */
const MOST = 16;

export function createTracers({ start, calls, lost, note }: TracersOptions): Tracers {
  const held = new Map<number, Trace>();
  const tried = new Set<number>();
  const over = new Set<number>();
  let many = false;

  return {
    async hold(pid, name) {
      if (tried.has(pid)) {
        return;
      }
      if (held.size >= MOST) {
        if (!many) {
          many = true;
          note(`more than ${MOST} programs have to do with it: the calls of the others are not seen`);
        }
        return;
      }
      tried.add(pid);
      try {
        const trace = attach(pid, {
          start,
          entry: join(__dirname, 'trace-worker.js'),
          onCalls: calls,
          onExit() {
            over.add(pid);
            note(`${name === '' ? 'process' : printable(name)}[${pid}] has ended`);
          },
          onTrouble: lost,
          onGone: () => held.delete(pid),
        });
        held.set(pid, trace);
        await trace.pid();
      } catch (error) {
        if (!(error instanceof SockscopeError)) {
          throw error;
        }
        held.delete(pid);
        note(`${error.message}${name === '' ? '' : ` (${printable(name)})`}`);
      }
    },
    count: () => held.size,
    ended: (pid) => over.has(pid),
    async release() {
      await Promise.all([...held.values()].map((trace) => trace.stop()));
    },
  };
}
