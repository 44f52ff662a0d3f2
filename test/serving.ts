/** The built `sockscope serve` as people start it, and what can be seen of it from outside. Ended by cleanUp of test/tap/program.ts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cli, folder, later, plainEnv, type Ran, run, until } from './tap/program.ts';
import type { Wire } from './web-service.ts';

export type Line = Readonly<Record<string, unknown>> & { readonly v: number; readonly type: string };

export interface Serving {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
  readonly out: string;
  readonly err: string;
  readonly over: boolean;
  readonly ended: Promise<Ran>;
  /** The lines of --json so far. */
  lines(type: string): Line[];
  stop(signal?: NodeJS.Signals): Promise<Ran>;
}

export interface Start {
  readonly env?: NodeJS.ProcessEnv;
  /** Words before `node dist/cli.js`. */
  readonly before?: readonly string[];
}

const START_MS = 10_000;

/** Starts `sockscope serve WORDS` and waits until it has said where it listens. */
export async function serving(
  words: readonly string[],
  { env = {}, before = [] }: Start = {},
): Promise<Serving> {
  const command = [...before, process.execPath, cli, 'serve', ...words];
  const child = spawn(command[0]!, command.slice(1), {
    env: { ...plainEnv, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  let over = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      over = true;
      resolve({ code, signal, out, err, bytes: Buffer.from(out) });
    });
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<Ran> => {
    if (!over) {
      child.kill(signal);
      const limit = setTimeout(() => child.kill('SIGKILL'), START_MS);
      await ended;
      clearTimeout(limit);
    }
    return ended;
  };
  later(() => stop('SIGKILL'));
  await until(`serve ${words.join(' ')} to listen`, () => {
    if (over) {
      throw new Error(`serve ${words.join(' ')} ended: ${err}${out}`);
    }
    return out.includes('\n');
  });
  const json = words.includes('--json');
  const first = out.split('\n')[0]!;
  const port = json
    ? ((JSON.parse(first) as { address: { port?: number } }).address.port ?? 0)
    : Number(/:(\d+) {3}try: /.exec(first)?.[1] ?? 0);
  return {
    child,
    pid: child.pid ?? 0,
    port,
    ended,
    stop,
    get out() {
      return out;
    },
    get err() {
      return err;
    },
    get over() {
      return over;
    },
    lines: (type) =>
      out
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Line)
        .filter((line) => line.type === type),
  };
}

/** `sockscope serve WORDS` that is expected to end by itself. */
export const refused = (...words: string[]): Promise<Ran> => run(process.execPath, [cli, 'serve', ...words]);

export interface LsRow {
  readonly state: string;
  readonly recvQueue: number;
  readonly local: { readonly port: number };
  readonly owners?: readonly { readonly pid: number; readonly fd: number }[];
}

/** What `sockscope ls` says of it. */
export async function ls(...filter: string[]): Promise<LsRow[]> {
  const { out } = await run(process.execPath, [cli, 'ls', '--json', ...filter]);
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LsRow);
}

/** The connection stands and everything has left this process. */
export async function written(wires: readonly Wire[]): Promise<void> {
  await until('everybody to have asked', () =>
    wires.every(({ socket, how }) => how() !== 'open' || (!socket.connecting && socket.writableLength === 0)),
  );
}

/** Whether a TCP socket listens there, as the kernel says it: asking by connecting would leave a client behind. */
export function listens(port: number): boolean {
  const there = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .some(([, local = '', , state]) => state === '0A' && local.endsWith(there));
}

/** A home of its own, so that the local authority of whoever runs the tests is not touched. */
export function strangeHome(): { readonly env: NodeJS.ProcessEnv; readonly authority: string } {
  const home = folder();
  return { env: { HOME: home, XDG_CONFIG_HOME: home }, authority: join(home, 'sockscope', 'ca.pem') };
}
