import { readdirSync, readlinkSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { openPty, type Pty } from './pty.ts';
import { type ShellProcess, spawnShell } from './spawn-shell.ts';

const { missing } = needs('linux');
const open: Pty[] = [];
const running: ShellProcess[] = [];

afterEach(() => {
  for (const one of running.splice(0)) {
    one.signal('SIGKILL');
  }
  for (const one of open.splice(0)) {
    one.close();
  }
});

function terminal(): Pty {
  const pty = openPty({ rows: 33, columns: 99 });
  if (typeof pty === 'number') {
    throw new Error(`openPty: ${pty}`);
  }
  open.push(pty);
  return pty;
}

function shellOn(pty: Pty, command: string) {
  const environment = { PATH: process.env.PATH ?? '/usr/bin:/bin' };
  const shell = spawnShell({ shell: '/bin/sh', command, directory: '/', environment, terminal: pty });
  running.push(shell);
  let text = '';
  let wake = () => {};
  pty.output.on('data', (bytes: Buffer) => {
    text += bytes.toString();
    wake();
  });
  const closed = new Promise<void>((resolve) => pty.output.on('close', resolve));
  const ended = new Promise<number | null>((resolve) => shell.onExit(resolve));
  const says = async (what: RegExp) => {
    while (!what.test(text)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return text;
  };
  return { shell, says, closed, ended, text: () => text };
}

const terminals = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /^\/dev\/(ptmx|pts\/)/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;

describe.skipIf(missing)('a pseudo terminal', () => {
  it('is the controlling terminal of the program that gets it, in the size that was asked for', async () => {
    const pty = terminal();
    const { ended, closed, text } = shellOn(pty, 'tty; stty size; echo there >/dev/tty; exit 7');
    expect(await ended).toBe(7);
    await closed;
    expect(text()).toBe(`${pty.path}\r\n33 99\r\nthere\r\n`);
  });

  it('carries what is typed, and a program in the foreground hears of a new size', async () => {
    const pty = terminal();
    const { says, ended, closed } = shellOn(
      pty,
      "trap 'stty size; exit 3' WINCH; read line; echo got $line; while :; do sleep 0.05; done",
    );
    expect(pty.write(Buffer.from('hello\n'))).toBe(6);
    await says(/got hello/);
    pty.resize({ rows: 10, columns: 20 });
    expect(await ended).toBe(3);
    await closed;
    expect(await says(/10 20/)).toContain('10 20');
  });

  it('passes Ctrl-C on as a signal', async () => {
    const pty = terminal();
    const { says, ended } = shellOn(
      pty,
      "trap 'echo hit; exit 9' INT; echo ready; while :; do sleep 0.05; done",
    );
    await says(/ready/);
    pty.write(Uint8Array.of(3));
    expect(await ended).toBe(9);
  });

  it('takes no more than the program reads, and never waits for it', async () => {
    const pty = terminal();
    const { says } = shellOn(pty, 'stty raw -echo; echo ready; exec sleep 100');
    await says(/ready/);
    const page = new Uint8Array(4096).fill(97);
    let taken = 0;
    while (taken < 1 << 22) {
      const count = pty.write(page);
      if (count < 0) {
        expect(count).toBe(-11);
        break;
      }
      taken += count;
    }
    expect(taken).toBeLessThan(1 << 22);
  });

  it('that is closed ends the program and leaves no descriptor behind', async () => {
    const before = terminals();
    const pty = terminal();
    const { says, ended, closed } = shellOn(pty, 'echo ready; sleep 100');
    await says(/ready/);
    expect(terminals()).toBe(before + 1);
    pty.close();
    pty.close();
    await closed;
    await ended;
    expect(terminals()).toBe(before);
    expect(pty.write(Uint8Array.of(1))).toBe(-32);
  });
});
