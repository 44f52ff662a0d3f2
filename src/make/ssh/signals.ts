/** Signals and window sizes to a command that runs. */
import type { Client, ClientChannel } from 'ssh2';
import type { SshConnection } from './connection.ts';

export interface Signals {
  /** `INT`, `TERM`…: servers may ignore it. */
  send(name: string): void;
  kill(): void;
}

/** Parts of ssh2 that its types leave out. */
interface Inside {
  readonly _client: {
    readonly _protocol: {
      signal(channel: number, name: string): void;
      windowChange(channel: number, rows: number, columns: number, height: number, width: number): void;
    };
  };
  readonly outgoing: { readonly id: number; readonly state: string };
}

/** ssh2 sends no more requests once our input has ended, but the protocol takes them until the channel closes (RFC 4254, 5.3). */
function request(
  channel: ClientChannel,
  send: (over: Inside['_client']['_protocol'], id: number) => void,
): void {
  const { _client, outgoing } = channel as unknown as Inside;
  if (outgoing.state === 'open' || outgoing.state === 'eof') {
    send(_client._protocol, outgoing.id);
  }
}

export function resizeOver(channel: ClientChannel, rows: number, columns: number): void {
  request(channel, (protocol, id) => protocol.windowChange(id, rows, columns, 0, 0));
}

/**
 * sshd refuses to signal what root runs: it does so only with separated privileges, and root's sessions have none (OpenSSH
 * session.c, session_signal_req). No reply tells, and twice would not be the same as once.
 */
export function signalsTo({ client, user, software }: SshConnection, channel: ClientChannel): Signals {
  // Only sshd has a process for every connection. Elsewhere the commands of other people have the same parent.
  const separate = software.startsWith('OpenSSH_');
  let last: Promise<void> = Promise.resolve();
  // One after the other: each would take the one before it for a command to signal.
  const fromBeside = (name: string): void => {
    last = last.then(() => signalFromBeside(client, name));
  };
  const over = (name: string): void => request(channel, (protocol, id) => protocol.signal(id, name));
  return {
    send(name) {
      if (separate && user === 'root') {
        fromBeside(name);
      } else {
        over(name);
      }
    },
    kill() {
      over('KILL');
      if (separate) {
        fromBeside('KILL');
      }
    },
  };
}

/** A second command on the same connection has the same parent, and every command of sshd is a process group of its own. */
function signalFromBeside(client: Client, name: string): Promise<void> {
  const others = 'ps -A -o pid= -o ppid= | while read p q; do [ "$q" = "$PPID" ] && [ "$p" != "$$" ]';
  return new Promise((resolve) => {
    try {
      client.exec(`exec sh -c '${others} && kill -s ${name} -- "-$p"; done'`, (error, beside) => {
        if (error) {
          resolve();
          return;
        }
        beside.on('error', () => {});
        beside.once('close', () => resolve());
        beside.resume();
        beside.stderr.resume();
        beside.end();
      });
    } catch {
      // Nobody is connected any more: the command hears of that from its own side.
      resolve();
    }
  });
}
