/** What a load run found, as a block of lines. */
import type { LoadCount, LoadLatency, LoadResult } from '../../session/load.ts';
import type { Painter } from '../colour.ts';
import { bytes, count, duration, several } from '../units.ts';
import { loadWhyText, nounOf } from './load-why.ts';

const LABEL = 12;
const NS_PER_US = 1000;

/** Nanoseconds. Below 10 µs whole microseconds would hide too much. */
export function nanoseconds(ns: number): string {
  return ns < 10_000 ? `${(ns / NS_PER_US).toFixed(1)} µs` : duration(ns / NS_PER_US);
}

export function perSecond(value: number): string {
  return `${value < 100 ? value.toFixed(1) : count(value)}/s`;
}

export function loadSummary(result: LoadResult, paint: Painter, distribution: boolean): string[] {
  const { latency } = result;
  const rows: (readonly [label: string, text: string] | null)[] = [
    [`${nounOf(result.kind)}s`, requestsText(result)],
    latency === null ? null : [latencyName(result), latencyText(latency)],
    result.late === null ? null : ['late', lateText(result.late, result)],
    result.received + result.sent === 0
      ? null
      : ['bytes', `${bytes(result.received)} received, ${bytes(result.sent)} sent`],
    result.badAnswers.length === 0 ? null : ['bad answers', paint.red(countsText(result.badAnswers))],
    result.errors.length === 0 ? null : ['errors', paint.red(countsText(result.errors))],
    result.waiting + result.connecting === 0 ? null : ['unanswered', waitingText(result)],
    ['sockets', socketsText(result)],
    ['this side', processText(result)],
    ['cpu', cpuText(result)],
    ['stopped', paint.bold(loadWhyText(result))],
  ];
  const lines = rows.flatMap((row) => (row === null ? [] : [`${paint.dim(row[0].padEnd(LABEL))}${row[1]}`]));
  const table = distribution && latency !== null ? ['', ...distributionLines(latency)] : [];
  return [paint.bold(headline(result)), ...lines, ...table];
}

function headline({
  kind,
  target,
  connections,
  threads,
  pipeline,
  pooled,
  wishedRate,
  seconds,
}: LoadResult): string {
  const parts = [
    several(connections, 'connection'),
    threads === 1 ? '' : several(threads, 'thread'),
    pipeline === 1 ? '' : `${pipeline} requests at a time on each`,
    pooled || kind === 'connect' || kind === 'hold' || kind === 'udp' ? '' : 'one for each request',
    wishedRate === null ? '' : perSecond(wishedRate),
    `${seconds.toFixed(1)} s`,
  ].filter((part) => part !== '');
  return `${kind} ${target}: ${parts.join(', ')}`;
}

function requestsText({ requests, rate }: LoadResult): string {
  const spread =
    rate.least === null || rate.median === null || rate.most === null
      ? ''
      : ` (per second: ${count(rate.least)} – ${count(rate.median)} – ${count(rate.most)})`;
  return `${count(requests)}, ${perSecond(rate.mean)}${spread}`;
}

function latencyName({ kind }: LoadResult): string {
  return kind === 'connect' || kind === 'hold' ? 'to connect' : 'latency';
}

export function latencyText({ min, p50, p75, p90, p99, p999, max }: LoadLatency): string {
  const parts: readonly [string, number][] = [
    ['min', min],
    ['p50', p50],
    ['p75', p75],
    ['p90', p90],
    ['p99', p99],
    ['p99.9', p999],
    ['max', max],
  ];
  return parts.map(([name, value]) => `${name} ${nanoseconds(value)}`).join('  ');
}

function lateText(late: number, { requests }: LoadResult): string {
  return late === 0
    ? 'none: every request began when it was due'
    : `${count(late)} of ${count(requests)} began after they were due (no connection was free, or this machine was busy); their latency counts from then`;
}

function countsText(counts: readonly LoadCount[]): string {
  return counts.map((one) => `${count(one.count)} × ${one.what}`).join(', ');
}

function waitingText({ kind, waiting, longestWait, connecting }: LoadResult): string {
  return [
    waiting === 0 || nounOf(kind) === 'connection'
      ? ''
      : `${several(waiting, 'request')} on the way, the oldest for ${nanoseconds(longestWait)}`,
    connecting === 0 ? '' : several(connecting, 'connect'),
  ]
    .filter((part) => part !== '')
    .join('; ');
}

export function socketsText({ sockets }: LoadResult): string {
  const { opened, reused, failed, states } = sockets;
  const found =
    states === null
      ? ''
      : states.length === 0
        ? '; none at the end'
        : `; at the end ${states.map((one) => `${count(one.count)} ${one.what}`).join(', ')}`;
  return `${count(opened)} opened, used again ${several(reused, 'time')}, ${count(failed)} failed${found}`;
}

function processText({ descriptors, process }: LoadResult): string {
  const { used, limit } = descriptors;
  const files =
    used === null ? '' : `${count(used)}${limit === null ? '' : ` of ${count(limit)}`} descriptors, `;
  const grown = Math.max(0, process.memory - process.memoryBefore);
  return `${files}${several(process.threads, 'thread')}, ${bytes(process.memory)} (${bytes(grown)} more than before)`;
}

function cpuText({ cpu, requestsPerCpuSecond, kind }: LoadResult): string {
  const used = `${cpu.user.toFixed(2)} s user, ${cpu.system.toFixed(2)} s system`;
  return requestsPerCpuSecond === null
    ? used
    : `${used}: ${count(requestsPerCpuSecond)} ${nounOf(kind)}s per CPU second`;
}

const BAR = 40;

function distributionLines(latency: LoadLatency): string[] {
  const rows: readonly [string, number][] = [
    ['min', latency.min],
    ['mean', latency.mean],
    ['50 %', latency.p50],
    ['75 %', latency.p75],
    ['90 %', latency.p90],
    ['99 %', latency.p99],
    ['99.9 %', latency.p999],
    ['max', latency.max],
  ];
  return rows.map(([name, value]) => {
    const bar = '█'.repeat(Math.round((BAR * value) / Math.max(1, latency.max)));
    return `${name.padStart(8)}  ${nanoseconds(value).padStart(9)}  ${bar}`.trimEnd();
  });
}
