/** `sockscope ls --watch` in a real terminal (tmux), on real sockets in a network namespace of their own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { needs } from './needs.ts';

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const lab = needs('linux', 'namespace', 'tmux', 'nsenter', 'ip');
/** tmux leaves its socket lying about; in a folder of our own it goes with the folder. */
const folder = lab.missing === null ? mkdtempSync(join(tmpdir(), 'sockscope-watch-')) : '';
const TMUX = ['-S', join(folder, 'tmux'), '-f', '/dev/null'];
const PATIENCE_MS = 20_000;
const LOOK_EVERY_MS = 50;

/** Holds the namespace: a listener with one connection to itself, a second listener in a child, more connections on request. */
const HOLDER = `
const { spawn, spawnSync } = require('node:child_process');
const net = require('node:net');
spawnSync('ip', ['link', 'set', 'lo', 'up']);
const accepted = [];
const server = net.createServer((c) => { c.on('error', (e) => console.log('error', e.code)); c.resume(); accepted.push(c); });
let open = [];
const connect = (then) => { const c = net.connect(8080, '127.0.0.1', () => then(c)); c.on('error', (e) => console.log('error', e.code)); open.push(c); };
const child = spawn(process.execPath, ['-e', "require('node:net').createServer().listen(9090, '127.0.0.1', () => console.log('listening'))"], { stdio: ['ignore', 'pipe', 'inherit'] });
child.on('exit', (code, signal) => console.log('child ended', signal));
child.stdout.once('data', () => server.listen(8080, '127.0.0.1', () => connect(() => console.log('ready', process.pid, child.pid))));
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'open') connect((c) => console.log('opened', c.localPort));
  if (line === 'reset') { const c = open.pop(); c.resetAndDestroy(); console.log('reset'); }
  if (line === 'write') { open[0].write(Buffer.alloc(200000)); console.log('written'); }
}).on('close', () => { child.kill('SIGKILL'); process.exit(); });
`;

let holder: ChildProcess;
let holderPid = 0;
let childPid = 0;
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

const hear = (pattern: RegExp): Promise<RegExpExecArray> =>
  until(`the holder to say ${pattern}`, () => {
    const at = heard.findIndex((line) => pattern.test(line));
    return at < 0 ? null : pattern.exec(heard.splice(at, 1)[0] ?? '');
  });

function tell(word: string): void {
  holder.stdin?.write(`${word}\n`);
}

function tmux(...args: string[]): string {
  return spawnSync('tmux', [...TMUX, ...args], { encoding: 'utf8' }).stdout;
}

function capture(): string {
  return tmux('capture-pane', '-p', '-t', 'w');
}

/** Runs `sockscope ls …` inside the holder's namespace, then says its exit code and keeps the shell open. */
function start(words: string, columns = 110, rows = 30, environment = 'CI=true'): void {
  const inside = `nsenter -t ${holderPid} -U -n --preserve-credentials`;
  // CI=true on purpose: a terminal is a terminal, wherever it stands.
  const command = `env ${environment} LC_ALL=C.UTF-8 ${inside} ${process.execPath} ${cli} ls ${words}; echo "exit code $?"; stty -a; exec cat`;
  const place = ['-x', String(columns), '-y', String(rows), '-P', '-F', '#{pid}'];
  tmuxPid = 0;
  // The server of the test before may still be on its way out, and takes no new session then.
  for (const end = Date.now() + PATIENCE_MS; tmuxPid === 0 && Date.now() < end; ) {
    tmuxPid = Number(tmux('-u', 'new-session', '-d', '-s', 'w', ...place, command));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, tmuxPid === 0 ? LOOK_EVERY_MS : 0);
  }
  expect(tmuxPid).toBeGreaterThan(0);
}

let tmuxPid = 0;

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

describe.skipIf(lab.missing)('ls --watch', () => {
  beforeAll(async () => {
    holder = spawn('unshare', ['-Urn', process.execPath, '-e', HOLDER], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface({ input: holder.stdout! }).on('line', (line) => heard.push(line));
    const ready = await hear(/^ready (\d+) (\d+)/);
    holderPid = Number(ready[1]);
    childPid = Number(ready[2]);
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

  it('shows every socket with its owner, headings above their cells, and the counts below', async () => {
    start('-tp --watch 0.3');
    const screen = await shows(/4 sockets[\s\S]*ESTABLISHED 2 {3}LISTEN 2/);
    const lines = screen.split('\n');
    const head = lines.find((line) => line.includes('PROTO')) ?? '';
    const row = lines.find((line) => line.includes('127.0.0.1:9090')) ?? '';
    expect(row.indexOf('LISTEN')).toBe(head.indexOf('STATE'));
    expect(row.indexOf('127.0.0.1:9090')).toBe(head.indexOf('LOCAL'));
    expect(row.indexOf('accept 0/')).toBe(head.indexOf('QUEUES'));
    expect(row.indexOf('node')).toBe(head.indexOf('PROGRAM'));
    expect(row.indexOf(String(childPid)) + String(childPid).length).toBe(head.indexOf('PID') + 3);
    expect(screen).toMatch(/every 300 ms/);
  });

  it('marks a connection that comes, and one that goes', async () => {
    start('-t --watch 0.3');
    await shows(/4 sockets/);
    tell('open');
    const [, port] = await hear(/^opened (\d+)/);
    await shows(new RegExp(`\\+ tcp +ESTABLISHED +127.0.0.1:8080 +127.0.0.1:${port}`));
    await shows(/6 sockets/);
    tell('reset');
    await shows(new RegExp(`- tcp +ESTABLISHED +127.0.0.1:8080 +127.0.0.1:${port}`));
    await hides(new RegExp(`127.0.0.1:${port}`));
  });

  it('filters as one types; a filter that makes no sense yet points at the place and keeps the last good table', async () => {
    start('-t --watch 0.3');
    await shows(/4 sockets/);
    keys('/');
    type(':9090');
    const one = await shows(/1 socket\b/);
    expect(one).not.toContain(':8080 ');
    type(' and )');
    const bad = (await shows(/\^ '\)' cannot stand here/)).split('\n');
    const typed = bad.findIndex((line) => line.startsWith('filter :9090 and )'));
    expect(bad[typed + 1]?.indexOf('^')).toBe(bad[typed]?.indexOf(')'));
    expect(bad.join('\n')).toMatch(/LISTEN +127.0.0.1:9090/);
    keys('BSpace');
    type('sport = :9090');
    keys('Enter');
    await shows(/filter :9090 and sport = :9090 {2}Esc shows all/);
    keys('Escape');
    await shows(/4 sockets/);
  });

  it('says in a sentence that nothing matches', async () => {
    start('-t --watch 0.3 :4321');
    await shows(/No socket matches `:4321`: Esc shows all of them, \/ changes the filter\./);
  });

  it('sorts by any column, both ways, and the cursor moves', async () => {
    start('-tp --watch 0.3 state listening');
    const ports = (screen: string): string[] =>
      [...screen.matchAll(/LISTEN +127.0.0.1:(\d+)/g)].map((m) => m[1] ?? '');
    expect(ports(await shows(/STATE ▲[\s\S]*:9090/))).toEqual(['8080', '9090']);
    keys('3');
    expect(ports(await shows(/LOCAL ▲/))).toEqual(['8080', '9090']);
    keys('r');
    expect(ports(await shows(/LOCAL ▼/))).toEqual(['9090', '8080']);
    keys('s');
    await shows(/PEER ▲/);
    keys('j');
    await shows(/› {2}tcp[^\n]*:9090/);
    keys('k');
    await shows(/› {2}tcp[^\n]*:8080/);
  });

  it('opens everything about one socket, and plots it while it is open', async () => {
    start("-tp --watch 0.2 'state established dport = :8080'");
    await shows(/1 socket\b/);
    keys('Enter');
    const pane = await shows(/over the last [3-9] readings/);
    expect(pane).toMatch(new RegExp(`process +node +pid ${holderPid} +fd \\d+`));
    expect(pane).toMatch(/round trip +[\d.]+ [µm]?s +[▁▂▃▄▅▆▇█]{3}/);
    expect(pane).toMatch(/cwnd +\d+ +[▁▂▃▄▅▆▇█]{3}/);
    expect(pane).toMatch(/retransmits +\+0/);
    tell('write');
    await shows(/acknowledged +[1-9][\d.]* [kM]?bit\/s/);
    keys('Escape');
    await shows(/PROTO/);
  });

  it('asks before it ends a listener, does nothing on no, and ends it on yes', async () => {
    start('-tp --watch 0.3 :9090');
    await shows(/1 socket\b/);
    keys('K');
    await shows(new RegExp(`End node \\(pid ${childPid}\\), listening on 127.0.0.1:9090\\?`));
    keys('n');
    await shows(/\/ filter/);
    expect(heard.filter((line) => line.startsWith('child ended'))).toEqual([]);
    keys('K');
    await shows(/End node/);
    keys('y');
    await hear(/^child ended SIGTERM/);
    await shows(/No socket matches/);
  });

  it('asks before it destroys a connection, and both programs notice', async () => {
    tell('open');
    const [, port] = await hear(/^opened (\d+)/);
    start(`-tp --watch 0.3 'sport = :${port}'`);
    await shows(/1 socket\b/);
    keys('x');
    await shows(new RegExp(`Destroy 127.0.0.1:${port} → 127.0.0.1:8080\\?`));
    keys('y');
    await hear(/^error ECONN(ABORTED|RESET)/);
    await hear(/^error ECONN(ABORTED|RESET)/);
    await shows(/No socket matches/);
  });

  it('explains its keys and stands still when asked to', async () => {
    start('-t --watch 0.2');
    await shows(/\d sockets/);
    keys('?');
    await shows(/one row up, down[\s\S]*Any key closes this/);
    keys('?');
    await shows(/PROTO/);
    keys('p');
    await shows(/PAUSED/);
    keys('p');
    await hides(/PAUSED/);
  });

  it('fits a small terminal, a tiny one, and one that grows again', async () => {
    start('-t --watch 0.2', 40, 10);
    const small = await shows(/\d sockets/);
    expect(small).toMatch(/STATE ▲ +LOCAL/);
    expect(small).toMatch(/q quit/);
    tmux('resize-window', '-t', 'w', '-x', '12', '-y', '3');
    await shows(/^sockscope/);
    tmux('resize-window', '-t', 'w', '-x', '120', '-y', '30');
    const large = await shows(/PROGRAM +PID/);
    expect(large).toMatch(/q quit/);
    expect(large.match(/sockscope/g)).toHaveLength(1);
  });

  it('is coloured, and under NO_COLOR is not', async () => {
    const colour = new RegExp(`${'\x1b'}\\[[\\d;]*3[0-7]m`, 'g');
    const colours = (): number => tmux('capture-pane', '-e', '-p', '-t', 'w').match(colour)?.length ?? 0;
    start('-t --watch 0.2', 110, 30, '-u CI -u NO_COLOR');
    await shows(/\d sockets/);
    expect(colours()).toBeGreaterThan(3);
    tmux('kill-session', '-t', 'w');
    start('-t --watch 0.2', 110, 30, '-u CI -u FORCE_COLOR NO_COLOR=1');
    await shows(/\d sockets/);
    expect(colours()).toBe(0);
  });

  it('takes a Ctrl-C that comes with the first frame as a key, not as a signal to the whole shell line', async () => {
    start('-t --watch 0.2');
    const end = Date.now() + PATIENCE_MS;
    // No pause between looks: the window is a few milliseconds.
    while (tmux('display', '-p', '-t', 'w', '#{alternate_on}').trim() !== '1' && Date.now() < end);
    keys('C-c');
    await shows(/exit code 0/);
  });

  it.each([
    ['q', () => keys('q'), 0],
    ['Ctrl-C', () => keys('C-c'), 0],
    ['SIGTERM', () => process.kill(screenPid(), 'SIGTERM'), 143],
  ])('gives the terminal back after %s', async (_, leave, code) => {
    start('-t --watch 0.2');
    await shows(/\d sockets/);
    expect(tmux('display', '-p', '-t', 'w', '#{alternate_on} #{cursor_flag}').trim()).toBe('1 0');
    leave();
    const after = await shows(/exit code[\s\S]* echo /);
    expect(after).toContain(`exit code ${code}`);
    expect(after).toMatch(/ icanon /);
    expect(after).not.toMatch(/sockets/);
    expect(tmux('display', '-p', '-t', 'w', '#{alternate_on} #{cursor_flag} #{wrap_flag}').trim()).toBe(
      '0 1 1',
    );
  });
});

/** The program itself: the last process below the pane's shell. */
function screenPid(): number {
  let pid = Number(tmux('display', '-p', '-t', 'w', '#{pane_pid}'));
  for (let child = pid; child > 0; ) {
    pid = child;
    child = Number(
      spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' }).stdout.trim(),
    );
  }
  return pid;
}

describe.skipIf(needs('linux').missing)('ls --watch elsewhere', () => {
  it('is a usage error where there is no terminal, and says what to do instead', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'ls', '--watch'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/terminal/);
    expect(stderr).toMatch(/--json/);
  });
});
