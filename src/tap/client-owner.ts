/** Which program of this machine is at the other end of an accepted connection. Asked once per connection, by those who show it. */
import { type Owners, scanOwners } from '../kernel/owners.ts';
import { closeSockDiag, openSockDiag } from '../kernel/sockdiag.ts';
import { lookupSocket } from '../kernel/socket-lookup.ts';
import type { Address } from '../reactor/reactor.ts';
import { parseIpv4, parseIpv6 } from '../wire/net/address.ts';

/** Reading every program's descriptors takes milliseconds: it may take this share of the time. */
const SHARE = 0.05;

export interface ClientOwners {
  /** `curl 812`; '' when it cannot be seen: another machine, another user, or gone already. */
  of(client: Address, entered: Address): string;
  close(): void;
}

export function clientOwners(): ClientOwners {
  const diag = openSockDiag();
  let owners: Owners | null = null;
  let nextScan = 0;

  function inodeOf(client: Address, entered: Address): number {
    if (diag < 0 || client.kind !== 'tcp' || entered.kind !== 'tcp') {
      return 0;
    }
    const local = parseIpv4(client.host) ?? parseIpv6(client.host);
    const peer = parseIpv4(entered.host) ?? parseIpv6(entered.host);
    if (local === null || peer === null || local.length !== peer.length) {
      return 0;
    }
    return lookupSocket(diag, 6, local, client.port, peer, entered.port)?.inode ?? 0;
  }

  return {
    of(client, entered) {
      const inode = inodeOf(client, entered);
      if (inode === 0) {
        return '';
      }
      let [owner] = owners?.ownersOf(inode) ?? [];
      const began = performance.now();
      if (owner === undefined && began >= nextScan) {
        owners = scanOwners();
        const took = performance.now() - began;
        nextScan = began + took + took / SHARE;
        [owner] = owners.ownersOf(inode);
      }
      return owner === undefined ? '' : `${owner.name} ${owner.pid}`;
    },
    close() {
      if (diag >= 0) {
        closeSockDiag(diag);
      }
    },
  };
}
