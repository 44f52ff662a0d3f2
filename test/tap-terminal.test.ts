/** The keys of `sockscope tap` in a real terminal (tmux), between redis-cli and a real Redis. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { needs } from './needs.ts';

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const lab = needs('linux', 'tmux', 'redis-server', 'redis-cli');
const folder = lab.missing === null ? mkdtempSync(join(tmpdir(), 'sockscope-tap-terminal-')) : '';
/** Each test its own server: one that is on its way out still takes the next command, and loses it. */
let servers = 0;
const PATIENCE_MS = 20_000;
const LOOK_EVERY_MS = 50;

let redis: ChildProcess;
let redisPort = 0;
let tapPort = 0;
const tmuxPids: number[] = [];

async function until<T>(what: string, look: () => T | null | Promise<T | null>): Promise<T> {
  for (const end = Date.now() + PATIENCE_MS; ; ) {
    const found = await look();
    if (found !== null) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${PATIENCE_MS} ms for ${what}; on screen:\n${capture()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function answers(port: number): Promise<true | null> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(null));
  });
}

function tmux(...args: string[]): string {
  return spawnSync('tmux', ['-S', join(folder, `tmux${servers}`), '-f', '/dev/null', ...args], {
    encoding: 'utf8',
  }).stdout;
}

const capture = (): string => tmux('capture-pane', '-p', '-t', 'w', '-S', '-200').trimEnd();
const lastLine = (): string => capture().split('\n').at(-1) ?? '';
const keys = (...names: string[]): string => tmux('send-keys', '-t', 'w', ...names);
const panePid = (): number => Number(tmux('display', '-p', '-t', 'w', '#{pane_pid}'));

const shows = (pattern: RegExp): Promise<string> =>
  until(`${pattern}`, () => {
    const screen = capture();
    return pattern.test(screen) ? screen : null;
  });

interface Start {
  readonly options?: string;
  readonly environment?: string;
  readonly columns?: number;
}

/** The terminal's settings before and after are compared on screen, below the exit code. */
async function start({ options = '', environment = '', columns = 80 }: Start = {}): Promise<void> {
  tapPort = await freePort();
  const tap = `env -u VISUAL -u EDITOR ${environment} LC_ALL=C.UTF-8 ${process.execPath} ${cli} tap ${tapPort} 127.0.0.1:${redisPort} ${options}`;
  const command = `before=$(stty -g); ${tap}; echo "exit code $?"; [ "$before" = "$(stty -g)" ] && echo same terminal; exec cat`;
  const place = ['-x', String(columns), '-y', '40', '-P', '-F', '#{pid}'];
  tmuxPids.push(Number(tmux('-u', 'new-session', '-d', '-s', 'w', ...place, command)));
  expect(tmuxPids.at(-1)).toBeGreaterThan(0);
  await shows(/^keys: /m);
}

interface Asked {
  readonly answer: Promise<string>;
  readonly process: ChildProcess;
  readonly answered: () => boolean;
}

function ask(port: number, ...words: string[]): Asked {
  const child = spawn('redis-cli', ['-p', String(port), ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  let over = false;
  child.stdout.on('data', (data) => {
    text += data;
  });
  const answer = new Promise<string>((resolve) => {
    child.on('close', () => {
      over = true;
      resolve(text.trim());
    });
  });
  return { answer, process: child, answered: () => over };
}

const through = (...words: string[]): Asked => ask(tapPort, ...words);
const direct = (...words: string[]): Promise<string> => ask(redisPort, ...words).answer;

function script(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

const HOLD = `--hold 'redis.command == "DEL" or redis.command == "SET"'`;

describe.skipIf(lab.missing)('tap in a terminal', () => {
  beforeAll(async () => {
    redisPort = await freePort();
    const words = ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--dir', folder];
    redis = spawn('redis-server', words, { stdio: 'ignore' });
    await until('redis to answer', () => answers(redisPort));
  });
  afterEach(() => {
    tmux('kill-server');
    servers++;
  });
  afterAll(async () => {
    await until('tmux to end', () => (tmuxPids.every(isGone) ? true : null));
    redis.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  describe('the keys of tap', () => {
    it('switch between messages and bytes, add hex and fields, and print the statistics so far', async () => {
      await start();
      await direct('SET', 'color', 'blue');
      expect(await through('GET', 'color').answer).toBe('blue');
      await shows(/→ redis {2}GET color[\s\S]*← redis {2}"blue" {2}.* after GET/);
      keys('l');
      await shows(/now bytes/);
      await through('GET', 'color').answer;
      await shows(/→ 24 B\n[\s\S]*← 10 B\n/);
      keys('x');
      await shows(/now with hex/);
      await through('GET', 'color').answer;
      await shows(/00000000 {2}2a 32 0d 0a .*\|\*2\.\.\$3\.\.GET/);
      keys('x', 'l', 'v');
      await shows(/now with fields/);
      await through('GET', 'color').answer;
      await shows(/ {17}command {2}GET\n {17}args {5}\["color"\]/);
      keys('s');
      await shows(/^4 connections, .*\n +messages +asked[\s\S]*^redis +GET +4 +4 /m);
    });

    it('pause the lines, count them, and lose none', async () => {
      await start();
      keys('Space');
      await shows(/^paused {3}space goes on$/m);
      for (const name of ['one', 'two', 'three']) {
        await through('GET', name).answer;
      }
      await until('twelve lines to wait', () => (/^paused … 12 more/.test(lastLine()) ? true : null));
      expect(capture()).not.toContain('GET one');
      keys('Space');
      const screen = await shows(/GET three/);
      expect(screen).toMatch(/GET one[\s\S]*GET two/);
      expect(screen).not.toContain('paused');
      keys('?');
      await shows(/^keys: l bytes · x hex · v fields · space pause · s summary · c clear · q end$/m);
      keys('c');
      await until('an empty screen', () =>
        tmux('capture-pane', '-p', '-t', 'w').trim() === '' ? true : null,
      );
    });

    it.each([
      ['q', () => keys('q'), 0],
      ['Ctrl-C', () => keys('C-c'), 0],
      [
        'SIGTERM',
        () => {
          const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(panePid())], {
            encoding: 'utf8',
          });
          process.kill(Number(stdout.trim().split('\n')[0]), 'SIGTERM');
        },
        0,
      ],
    ] as const)('end it with the summary and the terminal as it was: %s', async (_, end, code) => {
      await start({ options: HOLD });
      const held = through('DEL', 'nothing');
      await shows(/^held 1: /m);
      end();
      const screen = await shows(
        new RegExp(`^1 connection, [\\s\\S]*exit code ${code}\\nsame terminal`, 'm'),
      );
      expect(screen).not.toMatch(/g go ·/);
      expect(tmux('display', '-p', '-t', 'w', '#{cursor_flag}').trim()).toBe('1');
      await held.answer;
    });

    it('are the shell’s while it is stopped, and come back', async () => {
      tapPort = await freePort();
      tmuxPids.push(
        Number(
          tmux(
            '-u',
            'new-session',
            '-d',
            '-s',
            'w',
            '-x',
            '80',
            '-y',
            '40',
            '-P',
            '-F',
            '#{pid}',
            'bash --norc',
          ),
        ),
      );
      tmux(
        'send-keys',
        '-t',
        'w',
        '-l',
        `PS1='shell> '; LC_ALL=C.UTF-8 ${process.execPath} ${cli} tap ${tapPort} ${redisPort}\n`,
      );
      await shows(/^keys: /m);
      keys('C-z');
      await shows(/stopped[\s\S]*shell>$/m);
      tmux('send-keys', '-t', 'w', '-l', 'stty -a | grep -o " icanon"; fg\n');
      await shows(/^ icanon$/m);
      expect(await through('GET', 'x').answer).toBe('');
      await shows(/GET x/);
      keys('C-z');
      await shows(/shell>$/);
      tmux('send-keys', '-t', 'w', '-l', 'bg\n');
      await shows(/shell>$/);
      expect(await through('GET', 'y').answer).toBe('');
      await shows(/GET y/);
      tmux('send-keys', '-t', 'w', '-l', 'fg\n');
      await until('its keys to be read again', () => {
        keys('?');
        return /q end/.test(capture()) ? true : null;
      });
      keys('q');
      await shows(/^2 connections, [\s\S]*shell>$/m);
    });
  });

  describe('held messages in the terminal', () => {
    it('wait until they are let go, one by one or all, while others pass above the status line', async () => {
      await start({ options: HOLD });
      const first = through('DEL', 'a');
      await shows(/^held 1: #1 → redis DEL a {3}g go · e edit · d drop$/m);
      const second = through('SET', 'b', '2');
      await shows(/^held 1 \+1: #1 → redis DEL a {3}.* n next · G all$/m);
      expect(await through('PING').answer).toBe('PONG');
      await shows(/→ redis {2}PING[\s\S]*\nheld 1 \+1: [^\n]*$/);
      expect([first.answered(), second.answered(), await direct('EXISTS', 'b')]).toEqual([false, false, '0']);
      keys('n');
      await shows(/^held 2 \+1: #2 → redis SET b 2/m);
      keys('g');
      expect(await second.answer).toBe('OK');
      expect(first.answered()).toBe(false);
      keys('G');
      expect(await first.answer).toBe('0');
      await shows(/all let go/);
      expect(await through('SET', 'c', '3').answer).toBe('OK');
      expect(capture()).not.toContain('held 3');
      keys('G');
      await shows(/held again/);
      const last = through('DEL', 'c');
      await shows(/^held 4: /m);
      keys('g');
      expect(await last.answer).toBe('1');
    });

    it('get no answer when they are dropped', async () => {
      await direct('SET', 'keep', 'me');
      await start({ options: HOLD });
      const dropped = through('DEL', 'keep');
      await shows(/^held 1: /m);
      keys('d');
      await shows(/held 1: dropped/);
      expect(await through('GET', 'keep').answer).toBe('me');
      expect(dropped.answered()).toBe(false);
      dropped.process.kill();
      await dropped.answer;
    });

    it('arrive as they were edited, with their lengths right, and leave no file behind', async () => {
      const seen = join(folder, 'seen');
      const editor = script(
        'editor',
        `stat -c %a "$1" > ${seen}; cat "$1" >> ${seen}; sed -i 's/^SET.*/SET color "dark green"/' "$1"`,
      );
      await start({ options: HOLD, environment: `EDITOR=${editor} TMPDIR=${folder}`, columns: 120 });
      const edited = through('SET', 'color', 'a\r\nb é');
      await shows(/^held 1: /m);
      keys('e');
      expect(await edited.answer).toBe('OK');
      expect(await direct('GET', 'color')).toBe('dark green');
      await shows(/→ redis {2}SET color "dark green"/);
      expect(spawnSync('cat', [seen], { encoding: 'utf8' }).stdout).toMatch(
        /^600\n# held 1: redis SET from the client of #1; .*\n# .*\nSET color "a\\r\\nb é"\n$/,
      );
      expect(readdirSync(folder).filter((name) => name.startsWith('sockscope-edit'))).toEqual([]);
    });

    it('stay held when what was written cannot be read, and the editor opens it again', async () => {
      const editor = script(
        'clumsy',
        `if grep -q '^SET a "open' "$1"; then sed -i 's/"open/"closed"/' "$1"; else sed -i 's/^SET.*/SET a "open/' "$1"; fi`,
      );
      await start({ options: HOLD, environment: `EDITOR=${editor}` });
      const edited = through('SET', 'a', '1');
      await shows(/^held 1: /m);
      keys('e');
      await shows(/held 1: a quote is not closed.*\n?e opens what you wrote again/);
      expect(edited.answered()).toBe(false);
      keys('e');
      expect(await edited.answer).toBe('OK');
      expect(await direct('GET', 'a')).toBe('closed');
    });

    it('stay held when the editor changes nothing or fails', async () => {
      await start({ options: HOLD, environment: 'EDITOR=true' });
      const held = through('SET', 'a', '1');
      await shows(/^held 1: /m);
      keys('e');
      await shows(/nothing changed, it stays held/);
      expect(lastLine()).toMatch(/^held 1: /);
      keys('g');
      expect(await held.answer).toBe('OK');
    });

    it('take their editor and its file with them when the tap is ended from outside', async () => {
      const editor = script('waits', `echo "editor $$ of $PPID"; exec sleep 60`);
      await start({ options: HOLD, environment: `EDITOR=${editor} TMPDIR=${folder}` });
      const held = through('SET', 'a', '1');
      await shows(/^held 1: /m);
      keys('e');
      const [, pid, tap] = /editor (\d+) of (\d+)/.exec(await shows(/editor \d+ of \d+/))!;
      process.kill(Number(tap), 'SIGTERM');
      await shows(/^1 connection, [\s\S]*exit code 0\nsame terminal/m);
      await until('the editor to end', () => (isGone(Number(pid)) ? true : null));
      expect(readdirSync(folder).filter((name) => name.startsWith('sockscope-edit'))).toEqual([]);
      await held.answer;
    });

    it('are edited in the status line where there is no editor', async () => {
      const node = join(folder, 'bin');
      spawnSync('mkdir', ['-p', node]);
      await start({ options: HOLD, environment: `PATH=${node}` });
      const held = through('SET', 'a', '1');
      await shows(/^held 1: /m);
      keys('e');
      await shows(/^edit 1: SET a 1$/m);
      keys('BSpace');
      tmux('send-keys', '-t', 'w', '-l', '"größe q"');
      await shows(/^edit 1: SET a "größe q"$/m);
      keys('Enter');
      expect(await held.answer).toBe('OK');
      expect(await direct('--raw', 'GET', 'a')).toBe('größe q');
    });
  });

  describe('held messages without a terminal', () => {
    it('are refused, because nobody could let them go', () => {
      const { status, stderr } = spawnSync(
        process.execPath,
        [cli, 'tap', String(redisPort), '--hold', 'redis'],
        {
          encoding: 'utf8',
        },
      );
      expect(status).toBe(2);
      expect(stderr).toMatch(/--hold needs a terminal[\s\S]*--json/);
    });

    it('are released by lines on standard input beside --json, and all go on when that ends', async () => {
      tapPort = await freePort();
      const words = ['tap', String(tapPort), String(redisPort), '--json', '--hold', 'redis.command == "SET"'];
      const tap = spawn(process.execPath, [cli, ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
      const rows: Record<string, unknown>[] = [];
      createInterface({ input: tap.stdout }).on('line', (line) => rows.push(JSON.parse(line)));
      const row = (type: string, id?: number): Promise<Record<string, unknown>> =>
        until(
          `a row ${type}`,
          () => rows.find((one) => one.type === type && (id === undefined || one.id === id)) ?? null,
        );
      try {
        await until('the tap to listen', () => answers(tapPort));
        const first = through('SET', 'j', '1');
        await row('held', 1);
        tap.stdin.write('nonsense\n{"release":77,"verdict":"go"}\n');
        await until('two errors', () =>
          rows.filter(({ type }) => type === 'error').length === 2 ? true : null,
        );
        expect(rows.filter(({ type }) => type === 'error')).toMatchObject([
          { message: 'This line is no JSON.', line: 'nonsense' },
          { message: 'Nothing is held under 77.' },
        ]);
        const base64 = Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nj\r\n$2\r\n42\r\n').toString('base64');
        tap.stdin.write(`${JSON.stringify({ release: 1, verdict: 'edit', base64 })}\n`);
        expect(await first.answer).toBe('OK');
        expect(await row('released', 1)).toMatchObject({ verdict: 'edit' });
        expect(await direct('GET', 'j')).toBe('42');
        const second = through('SET', 'j', '2');
        await row('held', 2);
        tap.stdin.end();
        expect(await second.answer).toBe('OK');
        expect(await row('unheld')).toMatchObject({ why: expect.stringMatching(/standard input has ended/) });
        expect(await through('SET', 'j', '3').answer).toBe('OK');
      } finally {
        tap.kill('SIGTERM');
        await new Promise((resolve) => tap.on('close', resolve));
      }
    });
  });
});
