/** What the kernel makes of options: set on a socket that is made for nothing else, and read back from it. */
import { closeFd } from '../kernel/epoll.ts';
import { AF_INET, AF_UNIX, openSocket, SOCK_DGRAM, SOCK_STREAM } from '../kernel/stream-sockets.ts';
import type { SocketWishes } from './reactor.ts';
import { getOption, setOption } from './socket-options.ts';

/** Below zero is -errno: this kind of socket does not take it. Empty where no socket can be made. */
export function madeOf(wishes: SocketWishes, kind: 'tcp' | 'udp' | 'unix'): Record<string, number> {
  const made: Record<string, number> = {};
  const fd = openSocket(kind === 'unix' ? AF_UNIX : AF_INET, kind === 'udp' ? SOCK_DGRAM : SOCK_STREAM);
  if (fd < 0) {
    return made;
  }
  for (const [name, value] of Object.entries(wishes)) {
    const result = setOption(fd, name, value);
    made[name] = result < 0 ? result : getOption(fd, name);
  }
  closeFd(fd);
  return made;
}
