/** A command on the server, for the scp protocol. */
import type { Client, ClientChannel } from 'ssh2';
import { textOf } from './byte-name.ts';

export interface Ran {
  readonly stream: ClientChannel;
  /** When it is over: its status (null when a signal ended it) and the last of what it said. */
  readonly ended: Promise<{ readonly status: number | null; readonly said: string }>;
}

const MOST_SAID = 500;

/** The command is a byte name: what is in it goes to the server as it is. */
export async function execute(client: Client, command: string): Promise<Ran> {
  // ssh2 writes commands as UTF-8; a path that is not UTF-8 cannot go this way.
  const text = Buffer.from(command, 'latin1').toString('utf8');
  if (Buffer.from(text, 'utf8').toString('latin1') !== command) {
    throw new Error(`${textOf(command)}: the name is not UTF-8, which only --protocol sftp can send`);
  }
  return await new Promise<Ran>((resolve, reject) => {
    // The status may come in the same packet as the answer to the request: who waits a turn misses it.
    client.exec(text, (error, opened) => (error === undefined ? resolve(listenTo(opened)) : reject(error)));
  });
}

function listenTo(stream: ClientChannel): Ran {
  let said = '';
  stream.stderr.setEncoding('utf8').on('data', (piece: string) => {
    said = (said + piece).slice(-MOST_SAID);
  });
  const ended = new Promise<{ status: number | null; said: string }>((resolve) => {
    let status: number | null = null;
    stream.on('exit', (code: number | null) => {
      status = code;
    });
    stream.on('close', () => resolve({ status, said: said.trim() }));
  });
  stream.on('error', () => undefined);
  return { stream, ended };
}

/** For a command whose output nobody reads. */
export async function runQuietly(
  client: Client,
  command: string,
): Promise<{ status: number | null; said: string }> {
  const { stream, ended } = await execute(client, command);
  stream.resume();
  stream.end();
  return await ended;
}
