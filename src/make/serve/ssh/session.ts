/** A session channel (RFC 4254 section 6): what the client asks for before and while its one program runs. */
import { homedir, userInfo } from 'node:os';
import type { ServerChannel, Session } from 'ssh2';
import type { PtySize } from '../../../kernel/pty.ts';
import type { Rooted } from './rooted.ts';
import { Run } from './run.ts';
import { readScpCommand } from './scp-command.ts';
import { ScpRun } from './scp-run.ts';
import { Sftp } from './sftp.ts';
import type { Visitor, Work } from './work.ts';

export interface SessionDesk {
  readonly rooted: Rooted;
  readonly directory: string;
  readonly visitor: Visitor;
  /** SSH_CLIENT and SSH_CONNECTION. */
  readonly addresses: Readonly<Record<string, string>>;
  /** The server takes nothing new. */
  draining(): boolean;
  begun(work: Work): void;
  over(work: Work): void;
}

/** ssh2 refuses every request after the client's EOF, but signals and new window sizes are for the program that still runs. */
interface Ending {
  _ending: boolean;
}

export function serveSession(session: Session, desk: SessionDesk): void {
  const asked: Record<string, string> = {};
  let terminal: PtySize | null = null;
  let run: Run | null = null;
  let work: Work | null = null;
  const begin = (make: (over: () => void) => Work): void => {
    const begun = make(() => {
      // Not before it is known, should it be over at once.
      queueMicrotask(() => desk.over(begun));
    });
    work = begun;
    desk.begun(begun);
  };
  const start = (channel: ServerChannel | undefined, command: string | null): void => {
    if (channel === undefined) {
      return;
    }
    const scp = command === null ? null : readScpCommand(command);
    if (scp !== null && command !== null) {
      begin((over) => {
        const copying = new ScpRun(channel, command, desk.visitor, over);
        copying.serve(desk.rooted, scp);
        return copying;
      });
      return;
    }
    begin((over) => {
      const { shell, environment } = surroundings(desk, asked);
      const wish = { command, shell, directory: desk.directory, environment, terminal };
      run = new Run(channel, wish, desk.visitor, over);
      return run;
    });
  };
  session.on('env', (accept, reject, { key, val }: { key: string; val: string }) => {
    if (/^(LANG|LC_[A-Z]{1,30})$/.test(key) && !val.includes('\0')) {
      asked[key] = val;
      accept?.();
    } else {
      reject?.();
    }
  });
  session.on(
    'pty',
    (accept, _reject, { rows, cols, term }: { rows: number; cols: number; term?: string }) => {
      terminal = { rows, columns: cols };
      asked.TERM = (term ?? '').replaceAll('\0', '') || 'dumb';
      accept?.();
    },
  );
  session.on('window-change', (accept, _reject, { rows, cols }) => {
    run?.resize({ rows, columns: cols });
    accept?.();
  });
  session.on('signal', (accept, _reject, { name }) => {
    run?.signal(name);
    accept?.();
  });
  session.on('exec', (accept, reject, { command }) => {
    if (desk.draining()) {
      reject?.();
    } else {
      start(accept() as ServerChannel | undefined, command);
    }
  });
  session.on('shell', (accept, reject) => {
    if (desk.draining()) {
      reject?.();
    } else {
      start(accept() as ServerChannel | undefined, null);
    }
  });
  session.on('subsystem', (accept, reject, { name }) => {
    const channel = name === 'sftp' && !desk.draining() ? (accept() as ServerChannel | undefined) : undefined;
    if (channel === undefined) {
      reject?.();
    } else {
      begin((over) => new Sftp(channel, desk.rooted, desk.visitor, over));
    }
  });
  session.on('eof', () => {
    (session as unknown as Ending)._ending = false;
  });
  // The channel's own 'close' waits for somebody to read its input to the end.
  session.on('close', () => work?.end('client gone'));
}

/** Hardly anything of the server's own environment, as with sshd; but its HOME is the way to give shells other settings. */
function surroundings(desk: SessionDesk, asked: Readonly<Record<string, string>>) {
  let who = { username: desk.visitor.user, homedir: '/', shell: null as string | null };
  try {
    who = { ...userInfo(), homedir: homedir() };
  } catch {
    // A user id without an entry, as in many containers.
  }
  const shell = who.shell || '/bin/sh';
  const environment: Record<string, string> = {
    HOME: who.homedir,
    LANG: process.env.LANG ?? 'C.UTF-8',
    LOGNAME: who.username,
    PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    SHELL: shell,
    USER: who.username,
    ...desk.addresses,
    ...asked,
  };
  return { shell, environment };
}
