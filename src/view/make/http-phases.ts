/** A request over HTTP for people: its phases with bars, its connection, where it was sent on to. */
import type {
  HttpConnectionFacts,
  HttpExchangeFacts,
  HttpPhase,
  HttpRedirect,
  HttpTry,
} from '../../session/http-exchange.ts';
import { printable } from '../../wire/printable.ts';
import type { Painter } from '../colour.ts';
import { bytes, duration, rate, several } from '../units.ts';

const NS_PER_US = 1000;
const NS_PER_S = 1e9;
const NAME = 11;
const TIME = 9;
const BAR = 24;
const MOST_NAMES = 3;

export function nanoseconds(ns: number): string {
  return duration(ns / NS_PER_US);
}

function statusColour(status: number, paint: Painter): (text: string) => string {
  return status >= 400 ? paint.red : status >= 300 ? paint.yellow : paint.green;
}

export function statusLine({ version, status, statusText }: HttpExchangeFacts, paint: Painter): string {
  return status === 0
    ? paint.red('no answer')
    : `${version} ${statusColour(status, paint)(printable(`${status} ${statusText}`.trim()))}`;
}

/** Where in the whole time it lay; what took any time at all is seen. */
export function bar(from: number, ns: number, total: number, columns: number): string {
  const scale = columns / Math.max(1, total);
  const start = Math.min(columns - 1, Math.floor(from * scale));
  const length = Math.max(1, Math.min(columns - start, Math.round(ns * scale)));
  return `${' '.repeat(start)}${'█'.repeat(length)}`.padEnd(columns);
}

function triesText(tries: readonly HttpTry[]): string {
  const others = tries.filter(({ outcome }) => outcome !== 'connected');
  return others
    .map(({ address, outcome, ns }) => `${address} ${outcome} after ${nanoseconds(ns)}`)
    .join(', ');
}

function connectText({ remote, local, tries, proxy }: HttpConnectionFacts): string {
  const others = triesText(tries);
  const through = proxy === null ? '' : `, the proxy ${proxy}`;
  return `${remote} from ${local}${through}${others === '' ? '' : `; ${others}`}`;
}

function tlsText({ tls }: HttpConnectionFacts): string {
  if (tls === null) {
    return '';
  }
  const { names } = tls;
  const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '';
  const named = names.length === 0 ? 'nobody' : `${names.slice(0, MOST_NAMES).join(', ')}${more}`;
  const until = tls.expires === '' ? '' : `, until ${tls.expires.slice(0, 10)}`;
  return printable(`${tls.version} ${tls.cipher}; for ${named} by ${tls.issuer || 'nobody'}${until}`);
}

function bodyText({ received, decoded }: HttpExchangeFacts, { ns }: HttpPhase): string {
  const unpacked = decoded === received ? '' : `, ${bytes(decoded)} decoded`;
  const speed = received === 0 || ns === 0 ? '' : ` at ${rate(received / (ns / NS_PER_S))}`;
  return `${bytes(received)}${unpacked}${speed}`;
}

function whatOf(facts: HttpExchangeFacts, phase: HttpPhase): string {
  const { connection } = facts;
  switch (phase.name) {
    case 'resolve':
      return connection === null ? '' : connection.addresses.join(', ');
    case 'connect':
      return connection === null ? '' : connectText(connection);
    case 'tls':
      return connection === null ? '' : tlsText(connection);
    case 'send':
      return facts.sent === 0 ? '' : `${bytes(facts.sent)} of body`;
    case 'first byte':
      return 'waiting for the server';
    case 'body':
      return bodyText(facts, phase);
    case 'proxy':
      return 'CONNECT';
  }
}

export function connectionText({ connection }: HttpExchangeFacts): string {
  if (connection === null) {
    return 'no connection';
  }
  const { use, local } = connection;
  return use === 1 ? `new connection from ${local}` : `connection from ${local} reused, request ${use} on it`;
}

/** The headline, a row for each phase, the sum, and what else is to say. */
export function exchangeLines(facts: HttpExchangeFacts, paint: Painter): string[] {
  const { method, url, phases, total, connection, notes } = facts;
  const rows = phases.map((phase) => {
    const name = (phase.name === 'tls' ? 'TLS' : phase.name).padEnd(NAME);
    const drawn = bar(phase.from, phase.ns, total, BAR);
    const what = phase.done ? whatOf(facts, phase) : paint.red('not finished');
    return `  ${name}${nanoseconds(phase.ns).padStart(TIME)}  ${(phase.done ? paint.cyan : paint.red)(drawn)}  ${what}`.trimEnd();
  });
  const distrust = connection?.tls?.distrust ?? null;
  return [
    `${paint.bold(printable(`${method} ${url}`))}  ${statusLine(facts, paint)}`,
    ...rows,
    `  ${'total'.padEnd(NAME)}${nanoseconds(total).padStart(TIME)}  ${' '.repeat(BAR)}  ${connectionText(facts)}`,
    ...(distrust === null ? [] : [paint.yellow(`  taken all the same (-k): ${printable(distrust)}`)]),
    ...notes.map((note) => paint.dim(`  ${printable(note)}`)),
  ];
}

/** One hop: where it leads, what goes along and what does not. */
export function redirectLine(facts: HttpExchangeFacts, redirect: HttpRedirect, paint: Painter): string {
  const { to, followed, method, kept, stripped, crossOrigin, downgrade, refused } = redirect;
  const leads = `${facts.status} ${facts.method} ${facts.url} → ${to}`;
  if (refused !== null) {
    return `${paint.yellow(printable(leads))}  not followed: ${printable(refused)}`;
  }
  const parts = [
    followed
      ? `${nanoseconds(facts.total)}, ${connectionText(facts)}`
      : facts.failure === null
        ? 'not followed without -L'
        : 'not followed',
    method === facts.method ? `${method} stays` : `${facts.method} becomes ${method} without its body`,
    crossOrigin ? 'another origin' : 'the same origin',
    `kept ${kept.join(', ') || 'nothing'}`,
    stripped.length === 0 ? 'nothing stripped' : paint.yellow(`stripped ${printable(stripped.join(', '))}`),
    ...(downgrade ? [paint.red('from https down to http: what follows can be read on the way')] : []),
  ];
  return `${paint.yellow(printable(leads))}\n  ${parts.join('; ')}`;
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export interface RepeatTimes {
  readonly requests: number;
  readonly connections: number;
  readonly min: number;
  readonly median: number;
  readonly max: number;
  /** The first one, which had to connect. */
  readonly first: number;
  /** Median of those that came over a kept connection; null: none did. */
  readonly reused: number | null;
}

/** Null where nothing was answered. */
export function repeatTimes(all: readonly HttpExchangeFacts[], connections: number): RepeatTimes | null {
  const totals = all.map(({ total }) => total).sort((a, b) => a - b);
  const over = all
    .filter(({ connection }) => connection !== null && connection.use > 1)
    .map(({ total }) => total)
    .sort((a, b) => a - b);
  return totals.length === 0
    ? null
    : {
        requests: totals.length,
        connections,
        min: totals[0]!,
        median: median(totals),
        max: totals.at(-1)!,
        first: all[0]!.total,
        reused: over.length === 0 ? null : median(over),
      };
}

export function repeatLines({ requests, connections, first, reused, ...times }: RepeatTimes): string[] {
  const spread = `min ${nanoseconds(times.min)}, median ${nanoseconds(times.median)}, max ${nanoseconds(times.max)}`;
  return [
    `${several(requests, 'request')} over ${several(connections, 'connection')}: ${spread}`,
    reused === null
      ? `  the first took ${nanoseconds(first)}; no connection was reused`
      : `  the first, with its connection, took ${nanoseconds(first)}; over the kept connection the median is ${nanoseconds(reused)}`,
  ];
}
