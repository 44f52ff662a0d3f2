/** `sockscope watch --live` in a real terminal (tmux), on real traffic in a network namespace of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { needs } from './needs.ts';

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const lab = needs('linux', 'root', 'tmux', 'unshare', 'nsenter', 'ip');
const folder = lab.missing === null ? mkdtempSync(join(tmpdir(), 'sockscope-watch-live-')) : '';
const TMUX = ['-S', join(folder, 'tmux'), '-f', '/dev/null'];
const PATIENCE_MS = 20_000;
const LOOK_EVERY_MS = 50;

/** Holds the namespace: an HTTP server, and a client that asks for every path it is told. */
const HOLDER = `
const http = require('node:http');
require('node:child_process').spawnSync('ip', ['link', 'set', 'lo', 'up']);
const server = http.createServer((request, response) => {
  response.statusCode = request.url.startsWith('/bad') ? 500 : 200;
  response.end('answer to ' + request.url);
});
server.listen(8080, '127.0.0.1', () => console.log('ready', process.pid));
const agent = new http.Agent({ keepAlive: true });
const headers = { authorization: 'Bearer verysecret' };
const hush = () => server.getConnections((_, open) => (open === 0 ? console.log('hushed') : setImmediate(hush)));
require('node:readline').createInterface({ input: process.stdin }).on('line', (path) => {
  if (path === 'hush') {
    agent.destroy();
    return hush();
  }
  http.get({ port: 8080, host: '127.0.0.1', path, agent, headers }, (answer) => {
    answer.resume().on('end', () => console.log('answered', path));
  });
}).on('close', () => process.exit());
`;

let holder: ChildProcess;
let holderPid = 0;
let tmuxPid = 0;
const heard: string[] = [];

async function until<T>(what: string, look: () => T | null): Promise<T> {
  for (const end = Date.now() + PATIENCE_MS; ; ) {
    const found = look();
    if (found !== null) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${PATIENCE_MS} ms for ${what}; on screen:\n${capture()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

const hear = (text: string): Promise<string> =>
  until(`the holder to say ${text}`, () => {
    const at = heard.findIndex((line) => line.startsWith(text));
    return at < 0 ? null : (heard.splice(at, 1)[0] ?? '');
  });

async function ask(...paths: string[]): Promise<void> {
  for (const path of paths) {
    holder.stdin?.write(`${path}\n`);
    await hear(`answered ${path}`);
  }
}

function tmux(...args: string[]): string {
  return spawnSync('tmux', [...TMUX, ...args], { encoding: 'utf8' }).stdout;
}

function capture(): string {
  return tmux('capture-pane', '-p', '-t', 'w');
}

/** The terminal's settings before and after stand on screen, the exit code between them. */
/** Nothing crosses here: connections of the test before may still be closing. */
const silence = 'udp port 9';

function start(words = '', columns = 100, rows = 30): void {
  const command = `before=$(stty -g); env LC_ALL=C.UTF-8 nsenter -t ${holderPid} -n ${process.execPath} ${cli} watch --live -i lo ${words}; echo "exit code $?"; [ "$before" = "$(stty -g)" ] && echo same terminal; exec cat`;
  const place = ['-x', String(columns), '-y', String(rows), '-P', '-F', '#{pid}'];
  tmuxPid = Number(tmux('-u', 'new-session', '-d', '-s', 'w', ...place, command));
  expect(tmuxPid).toBeGreaterThan(0);
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

function keys(...names: string[]): void {
  tmux('send-keys', '-t', 'w', ...names);
}

function type(text: string): void {
  tmux('send-keys', '-t', 'w', '-l', text);
}

const shows = (pattern: RegExp): Promise<string> =>
  until(`${pattern}`, () => {
    const screen = capture();
    return pattern.test(screen) ? screen : null;
  });

const hides = (pattern: RegExp): Promise<string> =>
  until(`${pattern} to go`, () => {
    const screen = capture();
    return pattern.test(screen) ? null : screen;
  });

/** Everything below the pane's shell. */
function below(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' });
  const children = stdout
    .split('\n')
    .map(Number)
    .filter((child) => child > 0);
  return children.flatMap((child) => [child, ...below(child)]);
}

describe.skipIf(lab.missing)('watch --live', () => {
  // An idle connection of the test before would send keep-alives, and the server ends it after five seconds.
  beforeEach(async () => {
    holder.stdin?.write('hush\n');
    await hear('hushed');
  });

  beforeAll(async () => {
    holder = spawn('unshare', ['-n', process.execPath, '-e', HOLDER], { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: holder.stdout! }).on('line', (line) => heard.push(line));
    holderPid = Number((await hear('ready')).split(' ')[1]);
  });
  afterEach(() => {
    tmux('kill-server');
    // A server that is on its way out still takes the next command, and loses it.
    return until('tmux to end', () => (isGone(tmuxPid) ? true : null));
  });
  afterAll(() => {
    holder.stdin?.end();
    rmSync(folder, { recursive: true, force: true });
  });

  it('shows what is said, stands still when paused, and scrolls back', async () => {
    start();
    await shows(/No packets yet on lo/);
    await ask('/first', '/bad');
    await shows(/GET \/first[\s\S]*500 Internal Server Error/);
    const [client, server] = [`127\\.0\\.0\\.1:\\d+ node\\[${holderPid}\\]`, `:8080 +node\\[${holderPid}\\]`];
    await shows(new RegExp(`http +${client} → ${server}`));
    keys('Space');
    await shows(/PAUSED/);
    await ask('/second', '/third');
    expect(await shows(/PAUSED {2}\+[1-9]\d* new/)).not.toContain('/second');
    keys('Space');
    await shows(/GET \/third/);
    keys('Home');
    await ask(...Array.from({ length: 12 }, (_, i) => `/more${i}`));
    expect(await shows(/↓ [1-9]\d* more/)).not.toContain('/more11');
    keys('End');
    await shows(/GET \/more11/);
  });

  it('opens a packet field by field, filters, and follows with secrets masked', async () => {
    start('', 130, 40);
    await shows(/No packets yet/);
    await ask('/detail', '/bad');
    await shows(/GET \/detail[\s\S]*500 Internal/);
    keys('/');
    type('http.path == "/detail" and request');
    await shows(/Packets 1 /);
    keys('Enter', 'Enter');
    const detail = await shows(/▾ TCP \d+ > 8080 PSH ACK/);
    expect(detail).toMatch(/0000 {2}00 00 00 00/);
    expect(detail).toContain('GET /detail');
    expect(detail).not.toContain('verysecret');
    keys('f');
    const talk = await shows(/GET \/detail HTTP\/1\.1\s+authorization: \*+/);
    expect(talk).toMatch(/── .*127\.0\.0\.1:8080 → 127\.0\.0\.1:\d+[\s\S]*answer to \/detail/);
    keys('Escape');
    keys('Escape');
    await shows(/Packets [1-9]\d /);
    keys('m');
    await shows(/Messages [1-9]/);
    keys('Enter');
    await shows(/reason +Internal Server Error/);
  });

  it.each([
    ['q', 'q'],
    ['Ctrl-C', 'C-c'],
  ])('gives the terminal back after %s, says what it saw, and leaves no process', async (_, key) => {
    start('', 80, 24);
    await shows(/No packets yet/);
    await ask('/last');
    await shows(/GET \/last/);
    const running = below(Number(tmux('display', '-p', '-t', 'w', '#{pane_pid}')));
    expect(running.length).toBeGreaterThan(0);
    keys(key);
    const after = await shows(/\d+ packets, 0 lost\s+exit code 0\s+same terminal/);
    expect(after).not.toContain('Connections');
    expect(tmux('display', '-p', '-t', 'w', '#{alternate_on} #{cursor_flag} #{wrap_flag}').trim()).toBe(
      '0 1 1',
    );
    await until('its processes to end', () => (running.every(isGone) ? true : null));
  });

  it('says when the terminal is too small, and fills it when it grows', async () => {
    start(silence, 30, 8);
    await shows(/Too small: 40 columns/);
    tmux('resize-window', '-t', 'w', '-x', '100', '-y', '30');
    await hides(/Too small/);
    await shows(/Connections 0[\s\S]*q quit/);
  });

  it('is coloured, and under NO_COLOR is not', async () => {
    const colour = new RegExp(`${'\x1b'}\\[[\\d;]*3[0-7]m`, 'g');
    tmuxPid = 0;
    for (const [environment, coloured] of [
      ['-u CI -u NO_COLOR', true],
      ['-u CI -u FORCE_COLOR NO_COLOR=1', false],
    ] as const) {
      const command = `env ${environment} LC_ALL=C.UTF-8 nsenter -t ${holderPid} -n ${process.execPath} ${cli} watch --live -i lo ${silence}; exec cat`;
      tmuxPid = Number(
        tmux('-u', 'new-session', '-d', '-s', 'w', '-x', '100', '-y', '30', '-P', '-F', '#{pid}', command),
      );
      await shows(/No packets yet/);
      const found = tmux('capture-pane', '-e', '-p', '-t', 'w').match(colour)?.length ?? 0;
      expect(found > 3).toBe(coloured);
      tmux('kill-session', '-t', 'w');
      await until('tmux to end', () => (isGone(tmuxPid) ? true : null));
    }
  });
});
