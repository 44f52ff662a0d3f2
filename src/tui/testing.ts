/** A socket for tests of the screen: said once what every row has, each test names what matters to it. */
import type { Socket } from '../session/socket.ts';

export function makeSocket(parts: Partial<Socket> = {}): Socket {
  return {
    netns: 0,
    protocol: 'tcp',
    family: 4,
    state: 'ESTABLISHED',
    local: { address: '127.0.0.1', port: 8080 },
    peer: { address: '127.0.0.1', port: 50000 },
    recvQueue: 0,
    sendQueue: 0,
    uid: 1000,
    inode: 4711,
    cookie: '0000000000000001',
    owners: [],
    ownerGap: 'none',
    ...parts,
  };
}
