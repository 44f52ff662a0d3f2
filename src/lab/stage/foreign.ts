/** Foreign programs on a host: anything that can be started, with its system calls in the session. */
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { SockscopeError } from '../../errors.ts';
import { findCommand } from '../../kernel/spawn-program.ts';
import { type Trace, traceProgram } from '../../watch/syscalls/trace-program.ts';
import type { TracedCall } from '../../watch/syscalls/traced-call.ts';
import type { Child, SpawnWish } from '../api.ts';
import { createChildren } from './children.ts';
import type { Common } from './common.ts';
import type { RawCall } from './protocol.ts';

export interface ForeignWish {
  readonly host: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly options: SpawnWish;
}

export interface RunningForeign {
  readonly child: Child;
  end(): Promise<void>;
}

const CHILD = 1;
/** What it has left behind may hold its pipes for ever. */
const LAST_OUTPUT_MS = 200;

export async function startForeign(
  common: Common,
  { host, command, args, options }: ForeignWish,
  inside: <T>(run: () => T) => T,
): Promise<RunningForeign> {
  const children = createChildren(host, async (method, _child, given) => {
    if (method === 'childWrite') {
      trace.stdin?.write(String(given));
    } else if (method === 'childEnd') {
      trace.stdin?.end();
    } else {
      trace.kill(given as NodeJS.Signals);
    }
  });
  const found = findCommand(command);
  if (!('path' in found)) {
    throw new SockscopeError(
      'NO_PROGRAM',
      found.why === 'missing' ? `There is no program ${command}.` : `${command} may not be executed.`,
      "Give the command and its arguments apart: host.start('node', ['server.js']).",
      2,
    );
  }
  const trace: Trace = inside(() =>
    traceProgram({
      command,
      args,
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.nofile === undefined ? {} : { nofile: options.nofile }),
      stdio: ['pipe', 'pipe', 'pipe'],
      start: common.around.start,
      entry: common.around.traceEntry,
      onCalls: (batch) => {
        if (options.traced !== false) {
          common.take(batch.map((call) => rawCall(host, call)));
        }
      },
      onExit: ({ code, signal }) =>
        void lastOutput([trace.stdout, trace.stderr]).then(() =>
          children.hear({ type: 'childExit', child: CHILD, code, signal }),
        ),
      onTrouble: (why) =>
        common.tell({
          type: 'lost',
          at: common.now(),
          source: `system calls of ${command}`,
          count: null,
          why,
        }),
    }),
  );
  listen(trace.stdout, (text) => children.hear({ type: 'child', child: CHILD, what: 'stdout', text }));
  listen(trace.stderr, (text) => children.hear({ type: 'child', child: CHILD, what: 'stderr', text }));
  // A program need not read what it is given.
  trace.stdin?.on('error', () => {});
  const child = children.add({ child: CHILD, pid: await trace.pid() });
  return { child, end: () => trace.stop() };
}

function listen(stream: Readable | null, hear: (text: string) => void): void {
  stream?.setEncoding('utf8').on('data', hear);
}

/** The tracer hears of the end on its own thread, and may be quicker than the pipes. */
function lastOutput(streams: readonly (Readable | null)[]): Promise<unknown> {
  const ends = streams.map((stream) => (stream === null ? null : finished(stream).catch(() => {})));
  // A busy loop runs its timers before it reads: what is in the pipes already comes before the next immediate.
  const late = new Promise<void>((resolve) => setTimeout(() => setImmediate(resolve), LAST_OUTPUT_MS));
  return Promise.race([Promise.all(ends), late]);
}

function rawCall(host: string, { program: _, socket: __, state: ___, ...call }: TracedCall): RawCall {
  return { ...call, host };
}
