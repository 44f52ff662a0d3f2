/** The built program as people start it, and the servers and clients on either side of it. Everything is ended by its pid. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { findProgram } from '../needs.ts';

export const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

const PATIENCE_MS = 15_000;
const LOOK_EVERY_MS = 10;

/** Colour, CI and NODE_OPTIONS of whoever runs the tests are no business of the programs. */
export const plainEnv: NodeJS.ProcessEnv = { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C.UTF-8' };
if (process.env.HOME !== undefined) {
  plainEnv.HOME = process.env.HOME;
}

const undo: (() => unknown)[] = [];

/** For afterEach and afterAll: ends what was started, newest first. */
export async function cleanUp(): Promise<void> {
  for (let one = undo.pop(); one !== undefined; one = undo.pop()) {
    await one();
  }
}

export function later(work: () => unknown): void {
  undo.push(work);
}

export async function until<T>(what: string, look: () => T | null | undefined | false): Promise<T> {
  for (const end = Date.now() + PATIENCE_MS; ; ) {
    const found = look();
    if (found !== null && found !== undefined && found !== false) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${PATIENCE_MS} ms for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

export function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'sockscope-tap-'));
  later(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const given = new Set<number>();

/** Nobody listens there now, and it was not given before: two servers started at once get two. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    server.close();
    await once(server, 'close');
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    if (!given.has(port)) {
      given.add(port);
      return port;
    }
  }
}

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
  readonly bytes: Buffer;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

function hear(child: ChildProcess): Promise<Ran> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const bytes = Buffer.concat(out);
      resolve({ code, signal, out: bytes.toString(), err: Buffer.concat(err).toString(), bytes });
    });
  });
}

/** Runs a program to its end. */
export async function run(
  program: string,
  words: readonly string[],
  { input, env = {}, cwd, timeoutMs = PATIENCE_MS }: RunOptions = {},
): Promise<Ran> {
  const child = spawn(findProgram(program) ?? program, words, {
    env: { ...plainEnv, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });
  const limit = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  try {
    return await hear(child);
  } finally {
    clearTimeout(limit);
  }
}

export const sockscope = (...words: string[]): Promise<Ran> => run(process.execPath, [cli, ...words]);

/** A server that runs until the test is over. `ready`: it takes connections. */
export async function serve(
  program: string,
  words: readonly string[],
  ready: () => Promise<boolean>,
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string; readonly uid?: number } = {},
): Promise<{ readonly pid: number; stop(signal?: NodeJS.Signals): Promise<void> }> {
  const { env = {}, ...rest } = options;
  const child = spawn(findProgram(program) ?? program, words, {
    ...rest,
    env: { ...plainEnv, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = hear(child);
  let over: Ran | null = null;
  void ended.then((ran) => {
    over = ran;
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (over === null) {
      child.kill(signal);
      const limit = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(limit);
    }
  };
  later(() => stop());
  for (const end = Date.now() + PATIENCE_MS; !(await ready()); ) {
    if (over !== null || Date.now() > end) {
      const { err, out } = over ?? { err: 'it does not answer', out: '' };
      throw new Error(`${program} did not start: ${err}${out}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return { pid: child.pid ?? 0, stop };
}

/** Somebody listens there. */
export function answers(place: number | string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket =
      typeof place === 'number' ? connect({ port: place, host: '127.0.0.1' }) : connect({ path: place });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export type Event = Record<string, unknown> & { readonly type: string };

export interface Tap {
  readonly pid: number;
  /** The port of the first tap; `ports` has all. */
  readonly port: number;
  readonly ports: readonly number[];
  readonly child: ChildProcess;
  /** What --json has told so far. */
  readonly events: readonly Event[];
  of(type: string): Event[];
  /** Lines of standard output so far. */
  readonly lines: readonly string[];
  readonly err: string;
  /** The messages' summaries, of one side or of both. */
  said(from?: 'client' | 'server'): string[];
  stop(signal?: NodeJS.Signals): Promise<Ran>;
  readonly ended: Promise<Ran>;
}

export interface TapRun {
  /** How many taps there will be. */
  readonly taps?: number;
  readonly json?: boolean;
  /** Words before `node dist/cli.js`: prlimit and the like. */
  readonly before?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Which events are kept; all, unless said. */
  readonly keep?: (event: Event) => boolean;
}

/** Starts `sockscope tap WORDS --json` (or without --json) and waits until all taps have said where they listen. */
export async function tap(words: readonly string[], options: TapRun = {}): Promise<Tap> {
  const { taps = 1, json = true, before = [], env = {}, keep = () => true } = options;
  const command = [...before, process.execPath, cli, 'tap', ...words, ...(json ? ['--json'] : [])];
  const child = spawn(command[0]!, command.slice(1), {
    env: { ...plainEnv, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const events: Event[] = [];
  const lines: string[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      if (!json) {
        lines.push(line);
        continue;
      }
      const event = JSON.parse(line) as Event;
      if (keep(event)) {
        events.push(event);
        lines.push(line);
      }
    }
  });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  let over: Ran | null = null;
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const out = lines.map((line) => `${line}\n`).join('') + rest;
      over = { code, signal, out, err, bytes: Buffer.from(out) };
      resolve(over);
    });
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<Ran> => {
    if (over === null) {
      child.kill(signal);
      const limit = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(limit);
    }
    return ended;
  };
  later(() => stop());
  const portOf = (text: string): number => Number(/:(\d+)$/.exec(text)?.[1] ?? 0);
  const heardOf = (): number[] | null => {
    if (over !== null) {
      throw new Error(`the tap ended: ${over.err}${over.out}`);
    }
    const places = json
      ? [
          ...new Map(
            events.filter(({ type }) => type === 'standing').map((one) => [one.tap, one.listens]),
          ).values(),
        ]
      : lines
          .map((line) => /(\S+) → /.exec(stripVTControlCharacters(line))?.[1] ?? '')
          .filter((text) => text !== '');
    return places.length >= taps ? places.slice(0, taps).map((text) => portOf(String(text))) : null;
  };
  const ports = await until(`${words.join(' ')} to listen`, heardOf);
  return {
    pid: child.pid ?? 0,
    port: ports[0] ?? 0,
    ports,
    child,
    events,
    lines,
    of: (type) => events.filter((one) => one.type === type),
    get err() {
      return err;
    },
    said: (from) =>
      events
        .filter((one) => one.type === 'message' && (from === undefined || one.from === from))
        .map(({ summary }) => String(summary)),
    stop,
    ended,
  };
}

/** The kernel's numbers about a process. */
export function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Those that are sockets. */
export function sockets(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) =>
    targetOf(`/proc/${pid}/fd/${fd}`).startsWith('socket:'),
  ).length;
}

/** It may be closed at any moment. */
function targetOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

export function rssBytes(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  return pages * 4096;
}

const TICKS_PER_SECOND = 100;

/** Seconds of processor time so far. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export interface Redis {
  readonly port: number;
  readonly pid: number;
  readonly unix: string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export async function redis(port?: number): Promise<Redis> {
  const place = port ?? (await freePort());
  const home = folder();
  const unix = join(home, 'redis.sock');
  const words = ['--port', String(place), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const server = await serve(
    'redis-server',
    [...words, '--dir', home, '--unixsocket', unix, '--daemonize', 'no'],
    () => answers(place),
  );
  return { port: place, unix, pid: server.pid, stop: server.stop };
}
