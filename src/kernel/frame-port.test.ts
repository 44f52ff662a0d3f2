/** A port on a cable whose two ends are in one private namespace: what is written on one end arrives at the other. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';

const lab = needs('namespace', 'ip');
const root = new URL('../..', import.meta.url).pathname;

const SETUP = `
  ip link add v0 mtu 65535 type veth peer name v1 mtu 65535
  for one in v0 v1; do echo 1 > /proc/sys/net/ipv6/conf/$one/disable_ipv6; ip link set $one up; done
  exec "$@"`;
const PROGRAM = `
  const { openFramePort } = await import(process.argv[1] + '/frame-port.js');
  const { controlSocket, linkIndex } = await import(process.argv[1] + '/tools.js');
  const control = controlSocket();
  const [v0, v1] = [linkIndex(control, 'v0'), linkIndex(control, 'v1')];
  const port = openFramePort();
  const frame = (size, mark) => { const b = new Uint8Array(size).fill(mark); b[12] = 0x88; b[13] = 0xb5; return b; };
  const seen = [];
  const read = (most) => port.read((bytes, from, to, ifindex, unfinished, seconds, nanoseconds) => {
    seen.push({ on: ifindex === v1 ? 'v1' : ifindex === v0 ? 'v0' : ifindex, bytes: to - from, mark: bytes[to - 1],
      same: bytes.subarray(from + 14, to).every((b) => b === bytes[to - 1]), off: Date.now() - seconds * 1e3 - nanoseconds / 1e6 });
  }, most);
  const wrote = [60, 1514, 16000, 20000, 60014].map((size, i) => port.write(v0, frame(size, i + 1), 0, size));
  wrote.push(port.write(v1, Uint8Array.of(9, 9, ...frame(60, 6), 9), 2, 62), port.write(9999, frame(60, 7), 0, 60));
  wrote.push(port.write(v0, frame(70000, 1), 0, 70000));
  const counts = [read(2), read(100), read(100)];
  const first = [...seen];
  for (let i = 0; i < 1500; i++) port.write(v0, frame(60, 8), 0, 60);
  const all = read(5000);
  const lost = [port.lost(), port.lost()];
  port.write(v0, frame(60, 9), 0, 60);
  const again = read(10);
  port.close();
  console.log(JSON.stringify({ wrote, counts, first, all, lost, again }));`;

interface Said {
  wrote: number[];
  counts: number[];
  first: { on: string; bytes: number; mark: number; same: boolean; off: number }[];
  all: number;
  lost: number[];
  again: number;
}

describe.skipIf(lab.missing)('a port on all devices', () => {
  let folder: string;
  let said: Said;
  beforeAll(async () => {
    // Below node_modules, so that the bundle finds koffi.
    mkdirSync(join(root, 'node_modules/.cache'), { recursive: true });
    folder = mkdtempSync(join(root, 'node_modules/.cache/frame-port-test-'));
    writeFileSync(
      join(folder, 'tools.ts'),
      `export { linkIndex } from '${root}src/kernel/rtnetlink.ts'; export { controlSocket } from '${root}src/kernel/transparent.ts';`,
    );
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
    const bundle = await rolldown({
      input: { 'frame-port': join(root, 'src/kernel/frame-port.ts'), tools: join(folder, 'tools.ts') },
      platform: 'node',
      external: ['koffi'],
    });
    await bundle.write({ dir: folder, format: 'esm', entryFileNames: '[name].js' });
    await bundle.close();
    const node = [process.execPath, '--input-type=module', '-e', PROGRAM, folder];
    const done = spawnSync('unshare', ['-Urn', 'sh', '-c', SETUP, 'sh', ...node], { encoding: 'utf8' });
    expect(done.stderr).toBe('');
    said = JSON.parse(done.stdout);
  });
  afterAll(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true });
    }
  });

  it('frames arrive whole and in order at the other end, small and large; what was sent is not seen as such', () => {
    expect(said.first.map(({ on, bytes, mark }) => [on, bytes, mark])).toEqual([
      ['v1', 60, 1],
      ['v1', 1514, 2],
      ['v1', 16_000, 3],
      ['v1', 20_000, 4],
      ['v1', 60_014, 5],
      ['v0', 60, 6],
    ]);
    expect(said.first.every(({ same }) => same)).toBe(true);
    expect(said.counts).toEqual([2, 4, 0]);
  });

  it('the stamp is the wall clock’s', () => {
    for (const { off } of said.first) {
      expect(off).toBeGreaterThan(-2);
      expect(off).toBeLessThan(5000);
    }
  });

  it('writing says how much, or -errno: no such device, larger than it takes', () => {
    expect(said.wrote).toEqual([60, 1514, 16_000, 20_000, 60_014, 60, -6, -90]);
  });

  it('what finds no room is counted once, and reading goes on', () => {
    expect(said.all).toBeGreaterThan(1000);
    expect(said.lost[0]).toBeGreaterThan(0);
    expect(said.all + said.lost[0]!).toBe(1500);
    expect(said.lost[1]).toBe(0);
    expect(said.again).toBe(1);
  });
});
