import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../../../test/needs.ts';
import { type Built, buildTracer } from './built.fixture.ts';
import { attach, type Exit, type TracedCall, traceProgram } from './trace-program.ts';

const here = needs('linux', 'python3');

describe.skipIf(here.missing !== null)('tracing', () => {
  let built: Built;
  const running: ChildProcess[] = [];
  beforeAll(async () => {
    built = await buildTracer();
  });
  afterAll(() => {
    for (const child of running) {
      child.kill('SIGKILL');
    }
    built.remove();
  });

  const start = () => ({ monotonic: process.hrtime.bigint(), realtime: 0n });

  function traced(command: string, ...args: string[]) {
    const calls: TracedCall[] = [];
    const troubles: string[] = [];
    let exit: Exit | null = null;
    let gone: () => void = () => {};
    const over = new Promise<void>((resolve) => {
      gone = resolve;
    });
    const trace = traceProgram({
      command,
      args,
      env: process.env,
      stdio: ['pipe', 'pipe', 'ignore'],
      start: start(),
      entry: join(built.folder, 'trace-worker.js'),
      onCalls: (batch) => void calls.push(...batch),
      onExit: (how) => {
        exit = how;
      },
      onTrouble: (text) => void troubles.push(text),
      onGone: () => gone(),
    });
    return { trace, calls, troubles, over, exit: () => exit };
  }

  async function until(what: string, holds: () => boolean): Promise<void> {
    for (const end = Date.now() + 15_000; !holds(); ) {
      if (Date.now() > end) {
        throw new Error(`waited for ${what}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Milliseconds of processor time that this process, with its threads, has used. */
  const used = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };

  it('gives pipes to the program, and takes its exit from libuv only once', async () => {
    // A child of libuv at the same time: its SIGCHLD handler must not take our tracee, nor we its child.
    const other = spawn('sh', ['-c', 'exit 5']);
    const otherExit = new Promise((resolve) => other.on('exit', resolve));
    const { trace, over, exit } = traced('cat');
    let text = '';
    trace.stdout?.on('data', (bytes) => {
      text += String(bytes);
    });
    await trace.pid();
    trace.stdin?.end('through the pipe');
    const code = await otherExit;
    await over;
    expect([code, exit(), text]).toEqual([5, { code: 0, signal: null }, 'through the pipe']);
  });

  it('tells a waiting accept soon, and again when it returns; idle it costs nothing', async () => {
    const script = `import socket
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(1); print(s.getsockname()[1], flush=True); s.accept()`;
    const { trace, calls, over } = traced('python3', '-c', script);
    let text = '';
    trace.stdout?.on('data', (bytes) => {
      text += String(bytes);
    });
    await until('the waiting accept', () =>
      calls.some(({ name, took }) => name === 'accept4' && took === null),
    );
    const before = used();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(used() - before).toBeLessThan(100);
    await until('the port', () => text.endsWith('\n'));
    const port = Number(text);
    running.push(spawn('python3', ['-c', `import socket; socket.create_connection(('127.0.0.1', ${port}))`]));
    await over;
    const [begun, done] = calls.filter(({ name }) => name === 'accept4');
    expect(begun?.call).toBe(done?.call);
    expect(done?.tuple?.local).toEqual({ address: '127.0.0.1', port });
    expect(done?.state).toMatch(/ESTABLISHED|CLOSE-WAIT/);
  });

  it('kills what it started when it is told to stop', async () => {
    const { trace, over, exit } = traced('sh', '-c', 'sleep 60; echo');
    await trace.pid();
    const began = Date.now();
    await trace.stop();
    await over;
    expect(exit()).toEqual({ code: null, signal: 'SIGKILL' });
    expect(Date.now() - began).toBeLessThan(5000);
  });

  it('takes hold of a running program, and lets it go again', async () => {
    // Bounded, should the test fail before it ends it.
    const script = `import socket, time
for _ in range(3000):
  u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.close(); time.sleep(0.01)`;
    // A grandchild: what libuv waits for itself must not be traced by this process.
    const parent = spawn('sh', ['-c', 'python3 -c "$0" & echo $!; wait', script]);
    running.push(parent);
    let text = '';
    parent.stdout.on('data', (bytes) => {
      text += String(bytes);
    });
    await until('its pid', () => text.endsWith('\n'));
    const pid = Number(text);
    const names = new Set<string>();
    const trace = attach(pid, {
      start: start(),
      entry: join(built.folder, 'trace-worker.js'),
      onCalls: (batch) => {
        for (const { name } of batch) {
          names.add(name);
        }
      },
      onExit: () => {},
      onTrouble: () => {},
    });
    await trace.pid();
    await until('calls', () => names.has('socket') && names.has('close'));
    await trace.stop();
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    expect(/^TracerPid:\s*(\d+)/m.exec(status)?.[1]).toBe('0');
    expect(status).toMatch(/^State:\s*[SR]/m);
    process.kill(pid, 'SIGKILL');
  });

  it('says why a process cannot be traced', async () => {
    const trace = attach(2 ** 22 + 1, {
      start: start(),
      entry: join(built.folder, 'trace-worker.js'),
      onCalls: () => {},
      onExit: () => {},
      onTrouble: () => {},
    });
    await expect(trace.pid()).rejects.toThrow('there is no such process');
  });
});
