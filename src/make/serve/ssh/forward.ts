/** A connection that a client forwards (ssh -L, ssh -J): to a server on this machine, never further. */
import type { Socket } from 'node:net';
import type { ServerChannel } from 'ssh2';
import { connectPlain } from '../../../kernel/net-connect.ts';
import { Outlet } from './outlet.ts';
import { plain } from './words.ts';
import { eof, Story, type Visitor, type Work } from './work.ts';

export interface ForwardWish {
  readonly host: string;
  readonly port: number;
  /** Without forwarding, or at the end of the server. */
  readonly allowed: boolean;
}

/** `127.0.0.1`, `::1`, `::ffff:127.0.0.1` */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/i.test(address);
}

/** Null: refused. */
export function forward(
  { host, port, allowed }: ForwardWish,
  accept: () => ServerChannel,
  reject: () => void,
  visitor: Visitor,
  over: (work: Work) => void,
): Work | null {
  const story = new Story(visitor, `forward ${plain(host)}:${port}`);
  if (!allowed || !(host === 'localhost' || isLoopback(host)) || port < 1 || port > 65535) {
    story.tell('refused', true, allowed ? 'only to this machine' : '');
    reject();
    return null;
  }
  const socket = connectPlain(host, port);
  let channel: ServerChannel | null = null;
  const work: Work = {
    idle: () => false,
    end(why) {
      story.tell(why);
      channel?.end();
      socket.destroy();
    },
  };
  let how = 'closed';
  socket.on('connect', () => {
    channel = accept();
    join(socket, channel, story);
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    how = error.code ?? 'failed';
  });
  socket.on('close', () => {
    if (channel === null) {
      reject();
    }
    channel?.end();
    story.tell(how);
    over(work);
  });
  return work;
}

/** Each direction ends for itself, as TCP's do. */
function join(socket: Socket, channel: ServerChannel, story: Story): void {
  const outlet = new Outlet(channel);
  let clientEnded = false;
  let serverEnded = false;
  outlet.drink(socket, false);
  socket.on('end', () =>
    outlet.flushed(() => {
      serverEnded = true;
      story.sent = outlet.sent;
      if (clientEnded) {
        channel.end();
      } else {
        eof(channel);
      }
    }),
  );
  channel.on('data', (bytes: Buffer) => {
    story.received += bytes.length;
    if (!socket.write(bytes)) {
      channel.pause();
    }
  });
  socket.on('drain', () => void channel.resume());
  channel.on('end', () => {
    clientEnded = true;
    socket.end();
    if (serverEnded) {
      channel.end();
    }
  });
  channel.on('error', () => {});
  channel.on('close', () => void socket.destroy());
}
