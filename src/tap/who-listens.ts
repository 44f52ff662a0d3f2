/** Who has a port that we cannot have: the program and its pid, or nothing where that cannot be seen. */
import { scanOwners } from '../kernel/owners.ts';
import { closeSockDiag, openSockDiag } from '../kernel/sockdiag.ts';
import { lookupSocket } from '../kernel/socket-lookup.ts';
import { parseIpv4, parseIpv6 } from '../wire/net/address.ts';
import type { Place } from './plan.ts';

export function whoListens({ kind, host, port }: Place): string {
  const bytes = host === 'localhost' ? parseIpv4('127.0.0.1') : (parseIpv4(host) ?? parseIpv6(host));
  const diag = kind === 'unix' || bytes === null ? -1 : openSockDiag();
  if (diag < 0 || bytes === null) {
    return '';
  }
  const socket = lookupSocket(diag, kind === 'udp' ? 17 : 6, bytes, port, new Uint8Array(bytes.length), 0);
  closeSockDiag(diag);
  const [owner] = socket === null ? [] : scanOwners().ownersOf(socket.inode);
  if (owner !== undefined) {
    return `${owner.name} (pid ${owner.pid})`;
  }
  return socket === null ? '' : `another user's program (uid ${socket.uid})`;
}
