/** What was typed becomes a plan, or one sentence about what is wrong with it. */
import { readFileSync } from 'node:fs';
import { SockscopeError } from '../errors.ts';
import type { LoadKind, Wishes } from '../make/load/kind.ts';
import { kinds } from '../make/load/kinds.ts';
import type { LoadPlan } from '../make/load/plan.ts';
import type { SocketWishes } from '../reactor/reactor.ts';
import { readWishes } from '../reactor/socket-options.ts';
import { nearMisses } from '../session/near.ts';
import { durationNs, sizeBytes } from '../session/quantities.ts';
import type { LoadTarget } from './load-target.ts';

export interface LoadFlags {
  readonly connections: string;
  readonly duration?: string;
  readonly requests?: string;
  readonly rate?: string;
  readonly threads: string;
  readonly pipeline: string;
  readonly method: string;
  readonly header: readonly string[];
  readonly body?: string;
  readonly bodyFile?: string;
  readonly command?: string;
  readonly size: string;
  readonly closeBy: string;
  readonly keepalive: boolean;
  readonly compare?: boolean;
  readonly timeout: string;
  readonly sockopt?: string;
  readonly latency?: boolean;
  readonly json?: boolean;
  readonly live: boolean;
  readonly really?: boolean;
  readonly yes?: boolean;
}

const USUAL_DURATION_NS = 10e9;
const MOST_CONNECTIONS = 1_000_000;
const MOST_THREADS = 64;
const MOST_PIPELINE = 1000;
const MOST_BODY = 64e6;
/** UDP ends at 65 507 bytes. */
const MOST_DATAGRAM = 65_507;

export function readKind(name: string): LoadKind {
  const found = kinds.find((one) => one.name === name);
  if (found !== undefined) {
    return found;
  }
  const names = kinds.map((one) => one.name);
  const [near] = nearMisses(name, names);
  throw usage(
    `There is no kind of load called '${name}'.`,
    near === undefined ? `Kinds are ${names.join(', ')}.` : `Did you mean ${near}?`,
  );
}

export function readPlan(kind: LoadKind, target: LoadTarget, flags: LoadFlags): LoadPlan {
  const connections = whole('-c', flags.connections, 1, MOST_CONNECTIONS);
  const requests = flags.requests === undefined ? 0 : whole('-n', flags.requests, 1, Number.MAX_SAFE_INTEGER);
  if (kind.manner === 'hold' && requests > 0) {
    throw usage('hold makes no requests, so -n means nothing.', 'Say how many connections: -c 1000.');
  }
  const usual = requests > 0 ? 0 : USUAL_DURATION_NS;
  const duration = flags.duration === undefined ? usual : time('-d', flags.duration);
  const pipeline = whole('-p', flags.pipeline, 1, MOST_PIPELINE);
  const keepAlive = flags.keepalive;
  if ((!keepAlive || flags.compare === true) && !kind.canReconnect) {
    const named = flags.compare === true ? '--compare' : '--no-keepalive';
    throw usage(`${kind.name} has no connection that could be kept.`, `Leave out ${named}.`);
  }
  if (pipeline > 1 && (kind.manner !== 'talk' || !keepAlive || flags.compare === true)) {
    throw usage(
      'Several requests at a time need a kept connection that carries requests.',
      'Leave out -p, or --no-keepalive and --compare.',
    );
  }
  const plan: LoadPlan = {
    kind: kind.name,
    target: target.address,
    shown: target.shown,
    connections,
    threads: whole('-t', flags.threads, 1, MOST_THREADS),
    durationNs: duration,
    requests,
    rate: flags.rate === undefined ? 0 : rateOf(flags.rate),
    pipeline,
    timeoutNs: time('--timeout', flags.timeout),
    closeBy: side(flags.closeBy),
    sockopt: sockoptOf(kind, flags.sockopt),
    wishes: wishesOf(kind, target, flags),
  };
  // What cannot be said is refused here, not in a thread.
  kind.request(plan.wishes);
  return plan;
}

function sockoptOf(kind: LoadKind, given: string | undefined): SocketWishes {
  const wishes = readWishes(given ?? '');
  if (wishes instanceof SockscopeError) {
    throw wishes;
  }
  if (kind.manner === 'datagram' && given !== undefined) {
    throw usage('--sockopt is for connections here.', 'Leave it out for udp.');
  }
  return wishes;
}

function wishesOf(kind: LoadKind, { authority, path }: LoadTarget, flags: LoadFlags): Wishes {
  const size = sizeBytes(flags.size);
  const most = kind.manner === 'datagram' ? MOST_DATAGRAM : MOST_BODY;
  if (size === null || size < 1 || size > most) {
    throw usage(
      `--size ${flags.size} is not a size that ${kind.name} can send.`,
      `From 1 to ${most} bytes: 64, 4KiB.`,
    );
  }
  return {
    keepAlive: flags.keepalive,
    authority,
    path,
    method: flags.method,
    headers: flags.header,
    body: bodyOf(flags),
    command: (flags.command ?? '').split(/\s+/).filter((word) => word !== ''),
    size,
  };
}

function bodyOf({ body, bodyFile }: LoadFlags): Uint8Array {
  if (body !== undefined && bodyFile !== undefined) {
    throw usage('There are two bodies.', 'Give --body or --body-file, not both.');
  }
  if (bodyFile === undefined) {
    return new Uint8Array(Buffer.from(body ?? ''));
  }
  try {
    return new Uint8Array(readFileSync(bodyFile));
  } catch (error) {
    throw usage(
      `The body cannot be read: ${(error as Error).message}.`,
      'Name a file that is there: --body-file request.json.',
    );
  }
}

function whole(flag: string, text: string, least: number, most: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw usage(`${flag} ${text} is not a number that can be.`, `A whole number from ${least} to ${most}.`);
  }
  return value;
}

function rateOf(text: string): number {
  const value = Number(text.replace(/\/s$/, ''));
  if (!(value > 0 && value <= 1e7)) {
    throw usage(`-R ${text} is not a rate.`, 'Requests per second: -R 500.');
  }
  return value;
}

function time(flag: string, text: string): number {
  const ns = durationNs(/^\d+$/.test(text) ? `${text}s` : text);
  if (ns === null || ns < 1e6) {
    throw usage(`${flag} ${text} is not a duration.`, 'Write it like 10s, 500ms or 2m.');
  }
  return ns;
}

function side(text: string): 'client' | 'server' {
  if (text !== 'client' && text !== 'server') {
    throw usage(`--close-by ${text}: only two can close.`, 'client or server.');
  }
  return text;
}

function usage(message: string, hint: string): SockscopeError {
  return new SockscopeError('LOAD_USAGE', message, hint, 2);
}
