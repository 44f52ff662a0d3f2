/** Sockets as the kernel frees them: what `ss -E` shows. TIME-WAIT and half-open requests are not told. */

import { SockscopeError } from '../errors.ts';
import { openDestroyed, readDestroyed } from '../kernel/destroyed.ts';
import { errnoMeaning, errnoName } from '../kernel/errno.ts';
import { unavailable } from '../kernel/libc.ts';
import { ownNetns } from '../kernel/names.ts';
import { closeSockDiag } from '../kernel/sockdiag.ts';
import { attribute, INET, INET_ATTRIBUTE, walkMessages } from '../kernel/sockdiag-format.ts';
import type { Protocol, Socket } from '../session/socket.ts';
import { inetSocket } from './row.ts';
import { NAMES } from './row-names.ts';

const PROTOCOLS: Record<number, Protocol> = { 6: 'tcp', 17: 'udp', 136: 'udplite' };

export interface Freed {
  sockets: Socket[];
  /** How often the kernel dropped messages because we read too late. */
  losses: number;
}

export interface FreedListener {
  /** What came since the last time; never waits. */
  read(): Freed;
  close(): void;
}

export function listenForFreed(): FreedListener {
  const fd = unavailable === null ? openDestroyed() : -38;
  if (fd < 0) {
    throw new SockscopeError(
      'NO_EVENTS',
      `The kernel does not tell of freed sockets here: ${errnoName(fd)}, ${errnoMeaning(fd)}.`,
      '`sockscope abilities` shows what is possible; `sockscope ls --watch` polls instead.',
      3,
    );
  }
  const netns = ownNetns();
  return {
    read() {
      const { messages, losses } = readDestroyed(fd);
      const sockets: Socket[] = [];
      for (const bytes of messages) {
        walkMessages(bytes, 0, bytes.length, (start, end) => {
          const found = attribute(bytes, start + INET.attributes, end, INET_ATTRIBUTE.rawProtocol);
          const protocol = found === null ? undefined : PROTOCOLS[bytes[found.at]!];
          if (protocol !== undefined) {
            sockets.push({ ...inetSocket(bytes, start, end, protocol, netns, NAMES), ownerGap: 'none' });
          }
        });
      }
      return { sockets, losses };
    },
    close: () => closeSockDiag(fd),
  };
}
