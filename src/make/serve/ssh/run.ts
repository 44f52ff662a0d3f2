/** A command or a shell of a client: its streams are the channel's, and its end is told. */
import { constants } from 'node:os';
import type { ServerChannel } from 'ssh2';
import { openPty, type Pty, type PtySize } from '../../../kernel/pty.ts';
import { type ShellProcess, spawnShell } from '../../../kernel/spawn-shell.ts';
import { Outlet } from './outlet.ts';
import { plain } from './words.ts';
import { Story, type Visitor, type Work } from './work.ts';

export interface RunWish {
  /** Null: a shell that reads its commands. */
  readonly command: string | null;
  readonly shell: string;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly terminal: PtySize | null;
}

/** The signals that SSH can name (RFC 4254 section 6.10). */
const NAMED = new Set('ABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM USR1 USR2'.split(' '));
/** The program may tidy up after SIGHUP; what is left of it after this long is killed. */
const PATIENCE_MS = 1000;
/** What the terminal still holds after the shell's end comes within this, unless something else keeps the terminal open. */
const LAST_WORDS_MS = 250;
/** A terminal whose program reads nothing says EAGAIN, and there is no event for "now it reads". */
const AGAIN_MS = 10;
const EAGAIN = -11;
const END_OF_TRANSMISSION = Buffer.of(4);
const NOT_FOUND = 127;

export class Run implements Work {
  readonly #channel: ServerChannel;
  readonly #story: Story;
  readonly #outlet: Outlet;
  readonly #over: () => void;
  readonly #pty: Pty | null;
  readonly #shell: ShellProcess;
  #result: { code: number } | { signal: string } | null = null;
  #why: string | null = null;
  #killing: NodeJS.Timeout | null = null;
  #done = false;

  /** Throws nothing: what cannot be started is told to the client. */
  constructor(channel: ServerChannel, wish: RunWish, visitor: Visitor, over: () => void) {
    this.#channel = channel;
    this.#over = over;
    this.#story = new Story(visitor, wish.command === null ? 'shell' : `exec ${plain(wish.command)}`);
    this.#outlet = new Outlet(channel);
    const pty = wish.terminal === null ? null : openPty(wish.terminal);
    this.#pty = typeof pty === 'number' ? null : pty;
    if (typeof pty === 'number') {
      channel.stderr.write('sockscope: no terminal is to be had here; this goes on without one.\r\n');
    }
    const terminal = this.#pty === null ? {} : { SSH_TTY: this.#pty.path };
    this.#shell = spawnShell({
      shell: wish.shell,
      command: wish.command,
      directory: wish.directory,
      environment: { ...wish.environment, ...terminal },
      terminal: this.#pty,
    });
    this.#shell.onError((error) => {
      channel.stderr.write(`sockscope: ${wish.shell} could not be started: ${error.message}\n`);
      this.#result = { code: NOT_FOUND };
      this.#finish();
    });
    this.#shell.onExit((code, signal) => {
      this.#result = signal === null ? { code: code ?? 0 } : { signal };
    });
    channel.on('error', () => {});
    if (this.#pty === null) {
      this.#withPipes();
    } else {
      this.#onTerminal(this.#pty);
    }
  }

  idle(): boolean {
    return false;
  }

  end(why: 'client gone' | 'cut off'): void {
    this.#why ??= why;
    this.#outlet.stop();
    if (this.#done) {
      this.#tell();
      return;
    }
    this.#shell.signal('SIGHUP');
    this.#pty?.close();
    this.#killing ??= setTimeout(() => this.#kill(), why === 'cut off' ? 0 : PATIENCE_MS);
  }

  /** The process group gets it. Names as SSH has them, without SIG. */
  signal(name: string): void {
    if (!this.#done && NAMED.has(name)) {
      this.#shell.signal(`SIG${name}` as NodeJS.Signals);
    }
  }

  resize(size: PtySize): void {
    this.#pty?.resize(size);
  }

  #withPipes(): void {
    const { pipes } = this.#shell;
    if (pipes === null) {
      return;
    }
    const channel = this.#channel;
    this.#outlet.drink(pipes.output, false);
    this.#outlet.drink(pipes.errors, true);
    channel.on('data', (bytes: Buffer) => {
      this.#story.received += bytes.length;
      if (pipes.input.writable && !pipes.input.write(bytes)) {
        channel.pause();
      }
    });
    pipes.input.on('drain', () => void channel.resume());
    // A program that has closed its input: the rest is read and forgotten.
    pipes.input.on('close', () => void channel.resume());
    channel.on('end', () => void pipes.input.end());
    this.#shell.onClose(() => this.#finish());
  }

  #onTerminal(pty: Pty): void {
    const channel = this.#channel;
    let waiting: Buffer[] = [];
    let timer: NodeJS.Timeout | null = null;
    const type = (): void => {
      timer = null;
      for (let bytes = waiting[0]; bytes !== undefined; bytes = waiting[0]) {
        const taken = pty.write(bytes);
        if (taken === EAGAIN) {
          channel.pause();
          timer = setTimeout(type, AGAIN_MS);
          return;
        }
        // Otherwise the terminal is gone, and with it whoever would read.
        const rest = taken < 0 ? bytes.length : taken;
        waiting = rest < bytes.length ? [bytes.subarray(rest), ...waiting.slice(1)] : waiting.slice(1);
      }
      channel.resume();
    };
    const put = (bytes: Buffer): void => {
      waiting.push(bytes);
      if (timer === null) {
        type();
      }
    };
    this.#outlet.drink(pty.output, false);
    channel.on('data', (bytes: Buffer) => {
      this.#story.received += bytes.length;
      put(bytes);
    });
    // A terminal has no end of its input, only the key for it.
    channel.on('end', () => put(END_OF_TRANSMISSION));
    const closed = new Promise<void>((resolve) => {
      pty.output.on('close', resolve);
    });
    this.#shell.onExit(() => {
      const timeout = setTimeout(() => pty.close(), LAST_WORDS_MS);
      closed.then(() => {
        clearTimeout(timeout);
        this.#finish();
      });
    });
  }

  #kill(): void {
    if (!this.#done) {
      this.#shell.signal('SIGKILL');
      this.#finish();
    }
  }

  #finish(): void {
    if (this.#done) {
      return;
    }
    this.#done = true;
    clearTimeout(this.#killing ?? undefined);
    this.#pty?.close();
    if (this.#why !== null) {
      this.#channel.end();
      this.#tell();
      return;
    }
    this.#outlet.flushed(() => {
      if (this.#result !== null) {
        exit(this.#channel, this.#result);
      }
      this.#channel.end();
      this.#tell();
    });
  }

  #tell(): void {
    this.#story.sent = this.#outlet.sent;
    this.#story.tell(this.#why ?? said(this.#result));
    this.#over();
  }
}

function said(result: { code: number } | { signal: string } | null): string {
  if (result === null) {
    return 'ended';
  }
  return 'code' in result ? `exit ${result.code}` : result.signal;
}

function exit(channel: ServerChannel, result: { code: number } | { signal: string }): void {
  if ('code' in result) {
    channel.exit(result.code);
    return;
  }
  const name = result.signal.replace(/^SIG/, '');
  if (NAMED.has(name)) {
    channel.exit(name, false, '');
  } else {
    // As shells tell it.
    channel.exit(128 + (constants.signals[result.signal as NodeJS.Signals] ?? 0));
  }
}
