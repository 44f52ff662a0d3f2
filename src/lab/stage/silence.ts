/** Takes away the connections of a host that is going: a kernel keeps what nobody answers for minutes, and the namespace with it. */
import { destroySocket } from '../../kernel/destroy.ts';
import { readTable } from './socket-table.ts';

export function silence(diag: number, inside: <T>(run: () => T) => T): void {
  const rows = readTable(diag);
  inside(() => {
    for (const { family, protocol, local, peer, cookie, state } of rows) {
      if (protocol === 'tcp' && family !== 0 && state !== 'LISTEN') {
        // A kernel without CONFIG_INET_DIAG_DESTROY refuses, and needs its own time then.
        destroySocket({ family, protocol, local, peer, cookie });
      }
    }
  });
}
