/** What `sockscope serve KIND` does. */
import { join } from 'node:path';
import { SockscopeError } from '../errors.ts';
import type { Access, AnyKind, Common, TlsFiles } from '../make/serve/kind.ts';
import { percentileOf } from '../make/serve/ledger.ts';
import { type RunningServer, type ServerOrder, startServer } from '../make/serve/workers.ts';
import { openAuthority } from '../tap/tls/ca.ts';
import { leavesOf } from '../tap/tls/leaf.ts';
import { namesToShow } from '../tap/tls/names.ts';
import { whoListens } from '../tap/who-listens.ts';
import { accessLine, figuresLine } from '../view/make/access-line.ts';
import { optionLines, optionsAsMade } from './options-made.ts';
import { paint, print, warn } from './output.ts';
import { commonOf, type ServeFlags, splitWords, timeOf, workersOf } from './serve-flags.ts';
import { liveFigures } from './serve-live.ts';
import { isLoopback, placeOf, type ServePlace, whereOf } from './serve-place.ts';
import { untilStopped } from './until-stopped.ts';

const EADDRINUSE = -98;
const EACCES = -13;
/** Ports tried after the usual one. */
const MOST_TRIED = 100;

export async function runServe(kind: AnyKind, words: readonly string[], flags: ServeFlags): Promise<void> {
  if (flags.showSyscalls === true) {
    const { showSyscalls } = await import('./serve-syscalls.ts');
    await showSyscalls();
    return;
  }
  const { own, address } = splitWords(kind, words);
  if (address !== null && flags.listen !== undefined) {
    throw usage('SERVE_PLACE', 'The address is given twice.', 'Leave out --listen, or the word behind.');
  }
  const common = commonOf(flags);
  const workers = workersOf(flags);
  const deathMs = flags.dieAfter === undefined ? null : timeOf('--die-after', flags.dieAfter, '5s') / 1e6;
  const place = await placeOf(kind, address ?? flags.listen ?? null);
  check(kind, flags, place, workers, common);
  const plan = await kind.plan({ words: own, options: flags });
  const tls = flags.tls === true ? await certificate(place) : null;
  const zero = monotonic();
  const started = Date.now();
  const order: Omit<ServerOrder, 'address'> = {
    kind: kind.name,
    plan,
    over: place.over,
    common,
    tls: tls?.files ?? null,
    workers,
    wantsLines: flags.quiet !== true,
    zero,
  };
  const json = flags.json === true;
  let live: { clear(): void; close(): void } | null = null;
  const say = (text: string): void => {
    live?.clear();
    if (json) {
      print(`${JSON.stringify({ v: 1, type: 'said', at: monotonic() - zero, text })}\n`);
    } else {
      warn(paint.dim(text));
    }
  };
  let broken: (error: Error) => void = () => {};
  const broke = new Promise<never>((_, reject) => {
    broken = reject;
  });
  broke.catch(() => {});
  // Before anything is printed: who reads that it listens may end it at once.
  const stopped = untilStopped();
  const server = await listen(place, order, {
    lines: (lines: readonly Access[]) =>
      print(
        lines
          .map((line) =>
            json
              ? `${JSON.stringify({ v: 1, type: 'access', ...line })}\n`
              : `${accessLine(line, started, paint)}\n`,
          )
          .join(''),
      ),
    say,
    broke: (error) => broken(error),
  });
  announce(kind, plan, server, place, { flags, common, authority: tls?.authority ?? '', started });
  const noun = kind.lines === 'requests' ? 'request' : 'connection';
  const figures = (): string => {
    const counts = server.counts();
    const seconds = (monotonic() - zero) / 1e9;
    return figuresLine(
      { ...counts, half: percentileOf(counts.times, 0.5), most: percentileOf(counts.times, 0.99) },
      seconds,
      noun,
    );
  };
  if (flags.quiet === true && process.stderr.isTTY === true && !json) {
    live = liveFigures(figures);
  }
  const dying =
    deathMs === null ? undefined : setTimeout(() => process.kill(process.pid, 'SIGKILL'), deathMs);
  try {
    await Promise.race([stopped, broke]);
  } finally {
    clearTimeout(dying);
    live?.close();
    live = null;
  }
  const { drained, dropped } = await server.drain();
  if (json) {
    const { times, ...counts } = server.counts();
    const p50 = percentileOf(times, 0.5);
    const p99 = percentileOf(times, 0.99);
    print(
      `${JSON.stringify({ v: 1, type: 'summary', at: monotonic() - zero, drained, dropped, ...counts, p50, p99 })}\n`,
    );
  } else {
    warn(`${figures()}\n${paint.bold(`drained ${drained}, dropped ${dropped}`)}`);
  }
}

function usage(code: string, message: string, hint: string): SockscopeError {
  return new SockscopeError(code, message, hint, 2);
}

function check(kind: AnyKind, flags: ServeFlags, place: ServePlace, workers: number, common: Common): void {
  const { over, address } = place;
  if (workers > 1 && over !== 'tcp') {
    throw usage('SERVE_WORKERS', 'Several workers share a TCP port only.', 'Leave out --workers.');
  }
  if (workers > 1 && kind.alone === true) {
    throw usage(
      'SERVE_WORKERS',
      `The clients of serve ${kind.name} share what one thread keeps.`,
      'Leave out --workers.',
    );
  }
  if (flags.tls === true && over !== 'tcp') {
    throw usage('SERVE_TLS', 'TLS needs TCP here.', 'Leave out --tls, or give a TCP address.');
  }
  if (common.misbehaviour !== null && (over === 'udp' || over === 'unix-dgram')) {
    throw usage(
      'SERVE_MISBEHAVIOUR',
      'Misbehaviour is for connections, and datagrams have none.',
      'Use sockscope tap with --fault for UDP, or listen on a TCP address.',
    );
  }
  if (kind.guarded === true && !isLoopback(address) && flags.yes !== true) {
    throw usage(
      'SERVE_GUARDED',
      `serve ${kind.name} gives this machine away to whoever reaches it.`,
      'Listen on 127.0.0.1, or say --yes when you mean it.',
    );
  }
}

async function listen(
  place: ServePlace,
  order: Omit<ServerOrder, 'address'>,
  ears: Parameters<typeof startServer>[2],
): Promise<RunningServer> {
  const entry = join(__dirname, 'make-worker.js');
  let { address } = place;
  for (let tried = 0; ; tried++) {
    const server = await startServer(entry, { ...order, address }, ears);
    if (typeof server !== 'number') {
      return server;
    }
    if (server === EADDRINUSE && place.free && tried < MOST_TRIED && address.kind !== 'unix') {
      address = { ...address, port: address.port + 1 };
      continue;
    }
    throw cannotListen(address, server);
  }
}

function cannotListen(address: ServePlace['address'], errno: number): SockscopeError {
  const where = address.kind === 'unix' ? address.path : `${address.host}:${address.port}`;
  if (errno === EADDRINUSE && address.kind !== 'unix') {
    const who = whoListens({ kind: address.kind, host: address.host, port: address.port, path: '' });
    const hint =
      who === ''
        ? `sockscope ls :${address.port} says who has it.`
        : `Choose another port, or end it: sockscope kill :${address.port}`;
    return new SockscopeError('PORT_IN_USE', `${where} is taken${who === '' ? '' : ` by ${who}`}.`, hint, 3);
  }
  if (errno === EACCES) {
    return new SockscopeError(
      'LISTEN',
      `This user may not listen on ${where}.`,
      'Ports below 1024 need root or CAP_NET_BIND_SERVICE; choose a higher one.',
      3,
    );
  }
  return new SockscopeError(
    'LISTEN',
    `Cannot listen on ${where}: ${errnoName(errno)}.`,
    HINTS[errno] ?? ANY_HINT,
    3,
  );
}

const ANY_HINT = 'sockscope abilities says what this process may do here.';
const HINTS: Readonly<Record<number, string>> = {
  [-99]: 'That address is not one of this machine: ip addr lists them.',
  [-92]: 'This kind of socket does not know one of the options of --sockopt.',
  [-1]: 'One of the options of --sockopt needs CAP_NET_ADMIN.',
  [-2]: 'The folder of the socket does not exist.',
  [-98]: 'Something listens there, or a file that is no socket is in the way.',
};

function errnoName(errno: number): string {
  const names: Readonly<Record<number, string>> = {
    [-1]: 'EPERM',
    [-2]: 'ENOENT, no such directory',
    [-92]: 'ENOPROTOOPT',
    [-98]: 'EADDRINUSE',
    [-99]: 'EADDRNOTAVAIL',
  };
  return names[errno] ?? `error ${-errno}`;
}

interface Around {
  readonly flags: ServeFlags;
  readonly common: Common;
  readonly authority: string;
  readonly started: number;
}

function announce(
  kind: AnyKind,
  plan: unknown,
  { address }: RunningServer,
  { over }: ServePlace,
  { flags, common, authority, started }: Around,
): void {
  const where = whereOf(address, over, flags.tls === true, authority);
  const text =
    where.path !== ''
      ? `${over}:${where.path}`
      : `${kind.both === true ? 'udp and tcp ' : over === 'udp' ? 'udp ' : ''}${where.host}:${where.port}`;
  const tries = kind.tries(where, plan);
  const options = optionsAsMade(common.wishes, over);
  if (flags.json === true) {
    const sockopt = options.map(({ name, asked, made }) => ({ name, asked, made }));
    print(
      `${JSON.stringify({ v: 1, type: 'listening', at: 0, started: new Date(started).toISOString(), kind: kind.name, over, address, pid: process.pid, try: tries, sockopt })}\n`,
    );
    return;
  }
  print(`${paint.bold(`${kind.name} on ${text}`)}   try: ${paint.cyan(tries)}\n`);
  for (const line of optionLines(options)) {
    print(`${paint.dim(line)}\n`);
  }
}

async function certificate({ address }: ServePlace): Promise<{ files: TlsFiles; authority: string }> {
  const authority = await openAuthority();
  const names = namesToShow('localhost', '127.0.0.1');
  const host = address.kind === 'unix' ? [] : namesToShow(null, address.host);
  const leaf = await (await leavesOf(authority)).of([...new Set([...names, '127.0.0.1', '::1', ...host])]);
  return { files: { certificate: leaf.certificate, key: leaf.key }, authority: authority.path };
}

function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e9 + nanoseconds;
}
