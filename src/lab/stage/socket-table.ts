/** A host's socket table as a person sees it, read when asked for. */
import { readSockets } from '../../see/sockets.ts';
import type { Socket } from '../../session/socket.ts';

/** TCP and UDP, with details, through a NETLINK_SOCK_DIAG descriptor of the host's namespace; owners are not looked up. */
export function readTable(diagFd: number): Socket[] {
  return readSockets({
    netlink: diagFd,
    protocols: ['tcp', 'udp'],
    details: true,
    owners: 'never',
    netns: 0,
  }).sockets;
}
