/** `sockscope watch` as lines, on real traffic in a network namespace of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { speaksTheVocabulary } from '../src/session/events.contract.ts';
import type { Entry } from '../src/session/events.ts';
import { decode } from '../src/session/ndjson.ts';
import { needs } from './needs.ts';

const cli = new URL('../dist/cli.js', import.meta.url).pathname;
const lab = needs('linux', 'root', 'unshare', 'nsenter', 'setpriv', 'ip', 'redis-server');
const folder = lab.missing === null ? mkdtempSync(join(tmpdir(), 'sockscope-watch-lines-')) : '';
const PATIENCE_MS = 15_000;
/** The column of /proc/net/packet. */
const RUNNING = 5;

/**
 * Holds the namespace. Of what it is told, `get` asks Redis over one lasting connection; `fin` and `reset` are answered by a server
 * that closes first, properly or not; `port` connects where nobody listens.
 */
const HOLDER = `
const net = require('node:net');
const { spawn, spawnSync } = require('node:child_process');
spawnSync('ip', ['link', 'set', 'lo', 'up']);
spawnSync('ip', ['link', 'add', 'dum0', 'type', 'veth', 'peer', 'name', 'dum1']);
spawnSync('ip', ['link', 'set', 'dum0', 'up']);
const redis = spawn('redis-server', ['--port', '6379', '--bind', '127.0.0.1', '--save', '', '--dir', process.argv[1]], { stdio: 'ignore' });
const server = net.createServer((c) => {
  c.on('error', () => {}).on('data', (data) => (String(data) === 'fin' ? c.end() : c.resetAndDestroy()));
}).listen(7000, '127.0.0.1');
let client;
const tryRedis = () => {
  client = net.connect(6379, '127.0.0.1');
  client.on('error', () => setTimeout(tryRedis, 20)).on('connect', () => {
    client.on('data', (data) => console.log('answered', JSON.stringify(String(data))));
    console.log('ready', process.pid, redis.pid);
  });
};
tryRedis();
const once = (port, said) => {
  const c = net.connect(port, '127.0.0.1', () => c.write(said));
  c.on('error', () => {}).on('data', () => {}).on('close', () => console.log('over', said));
};
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  if (line.startsWith('get ')) client.write('GET ' + line.slice(4) + '\\r\\n');
  if (line === 'fin' || line === 'reset') once(7000, line);
  if (line === 'nobody') once(7001, line);
  if (line === 'gone') { spawnSync('ip', ['link', 'del', 'dum0']); console.log('over gone'); }
}).on('close', () => { redis.kill('SIGKILL'); process.exit(); });
`;

let holder: ChildProcess;
let holderPid = 0;
let redisPid = 0;
const heard: string[] = [];
const started: ChildProcess[] = [];

async function until<T>(what: string, look: () => T | null): Promise<T> {
  for (const end = Date.now() + PATIENCE_MS; ; ) {
    const found = look();
    if (found !== null) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${PATIENCE_MS} ms for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function tell(line: string, answer: string): Promise<void> {
  holder.stdin?.write(`${line}\n`);
  await until(`the holder to say ${answer}`, () => {
    const at = heard.findIndex((one) => one.startsWith(answer));
    return at < 0 ? null : heard.splice(at, 1);
  });
}

interface Watcher {
  readonly process: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** The exit status, once it has ended. */
  readonly ended: Promise<number | null>;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

function start(...words: string[]): Watcher {
  const inside = ['-t', String(holderPid), '-n', process.execPath, cli, 'watch', ...words];
  const child = spawn('nsenter', inside, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', TZ: 'UTC' },
  });
  let out = '';
  let error = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    error += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  started.push(child);
  return {
    process: child,
    stdout: () => out,
    stderr: () => error,
    ended,
    stop(signal = 'SIGINT') {
      child.kill(signal);
      return ended;
    },
  };
}

/** The watcher listens: its packet socket in the holder's namespace is bound, the last step of opening its ring. */
async function listening(): Promise<void> {
  await until('a packet socket that runs', () => {
    const rows = readFileSync(`/proc/${holderPid}/net/packet`, 'utf8').trim().split('\n').slice(1);
    return rows.some((row) => row.trim().split(/\s+/)[RUNNING] === '1') ? rows : null;
  });
}

async function watched(words: readonly string[], traffic: () => Promise<void>): Promise<Watcher> {
  const watcher = start(...words);
  await listening();
  await traffic();
  return watcher;
}

const get = (key: string): Promise<void> => tell(`get ${key}`, 'answered');

describe.skipIf(lab.missing)('watch', () => {
  beforeAll(async () => {
    holder = spawn('unshare', ['-n', process.execPath, '-e', HOLDER, folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface({ input: holder.stdout! }).on('line', (line) => heard.push(line));
    const ready = await until('the holder', () => {
      const line = heard.find((one) => one.startsWith('ready'));
      return line === undefined ? null : line.split(' ');
    });
    holderPid = Number(ready[1]);
    redisPid = Number(ready[2]);
  });
  afterAll(async () => {
    for (const child of started.filter(({ exitCode }) => exitCode === null)) {
      child.kill('SIGKILL');
    }
    const over = new Promise((resolve) => holder.once('close', resolve));
    holder.stdin?.end();
    await over;
    rmSync(folder, { recursive: true, force: true });
  });

  it('-m shows a GET, its reply with the time it took, and who holds both ends; Ctrl-C ends it with status 0', async () => {
    const watcher = await watched(['-m'], () => get('user:7'));
    expect(await watcher.stop()).toBe(0);
    const ends = `127\\.0\\.0\\.1:\\d+ node\\[${holderPid}\\] (→|←) 127\\.0\\.0\\.1:6379 redis-server\\[${redisPid}\\]`;
    const lines = watcher.stdout().trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(new RegExp(`^\\d\\d:\\d\\d:\\d\\d\\.\\d{6}  ${ends}  redis  GET user:7$`));
    expect(lines[1]).toMatch(new RegExp(`^\\S+  ${ends}  redis  nil  [\\d.]+ (µs|ms) after GET$`));
    expect(watcher.stderr()).toBe('');
  });

  it('shows every packet of the loopback once', async () => {
    const watcher = await watched(['--json', 'port', '6379'], () => get('once'));
    await watcher.stop();
    const events = watcher.stdout().trimEnd().split('\n').map(decode);
    expect(events.filter(({ ok }) => !ok)).toEqual([]);
    const entries = events.map((event) => (event as { event: Entry }).event);
    speaksTheVocabulary(entries);
    const sent = entries.flatMap((event) =>
      event.type === 'packet' && event.length > 0 ? [event.from] : [],
    );
    expect(sent).toEqual(['client', 'server']);
  });

  it('--connections says who closed and how', async () => {
    const watcher = await watched(
      ['--connections', 'tcp', 'port', '7000', 'or', 'port', '7001'],
      async () => {
        await tell('fin', 'over fin');
        await tell('reset', 'over reset');
        await tell('nobody', 'over nobody');
      },
    );
    expect(await watcher.stop('SIGTERM')).toBe(0);
    expect(
      watcher
        .stdout()
        .trimEnd()
        .split('\n')
        .map((line) => [/#\d/.exec(line)?.[0], line.split('  ').at(-1)]),
    ).toEqual([
      ['#0', 'closed by the server'],
      ['#1', 'reset by the server'],
      ['#2', 'refused by the server'],
    ]);
  });

  it('-c ends it by itself', async () => {
    const watcher = await watched(['-m', '-c', '1'], () => get('first'));
    expect(await watcher.ended).toBe(0);
    expect(watcher.stdout()).toMatch(/GET first\n$/);
  });

  it('ends when its reader has gone, although nothing more is to be written', async () => {
    const watcher = await watched(['-m'], () => get('read'));
    await until('the first line', () => (watcher.stdout().includes('GET read') ? true : null));
    watcher.process.stdout!.destroy();
    expect(await watcher.ended).toBe(0);
    expect(watcher.stderr()).toBe('');
  });

  it('ends when the only interface goes away, and says so', async () => {
    const watcher = await watched(['-i', 'dum0'], () => tell('gone', 'over gone'));
    expect(await watcher.ended).toBe(0);
    expect(watcher.stderr()).toContain('dum0 is gone');
  });

  it.skipIf(needs('tshark').missing)(
    '-w records what tshark reads without complaint, with the programs as comments, and open names them again',
    async () => {
      const file = join(folder, 'kept.pcapng');
      const watcher = await watched(['-w', file, 'port', '6379'], () => get('kept'));
      expect(await watcher.stop()).toBe(0);
      expect(watcher.stdout()).toBe('');
      expect(watcher.stderr()).toMatch(
        /^watching any; Ctrl-C ends it\n\d+ packets, written to .*, 0 lost\n$/,
      );
      const { stdout, stderr, status } = spawnSync(
        'tshark',
        ['-r', file, '-T', 'fields', '-e', 'frame.comment'],
        {
          encoding: 'utf8',
        },
      );
      expect(status).toBe(0);
      expect(stderr.replace(/^Running as user.*\n/, '')).toBe('');
      expect(stdout.split('\n')[0]).toContain(`server 127.0.0.1:6379 is redis-server pid ${redisPid}`);
      const opened = spawnSync(process.execPath, [cli, 'open', file, '-m'], { encoding: 'utf8' });
      expect(opened.stdout).toContain(`redis-server[${redisPid}]  redis  GET kept\n`);
      expect(opened.stderr).toBe('');
      expect(readdirSync(folder).filter((name) => name !== 'kept.pcapng')).toEqual([]);
    },
  );

  it('refuses what it cannot do, with a sentence', async () => {
    const inside = (...words: string[]) =>
      spawnSync('nsenter', ['-t', String(holderPid), '-n', process.execPath, cli, 'watch', ...words], {
        encoding: 'utf8',
      });
    const cases: [string[], RegExp][] = [
      [['-i', 'nope'], /There is no interface 'nope' here\.\nHere are: any, lo/],
      [['-i', 'lo,any'], /'any' is every interface already/],
      [['-w', '/nowhere/at/all.pcapng'], /cannot be written: its folder does not exist/],
      [['-w', join(folder, 'never.pcapng'), 'http.status == 500'], /what messages say is not known there/],
    ];
    for (const [words, says] of cases) {
      const { status, stdout, stderr } = inside(...words);
      expect(stderr).toMatch(says);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    }
    expect(existsSync(join(folder, 'never.pcapng'))).toBe(false);
  });

  it('without the right to watch says which one is missing, and ends with status 3', () => {
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, cli, 'watch'];
    const { status, stdout, stderr } = spawnSync('setpriv', nobody, { encoding: 'utf8' });
    expect(stderr).toMatch(/^sockscope: Watching packets needs CAP_NET_RAW/);
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
  });

  it('leaves no process behind', () => {
    const place = readlinkSync(`/proc/${holderPid}/ns/net`);
    const left = readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/ns/net`) === place;
      } catch {
        return false;
      }
    });
    // The holder and its Redis, which go with it.
    expect(left.filter((pid) => Number(pid) !== holderPid && Number(pid) !== redisPid)).toEqual([]);
  });
});
