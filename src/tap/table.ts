/** Asks the kernel's socket table whether somebody listens at an address of this machine, without connecting to it. */
import { closeSockDiag, openSockDiag } from '../kernel/sockdiag.ts';
import { lookupSocket } from '../kernel/socket-lookup.ts';
import type { Address } from '../reactor/reactor.ts';
import { parseIpv4, parseIpv6 } from '../wire/net/address.ts';

const NOBODY_4 = new Uint8Array(4);
const NOBODY_6 = new Uint8Array(16);

export interface Table {
  /** Null: the table does not say (another machine's address, or no table here). */
  listens(target: Address): boolean | null;
  close(): void;
}

export function openTable(): Table {
  const diag = openSockDiag();
  return {
    listens(target) {
      if (diag < 0 || target.kind !== 'tcp') {
        return null;
      }
      const bytes = target.host.includes(':') ? parseIpv6(target.host) : parseIpv4(target.host);
      if (bytes === null || !isLoopback(bytes)) {
        return null;
      }
      const nobody = bytes.length === 4 ? NOBODY_4 : NOBODY_6;
      return lookupSocket(diag, 6, bytes, target.port, nobody, 0) !== null;
    },
    close() {
      if (diag >= 0) {
        closeSockDiag(diag);
      }
    },
  };
}

function isLoopback(bytes: Uint8Array): boolean {
  return bytes.length === 4
    ? bytes[0] === 127
    : bytes.every((byte, index) => byte === (index === 15 ? 1 : 0));
}
