import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import {
  clockTicks,
  type Grip,
  gripProcess,
  hasEnded,
  hasSignal,
  parseSignal,
  releaseGrip,
  signalProcess,
  whyAlive,
} from './signals.ts';

const linux = needs('linux');
const ESRCH = 3;

describe('signal names', () => {
  it.each(['TERM', 'SIGTERM', 'term', 'sigterm', '15'])('%s is SIGTERM', (text) => {
    expect(parseSignal(text)).toEqual({ name: 'SIGTERM', number: 15 });
  });

  it.each(['', '0', '65', '-9', 'NOPE', 'SIG', '9x', 'SIGSIGTERM'])('%j is no signal', (text) => {
    expect(parseSignal(text)).toBeNull();
  });

  it('a real-time signal has a number and no name of its own', () => {
    expect(parseSignal('40')).toEqual({ name: 'signal 40', number: 40 });
  });
});

describe('signal masks in /proc/PID/status', () => {
  it('any text at all as a mask is answered', () => {
    fc.assert(
      fc.property(fc.string(), (text) => typeof hasSignal(`SigIgn:\t${text}\n`, 'SigIgn', 9) === 'boolean'),
    );
  });

  it('signal n is bit n - 1 of a mask', () => {
    const status = 'Name:\tx\nSigIgn:\t0000000000004000\nSigCgt:\t8000000000000000\n';
    expect(hasSignal(status, 'SigIgn', 15)).toBe(true);
    expect(hasSignal(status, 'SigIgn', 14)).toBe(false);
    expect(hasSignal(status, 'SigCgt', 64)).toBe(true);
    expect(hasSignal(status, 'SigBlk', 15)).toBe(false);
  });
});

describe.skipIf(linux.missing)('a hold on a process', () => {
  const started: ChildProcess[] = [];
  const held: Grip[] = [];

  afterEach(async () => {
    held.splice(0).forEach(releaseGrip);
    for (const child of started.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
  });

  async function start(script: string): Promise<ChildProcess & { pid: number }> {
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    started.push(child);
    await once(child.stdout!, 'data');
    return child as ChildProcess & { pid: number };
  }

  function hold(pid: number): Grip {
    const grip = gripProcess(pid);
    if (grip === null) {
      throw new Error(`process ${pid} is not there`);
    }
    held.push(grip);
    return grip;
  }

  const READY = "console.log('ready');setInterval(()=>{},1000);";

  it.each(['with a pidfd', 'without one'])(
    '%s: the signal arrives, the end is seen, a second signal finds nobody',
    async (how) => {
      const child = await start(READY);
      const grip = hold(child.pid);
      const used = how === 'without one' ? { ...grip, pidfd: -1 } : grip;
      expect(used.pidfd >= 0).toBe(how === 'with a pidfd');
      expect(hasEnded(used)).toBe(false);
      expect(signalProcess(used, 15)).toBe(0);
      expect(await once(child, 'exit')).toEqual([null, 'SIGTERM']);
      expect(hasEnded(used)).toBe(true);
      expect(signalProcess(used, 15)).toBe(-ESRCH);
    },
  );

  it('a pid that was given to another process is not signalled', async () => {
    const child = await start(READY);
    const stale = { ...hold(child.pid), pidfd: -1, startTicks: 1 };
    expect(signalProcess(stale, 9)).toBe(-ESRCH);
    expect(hasEnded(stale)).toBe(true);
    expect(hasEnded(hold(child.pid))).toBe(false);
  });

  it('there is no hold on a process that is not there', async () => {
    const child = await start(READY);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(gripProcess(child.pid)).toBeNull();
  });

  it('its start is before now', async () => {
    const before = clockTicks();
    const grip = hold((await start(READY)).pid);
    expect(grip.startTicks).toBeGreaterThanOrEqual(before - 1);
    expect(grip.startTicks).toBeLessThanOrEqual(clockTicks());
  });

  it('why it lives on is read from /proc: it handles the signal, it is stopped', async () => {
    const term = { name: 'SIGTERM', number: 15 };
    const handler = await start(`process.on('SIGTERM',()=>{});${READY}`);
    expect(whyAlive(handler.pid, term)).toContain('handles SIGTERM itself');
    expect(signalProcess(hold(handler.pid), 19)).toBe(0);
    await expect.poll(() => whyAlive(handler.pid, term)).toContain('stopped');
    const plain = await start(READY);
    expect(whyAlive(plain.pid, { name: 'SIGHUP', number: 1 })).toBeNull();
    // Node itself ignores SIGPIPE.
    expect(whyAlive(plain.pid, { name: 'SIGPIPE', number: 13 })).toBe('it ignores SIGPIPE');
  });
});
