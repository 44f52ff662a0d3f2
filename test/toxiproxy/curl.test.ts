/** The control API as a person with curl uses it: what Toxiproxy's documentation shows, line for line. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { SockscopeError } from '../../src/errors.ts';
import { type ControlApi, MAX_BODY, startControlApi } from '../../src/tap/control-api.ts';
import { needs } from '../needs.ts';
import { type FakeControl, fakeControl, newPlan } from './fake-control.ts';

const run = promisify(execFile);
let control: FakeControl;
let api: ControlApi;

beforeEach(async () => {
  control = fakeControl();
  const started = await startControlApi({
    host: '127.0.0.1',
    port: 0,
    token: null,
    control,
    version: '2.12.0',
    newPlan,
  });
  if (started instanceof SockscopeError) {
    throw started;
  }
  api = started;
});
afterEach(async () => {
  await api.close();
  await control.closeAll();
});

/** `STATUS BODY`. */
async function curl(path: string, ...words: string[]): Promise<string> {
  const url = `http://localhost:${api.address.port}${path}`;
  const { stdout } = await run('curl', ['-s', '-m', '10', '-w', '\n%{http_code}', ...words, url]);
  const end = stdout.lastIndexOf('\n');
  return `${stdout.slice(end + 1)} ${stdout.slice(0, end).trim()}`;
}

describe.skipIf(needs('curl').missing !== null)('curl', () => {
  it('creates a proxy, makes it slow, changes, lists, takes down and deletes, as a form or as JSON', async () => {
    const body = '{"name":"redis","listen":"127.0.0.1:0","upstream":"127.0.0.1:6379"}';
    expect(await curl('/proxies', '-d', body)).toMatch(/^201 \{"name":"redis","listen":"127\.0\.0\.1:\d+",/);
    expect(
      await curl('/proxies/redis/toxics', '-d', '{"type":"latency","attributes":{"latency":1000}}'),
    ).toBe(
      '200 {"attributes":{"latency":1000,"jitter":0},"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":1}',
    );
    const patched = await curl(
      '/proxies/redis/toxics/latency_downstream',
      '-X',
      'PATCH',
      '-H',
      'Content-Type: application/json',
      '-d',
      '{"toxicity":0.5,"attributes":{"jitter":5}}',
    );
    expect(patched).toContain('{"attributes":{"latency":1000,"jitter":5},');
    expect(patched).toContain('"toxicity":0.5}');
    expect(await curl('/proxies/redis', '-d', '{"enabled":false}')).toMatch(/^200 .*"enabled":false/);
    expect(await curl('/reset', '-X', 'POST')).toBe('204 ');
    expect(await curl('/proxies')).toMatch(/^200 \{"redis":\{.*"enabled":true,"toxics":\[\]\}\}$/);
    expect(await curl('/proxies/redis', '-X', 'DELETE')).toBe('204 ');
    expect(await curl('/proxies/redis')).toBe('404 {"error":"proxy not found","status":404}');
  });

  it('hears 413 while it still sends', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sockscope-curl-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'body');
    writeFileSync(file, ' '.repeat(MAX_BODY + 1));
    for (const more of [[], ['-H', 'Transfer-Encoding: chunked']]) {
      const said = await curl('/populate', '--data-binary', `@${file}`, ...more);
      expect(said).toMatch(/^413 \{"error":"the body is longer than/);
    }
  });
});
