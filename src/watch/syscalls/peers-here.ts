/** Whether the other end of a connection can be looked at: it is on this machine, in this network namespace. */
import { listInterfaces } from '../../kernel/addresses.ts';
import { endpointText, plainAddress, type Side } from '../../session/connection.ts';
import type { Endpoint } from '../../session/socket.ts';
import { printable } from '../../wire/printable.ts';

export interface PeersHere {
  /** What is not seen of this peer, whose opposite is on `side`; said once for each side. */
  away(peer: Endpoint, side: Side): { readonly source: string; readonly why: string } | null;
}

export function peersHere(): PeersHere {
  const said = new Set<Side>();
  let addresses: ReadonlySet<string> | null = null;

  function isHere(address: string): boolean {
    if (address.startsWith('127.') || address === '::1' || address === '0.0.0.0' || address === '::') {
      return true;
    }
    addresses ??= ownAddresses();
    return addresses === null || addresses.has(address);
  }

  return {
    away(peer, side) {
      const other = side === 'client' ? 'server' : 'client';
      if (said.has(other) || isHere(plainAddress(peer.address))) {
        return null;
      }
      said.add(other);
      return {
        source: `the ${other}`,
        why: `${printable(endpointText(peer))} is not here: another machine, container or network namespace has its program and its states`,
      };
    },
  };
}

function ownAddresses(): ReadonlySet<string> | null {
  const found = listInterfaces();
  return typeof found === 'number'
    ? null
    : new Set(found.flatMap((one) => one.addresses.map(({ address }) => address)));
}
