/** What needs neither a socket nor a file. */
import { describe, expect, test, vi } from 'vitest';
import type { NodeHouse } from '../kind.ts';
import { createAllowance } from './allowance.ts';
import { plainPath } from './asked.ts';
import { packed } from './compress.ts';
import { DEFAULTS, type Route } from './plan.ts';
import { gatewayFields } from './request-fields.ts';
import { reportConnections } from './status-page.ts';
import { readTarget } from './target.ts';
import { Upstreams } from './upstreams.ts';

test('a bucket fills again at its rate, for each client', () => {
  const allows = createAllowance(2);
  const at = (client: string, ...times: number[]) => times.map((time) => allows(client, time));
  expect(at('a', 0, 0, 0, 499, 500, 501)).toEqual([true, true, false, false, true, false]);
  expect(at('b', 501)).toEqual([true]);
  expect(Array.from({ length: 5 }, () => createAllowance(0)('a', 0))).toEqual(Array(5).fill(true));
});

test.each([
  ['/a/b?c', '/a/b'],
  ['/%61/./b//c/..', '/a/b/'],
  ['/', '/'],
  ['/a/', '/a/'],
  ['/..', null],
  ['/a/%2e%2e/%2e%2e/x', null],
  ['/%', null],
  ['/%00', null],
])('the path %s is %s', (path, plain) => {
  expect(plainPath(path)).toBe(plain);
});

test.each([
  ['text/html', 'gzip', 'gzip'],
  ['text/html; charset=utf-8', 'br;q=0.5, gzip;q=0.8', 'gzip'],
  ['application/problem+json', '*', 'br'],
  ['text/html', '*;q=0', null],
  ['text/html', 'identity', null],
  ['text/event-stream', 'gzip', null],
  ['image/png', 'gzip', null],
])('%s for who accepts %s: %s', (type, accept, coding) => {
  expect(packed(200, ['Content-Type', type], accept).coding).toBe(coding);
});

test('nothing is packed that says no-transform, is a part, or is small', () => {
  const html = ['Content-Type', 'text/html'];
  expect([
    packed(200, [...html, 'Cache-Control', 'no-transform'], 'gzip').coding,
    packed(206, html, 'gzip').coding,
    packed(200, [...html, 'Content-Length', '10'], 'gzip').coding,
  ]).toEqual([null, null, null]);
});

test('an IPv6 client is quoted in Forwarded, one behind a UNIX socket is unknown', () => {
  const sender = { scheme: 'https', authority: 'h', httpVersion: '2.0', id: 'x' };
  const told = (client: string) => {
    const fields = gatewayFields([], 'up', { ...sender, client });
    return fields[fields.indexOf('Forwarded') + 1];
  };
  expect([told('::1'), told('')]).toEqual([
    'for="[::1]";host="h";proto=https',
    'for=unknown;host="h";proto=https',
  ]);
});

describe('upstreams', () => {
  const route = (more: Partial<Route> = {}): Route => ({
    ...DEFAULTS,
    prefix: '/',
    targets: ['1', '2', '3'].map((text) => readTarget(text)).filter((one) => typeof one !== 'string'),
    ...more,
  });

  test('so many failures in a row take one out of its turn, for so long', () => {
    const said: string[] = [];
    const upstreams = new Upstreams(route(), (text) => said.push(text));
    const [one] = upstreams.all;
    const turns = (now: number) =>
      Array.from({ length: 6 }, () => upstreams.pick(new Set(), now)!.target.to.port).sort();
    upstreams.failed(one!, 'ECONNREFUSED', 0);
    upstreams.failed(one!, 'ECONNREFUSED', 0);
    expect(turns(0)).toEqual([1, 1, 2, 2, 3, 3]);
    upstreams.failed(one!, 'ECONNREFUSED', 0);
    upstreams.failed(one!, 'ECONNREFUSED', 0);
    expect(turns(9_999)).toEqual([2, 2, 2, 3, 3, 3]);
    expect(turns(10_000)).toEqual([1, 1, 2, 2, 3, 3]);
    upstreams.answered(one!);
    expect(said).toEqual(['upstream 127.0.0.1:1 is down: ECONNREFUSED', 'upstream 127.0.0.1:1 is up again']);
    upstreams.close();
  });

  test('how connections are used is told each minute in which they were', () => {
    vi.useFakeTimers();
    const said: string[] = [];
    const upstreams = new Upstreams(route(), () => {});
    const house = { say: (text: string) => said.push(text) } as unknown as NodeHouse;
    const end = reportConnections(house, [{ route: route(), upstreams, allows: () => true }]);
    upstreams.all[1]!.requests = 5;
    vi.advanceTimersByTime(180_000);
    end();
    vi.useRealTimers();
    expect(said).toEqual(['upstream 127.0.0.1:2: 0 open, 0 opened, 0 requests on a used one']);
    upstreams.close();
  });
});
