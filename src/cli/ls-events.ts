/** `ls -E`: one line for each socket that the kernel frees, until Ctrl-C. */
import { listenForFreed } from '../see/destroyed.ts';
import { evaluate } from '../see/filter/index.ts';
import type { Socket } from '../session/socket.ts';
import { jsonLine } from '../view/records.ts';
import { endText, peerText } from '../view/socket-rows.ts';
import { bytes, duration } from '../view/units.ts';
import type { Wish } from './ls-wish.ts';
import { paint, print, warn } from './output.ts';

const POLL_MS = 50;

export async function printFreed(wish: Wish): Promise<void> {
  const listener = listenForFreed();
  const matches = wish.filter === null ? () => true : evaluate(wish.filter);
  const wanted = (socket: Socket): boolean =>
    wish.protocols.includes(socket.protocol) &&
    wish.families.some((family) => family === socket.family) &&
    matches(socket);
  let freed = 0;
  let losses = 0;
  const drain = (): void => {
    const news = listener.read();
    losses += news.losses;
    const rows = news.sockets.filter(wanted);
    freed += rows.length;
    print(
      rows
        .map((socket) =>
          wish.output === 'json' ? jsonLine({ at: new Date().toISOString(), ...socket }) : line(socket),
        )
        .join(''),
    );
  };
  warn(
    paint.dim(
      'Listening for sockets that end; Ctrl-C stops. TIME-WAIT and half-open requests are not told by the kernel.',
    ),
  );
  const timer = setInterval(drain, POLL_MS);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  clearInterval(timer);
  drain();
  listener.close();
  const missed =
    losses === 0
      ? ''
      : `; not visible: the kernel dropped messages ${losses} times because they came too fast`;
  warn(paint.dim(`${freed === 1 ? '1 socket' : `${freed} sockets`} ended${missed}`));
}

/** How it fared over its life, which is what one wants to know of a connection that is gone. */
function line(socket: Socket): string {
  const time = new Date().toISOString().slice(11, 23);
  const life =
    socket.tcp === undefined
      ? ''
      : `  sent ${bytes(socket.tcp.bytesSent ?? 0)} received ${bytes(socket.tcp.bytesReceived ?? 0)} rtt ${duration(socket.tcp.rttUs)} retransmits ${socket.tcp.totalRetrans}`;
  return `${paint.dim(time)}  ${socket.protocol.padEnd(4)}  ${endText(socket, socket.local)}  ${peerText(socket)}${life}\n`;
}
