/** One command on one host: its streams, its terminal, its deadline, and how it ended. */
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import { SockscopeError } from '../../errors.ts';
import type { SshConnection } from './connection.ts';
import { plainLine } from './plain.ts';
import { resizeOver, signalsTo } from './signals.ts';

export interface Terminal {
  readonly term: string;
  readonly rows: number;
  readonly columns: number;
}

export interface CommandWish {
  /** For the shell of the other side. */
  readonly command: string;
  readonly terminal: Terminal | null;
  readonly deadlineMs: number | null;
  /** null: the command finds its input ended. */
  readonly input: Readable | null;
  /** Neither is ended. */
  readonly out: Writable;
  readonly err: Writable;
}

export type Ending =
  | { readonly kind: 'exit'; readonly status: number }
  /** `SIGKILL` and so on, as the server named it. */
  | { readonly kind: 'signal'; readonly signal: string }
  /** `gone`: the server said that the command is no more. */
  | { readonly kind: 'deadline'; readonly gone: boolean }
  | { readonly kind: 'lost'; readonly why: string };

export interface RunningCommand {
  readonly ended: Promise<Ending>;
  /** `INT`, `TERM`…: to the command. Servers may ignore it. */
  signal(name: string): void;
  resize(rows: number, columns: number): void;
}

/** As timeout(1) and ssh(1) say it. */
const OVERDUE = 124;
const LOST = 255;
/** After the deadline: from asking to end to killing, and to leaving whether or not anybody still answers. */
const KILL_AFTER_MS = 500;
const LEAVE_AFTER_MS = 5000;

export function startCommand(connection: SshConnection, wish: CommandWish): Promise<RunningCommand> {
  const { terminal } = wish;
  const options = {
    env: { ...connection.env },
    ...(terminal === null
      ? {}
      : { pty: { term: terminal.term, rows: terminal.rows, cols: terminal.columns, width: 0, height: 0 } }),
  };
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      reject(
        new SockscopeError(
          'SSH_EXEC',
          `${connection.name} does not run the command: ${plainLine(error.message)}.`,
          'The account may have no shell, or a forced command.',
          1,
          error,
        ),
      );
    };
    try {
      connection.client.exec(wish.command, options, (error, channel) => {
        if (error) {
          fail(error);
        } else {
          resolve(attend(connection, wish, channel));
        }
      });
    } catch (error) {
      fail(error as Error);
    }
  });
}

function attend(connection: SshConnection, wish: CommandWish, channel: ClientChannel): RunningCommand {
  const { input, out, err, deadlineMs } = wish;
  const signals = signalsTo(connection, channel);
  const timers: NodeJS.Timeout[] = [];
  let how: Ending | null = null;
  let overdue = false;
  const ended = new Promise<Ending>((resolve) => {
    const end = (gone: boolean): void => {
      for (const timer of timers) {
        clearTimeout(timer);
      }
      input?.unpipe(channel);
      resolve(
        overdue
          ? { kind: 'deadline', gone }
          : (how ?? { kind: 'lost', why: connection.lost ?? 'the command ended without saying how' }),
      );
    };
    channel.on('exit', (status: number | null, signal?: string) => {
      how = status === null ? { kind: 'signal', signal: signal ?? 'SIGTERM' } : { kind: 'exit', status };
    });
    channel.once('close', () => void drained(channel, channel.stderr).then(() => end(true)));
    // The channel has no errors of its own worth a sentence: they are the connection's.
    channel.on('error', () => {});
    if (deadlineMs !== null) {
      const at = (ms: number, act: () => void): void => {
        timers.push(setTimeout(act, deadlineMs + ms));
      };
      at(0, () => {
        overdue = true;
        signals.send('TERM');
      });
      at(KILL_AFTER_MS, () => {
        signals.kill();
      });
      at(LEAVE_AFTER_MS, () => {
        channel.close();
        end(false);
      });
    }
  });
  channel.pipe(out, { end: false });
  channel.stderr.pipe(err, { end: false });
  if (input === null) {
    channel.end();
  } else {
    input.pipe(channel);
  }
  return {
    ended,
    signal: (name) => signals.send(name),
    resize: (rows, columns) => resizeOver(channel, rows, columns),
  };
}

/** All that came has been handed on. */
async function drained(...streams: readonly Readable[]): Promise<void> {
  await Promise.all(
    streams.map((stream) =>
      stream.readableEnded || stream.destroyed
        ? null
        : new Promise<void>((resolve) => {
            stream.once('end', resolve);
            stream.once('close', resolve);
          }),
    ),
  );
}

export function statusOf(ending: Ending): number {
  switch (ending.kind) {
    case 'exit':
      return ending.status;
    case 'signal':
      return 128 + ((constants.signals as Readonly<Record<string, number>>)[ending.signal] ?? 0);
    case 'deadline':
      return OVERDUE;
    case 'lost':
      return LOST;
  }
}
