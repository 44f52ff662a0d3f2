import { describe, expect, it } from 'vitest';
import type { LoadResult, LoadSecond, LoadWhy } from '../../session/load.ts';
import { painter } from '../colour.ts';
import { loadComparison } from './load-compare.ts';
import { loadLine, loadLive } from './load-live.ts';
import { loadSummary } from './load-summary.ts';
import { loadWhyText } from './load-why.ts';

const plain = painter(false);
const latency = {
  count: 9,
  min: 900,
  mean: 2e6,
  p50: 1e6,
  p75: 2e6,
  p90: 3e6,
  p99: 4e6,
  p999: 5e6,
  max: 6e6,
};

const result: LoadResult = {
  kind: 'http',
  target: '127.0.0.1:80',
  connections: 1,
  threads: 1,
  pipeline: 1,
  pooled: true,
  wishedRate: null,
  seconds: 2,
  requests: 100,
  rate: { mean: 50, least: 40, median: 50, most: 60 },
  received: 1000,
  sent: 500,
  latency,
  late: null,
  waiting: 0,
  longestWait: 0,
  connecting: 0,
  errors: [],
  badAnswers: [],
  sockets: { opened: 1, reused: 99, failed: 0, states: [{ what: 'ESTABLISHED', count: 1 }] },
  descriptors: { used: 30, limit: 1024 },
  process: { threads: 8, memory: 4e7, memoryBefore: 3e7 },
  cpu: { user: 0.5, system: 0.5 },
  requestsPerCpuSecond: 100,
  why: { code: 'time' },
};

describe('the summary of a load run', () => {
  it('has only lines that say something', () => {
    const lines = loadSummary(result, plain, false);
    expect(lines[0]).toBe('http 127.0.0.1:80: 1 connection, 2.0 s');
    expect(lines.map((line) => line.split(' ')[0])).toEqual([
      'http',
      'requests',
      'latency',
      'bytes',
      'sockets',
      'this',
      'cpu',
      'stopped',
    ]);
    expect(lines[2]).toContain('min 0.9 µs  p50 1.0 ms');
    const bad = { ...result, errors: [{ what: 'timeout', count: 3 }], waiting: 2, longestWait: 5e6, late: 7 };
    expect(loadSummary(bad, plain, true).join('\n')).toMatch(
      /late .*7 of 100[\s\S]*3 × timeout[\s\S]*2 requests on the way, the oldest for 5.0 ms[\s\S]*99.9 %/,
    );
  });

  it('says why in one sentence, with the figures that show it', () => {
    const said = (why: LoadWhy): string => loadWhyText({ ...result, why }).replaceAll('\u202f', ' ');
    const range = { from: 32768, to: 60999 };
    expect(said({ code: 'ports', timeWait: 28_232, established: 0, other: 0, ...range })).toMatch(
      /^28 232 ports to 127\.0\.0\.1:80 are in TIME_WAIT, no other is left \(EADDRNOTAVAIL/,
    );
    expect(said({ code: 'ports', timeWait: 1, established: 28_231, other: 0, ...range })).toContain(
      '1 in TIME_WAIT, 28 231 ESTABLISHED',
    );
    expect(said({ code: 'accept-queue', used: 9, limit: 8, hanging: 21 })).toBe(
      "the server's accept queue is full (9/8): 21 connects got no answer",
    );
    expect(said({ code: 'descriptors', errno: 'EMFILE', used: 20_000, limit: 20_000 })).toMatch(
      /^EMFILE at 20 000/,
    );
    expect(said({ code: 'refused' })).toContain('ECONNREFUSED');
  });

  it('compares two runs, and says nothing of speed when one made no request', () => {
    const unpooled = {
      ...result,
      pooled: false,
      rate: { ...result.rate, mean: 10 },
      sockets: { ...result.sockets, opened: 20 },
    };
    expect(loadComparison(result, unpooled, plain).at(-1)).toBe(
      'Kept connections made 5.0 times as many requests per second; one for each request opened 20 times as many sockets.',
    );
    const none = { ...unpooled, requests: 0, latency: null, rate: { ...result.rate, mean: 0 } };
    expect(loadComparison(result, none, plain).at(-1)).toContain('nothing to compare');
  });

  it('draws the seconds', () => {
    const second: LoadSecond = { second: 1, lasted: 1, requests: 1500, errors: 2, open: 4, latency };
    expect(loadLine(second).replaceAll('\u202f', ' ')).toBe(
      '   2 s       1 500/s, p50 1.0 ms, p99 4.0 ms, max 6.0 ms, 4 open, 2 errors',
    );
    expect(loadLive([], 80, plain)).toEqual([]);
    const lines = loadLive([{ ...second, second: 0, requests: 3000, latency: null }, second], 80, plain);
    expect(lines[0]).toContain('█▅');
    expect(lines[2]).toBe('2 s       4 connections open, 4 errors');
  });
});
