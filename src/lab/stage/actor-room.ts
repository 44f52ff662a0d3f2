/** Whether a send on a blocking socket is sure not to wait, so that it can be made on the spot. */
import { ioctlCall, pollCall } from '../../kernel/calls.ts';
import { socketKind } from '../../kernel/calls-ends.ts';
import { IOCTLS, POLL_EVENTS, SOCK_DGRAM } from '../../kernel/calls-flags.ts';
import { getOption, realOption } from '../../kernel/calls-options.ts';
import { pollMemory } from '../../kernel/calls-wait.ts';
import { fixedMemory } from '../../kernel/epoll.ts';

/** One segment of any usual MTU: with an empty queue the kernel takes all of it or nothing. */
const SURELY = 1024;
const queued = fixedMemory(4);

export function hasRoom(fd: number, length: number): boolean {
  const kind = socketKind(fd);
  if (kind === null || kind.type === SOCK_DGRAM) {
    // A datagram is taken whole or not at all.
    return kind !== null;
  }
  if (length > SURELY || ioctlCall.now(fd, IOCTLS.SIOCOUTQ!, queued.address) < 0 || queued.words[0] !== 0) {
    return false;
  }
  // A socket that connects with its first data says that it is writable, and its first send waits for the handshake.
  if (getOption(fd, realOption('TCP_FASTOPEN_CONNECT')!).value !== 0) {
    return false;
  }
  const memory = pollMemory([{ fd, bits: POLL_EVENTS.POLLOUT! }]);
  return pollCall.now(memory.address, memory.count, 0) === 1;
}
