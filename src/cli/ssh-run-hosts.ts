/** What `sockscope ssh run` does. */
import { PassThrough, type Readable } from 'node:stream';
import { SockscopeError } from '../errors.ts';
import { connectTo } from '../make/ssh/connect.ts';
import type { Ask, SshSettings } from '../make/ssh/connection.ts';
import { type RunningCommand, startCommand } from '../make/ssh/run.ts';
import { readTarget } from '../make/ssh/target.ts';
import { warn } from './output.ts';
import { createAsk } from './ssh-ask.ts';
import { type SshFlags, settingsOf } from './ssh-flags.ts';
import { alone, asJson, type HostOutput, type Outcome, prefixed, summary } from './ssh-run-output.ts';
import { borrowTerminal } from './ssh-terminal.ts';

export interface SshRunFlags extends SshFlags {
  readonly host?: readonly string[];
  readonly tty?: boolean;
  readonly deadline?: number;
  readonly json?: boolean;
}

/** 128 and the signal's number, for whoever leaves by it. */
const LEFT = { SIGINT: 130, SIGTERM: 143 } as const;

export async function runOnHosts(typed: string, words: readonly string[], flags: SshRunFlags): Promise<void> {
  const names = [typed, ...(flags.host ?? [])]
    .flatMap((list) => list.split(','))
    .filter((name) => name !== '');
  const [first] = names;
  if (first === undefined) {
    throw new SockscopeError(
      'SSH_TARGET',
      'No host was named.',
      'Write host or user@host:port before --.',
      2,
    );
  }
  if (flags.tty === true && names.length > 1) {
    throw new SockscopeError(
      'SSH_TTY',
      'A terminal cannot be several hosts at once.',
      'Name one host with -t.',
      2,
    );
  }
  // A slip in one name is found before the first host has done anything.
  names.forEach(readTarget);
  const wish = { deadlineMs: flags.deadline ?? null };
  const outputs = names.map((name, index) =>
    flags.json === true
      ? asJson(name, wish)
      : names.length === 1
        ? alone(name, wish)
        : prefixed(name, index, wish),
  );
  const running = new Set<RunningCommand>();
  const passing = passSignals(running);
  const inputs = inputsFor(names.length, flags.tty === true);
  const settings = settingsOf(flags);
  const ask = createAsk(warn);
  try {
    const outcomes = await Promise.all(
      names.map((name, index) =>
        onHost(
          {
            name,
            command: words.join(' '),
            output: outputs[index]!,
            input: inputs.of[index] ?? null,
            letGo: () => inputs.letGo(index),
            tty: flags.tty === true,
            deadlineMs: wish.deadlineMs,
            running,
          },
          settings,
          ask,
        ),
      ),
    );
    if (outcomes.length > 1 && flags.json !== true) {
      summary(outcomes);
    }
    process.exitCode = Math.max(...outcomes.map(({ status }) => status));
  } finally {
    passing.stop();
  }
}

interface HostRun {
  readonly name: string;
  readonly command: string;
  readonly output: HostOutput;
  readonly input: Readable | null;
  letGo(): void;
  readonly tty: boolean;
  readonly deadlineMs: number | null;
  readonly running: Set<RunningCommand>;
}

async function onHost(run: HostRun, settings: SshSettings, ask: Ask): Promise<Outcome> {
  const { name, command, output, input, deadlineMs, running } = run;
  const began = performance.now();
  const passed = (): number => Math.round(performance.now() - began);
  try {
    const connection = await connectTo(name, settings, ask);
    output.connected(connection, passed());
    const screen = run.tty ? borrowTerminal() : null;
    try {
      const remote = await startCommand(connection, {
        command,
        terminal: screen?.size() ?? null,
        deadlineMs,
        input,
        out: screen?.over(output.out) ?? output.out,
        err: output.err,
      });
      running.add(remote);
      screen?.onResize((rows, columns) => remote.resize(rows, columns));
      const ending = await remote.ended;
      running.delete(remote);
      screen?.giveBack();
      return await output.ended(ending, passed());
    } finally {
      screen?.giveBack();
      await connection.end();
    }
  } catch (error) {
    if (error instanceof SockscopeError) {
      return output.failed(error, passed());
    }
    throw error;
  } finally {
    run.letGo();
  }
}

interface Inputs {
  /** Shorter than the list of hosts: they get nothing to read. */
  readonly of: readonly Readable[];
  letGo(index: number): void;
}

/** One host reads standard input itself; several read it together, as fast as the slowest. */
function inputsFor(hosts: number, tty: boolean): Inputs {
  const { stdin } = process;
  if (stdin.isTTY === true && !tty) {
    return { of: [], letGo() {} };
  }
  if (hosts === 1) {
    return { of: [stdin], letGo() {} };
  }
  stdin.setMaxListeners(0);
  const copies = Array.from({ length: hosts }, () => new PassThrough());
  for (const copy of copies) {
    stdin.pipe(copy);
  }
  return {
    of: copies,
    letGo(index) {
      // Whoever reads no more must not hold up the others.
      stdin.unpipe(copies[index]);
      copies[index]?.destroy();
    },
  };
}

/** The first goes to the commands, the second is for us. Without a command it is for us at once. */
function passSignals(running: ReadonlySet<RunningCommand>): { stop(): void } {
  let passed = false;
  const on = (signal: keyof typeof LEFT) => (): void => {
    if (passed || running.size === 0) {
      process.exit(LEFT[signal]);
    }
    passed = true;
    for (const remote of running) {
      remote.signal(signal.slice('SIG'.length));
    }
    warn(`sockscope: ${signal} was sent on; once more leaves.`);
  };
  const interrupt = on('SIGINT');
  const terminate = on('SIGTERM');
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', terminate);
  return {
    stop() {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', terminate);
    },
  };
}
