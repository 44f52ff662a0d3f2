/** All connections of a test server on ssh2, which speaks the protocol on sockets that the house accepted. */
import type { Socket } from 'node:net';
import { userInfo } from 'node:os';
import type { Duplex } from 'node:stream';
import ssh2, { type ClientInfo, type Connection } from 'ssh2';
import type { House, NodeService } from '../kind.ts';
import { forward, isLoopback } from './forward.ts';
import { guard } from './login.ts';
import type { SshPlan } from './plan.ts';
import { Rooted } from './rooted.ts';
import { serveSession } from './session.ts';
import { plain } from './words.ts';
import type { Visitor, Work } from './work.ts';

/** How long a client may take to close what we have closed. */
const FAREWELL_MS = 1000;
const LOOK_AGAIN_MS = 50;

/** All of these are OpenSSL's work. OpenSSH's first choice, chacha20-poly1305, is half WebAssembly in ssh2 without its native addon. */
const CIPHERS: ssh2.CipherAlgorithm[] = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr',
];

interface Guest {
  readonly socket: Duplex;
  readonly peer: string;
  readonly client: string;
  readonly works: Set<Work>;
  connection: Connection | null;
}

export function sshService(house: House, plan: SshPlan): NodeService {
  const guests = new Map<Duplex, Guest>();
  const rooted = new Rooted(plan.directory);
  let draining = false;
  let lastGone = (): void => {};
  introduce(house, plan);

  const server = new ssh2.Server(
    { hostKeys: [plan.hostKey.text], ident: 'sockscope', algorithms: { cipher: CIPHERS } },
    (connection: Connection, { header }: ClientInfo) => {
      // For a socket that is none of net's this is all that tells them apart.
      const guest = guests.get((connection as unknown as { _sock: Duplex })._sock);
      if (guest !== undefined) {
        guest.connection = connection;
        welcome(guest, connection, header.versions.software);
      }
    },
  );
  server.on('error', () => {});

  const welcome = (guest: Guest, connection: Connection, software: string): void => {
    const { peer, client, works } = guest;
    let visitor: Visitor = { house, peer, user: '', software };
    const gone = (): void => {
      for (const work of [...works]) {
        work.end('client gone');
      }
    };
    connection.on('error', () => {});
    connection.on('close', gone);
    connection.on('end', gone);
    guard(connection, { house, plan, peer, client, software }, (user) => {
      visitor = { house, peer, user, software };
    });
    const over = (work: Work): void => void works.delete(work);
    connection.on('session', (accept, reject) => {
      if (draining) {
        reject();
        return;
      }
      serveSession(accept(), {
        rooted,
        directory: plan.directory,
        visitor,
        addresses: addresses(guest),
        draining: () => draining,
        begun: (work) => void works.add(work),
        over,
      });
    });
    connection.on('tcpip', (accept, reject, { destIP, destPort }) => {
      const allowed = plan.forwarding && !draining;
      const work = forward({ host: destIP, port: destPort, allowed }, accept, reject, visitor, over);
      if (work !== null) {
        works.add(work);
      }
    });
  };

  const dismiss = ({ connection, socket }: Guest): void => {
    if (connection === null) {
      socket.destroy();
      return;
    }
    connection.end();
    const timer = setTimeout(() => void socket.destroy(), FAREWELL_MS);
    socket.once('close', () => clearTimeout(timer));
  };

  const close = (): number => {
    let cut = 0;
    for (const guest of [...guests.values()]) {
      for (const work of [...guest.works]) {
        cut += work.idle() ? 0 : 1;
        work.end('cut off');
      }
      guest.socket.destroy();
    }
    return cut;
  };

  return {
    connection(socket, peer, client) {
      if (draining || (plan.none && !isLoopback(client))) {
        socket.destroy();
        return;
      }
      guests.set(socket, { socket, peer, client, works: new Set(), connection: null });
      // SSH has no half-open connections: who sends no more is gone.
      socket.once('end', () => void socket.end());
      socket.once('close', () => {
        guests.delete(socket);
        if (guests.size === 0) {
          lastGone();
        }
      });
      // Keys typed and scp's answers are single bytes.
      (socket as Partial<Socket>).setNoDelay?.(true);
      server.injectSocket(socket as Socket);
    },
    async drain() {
      draining = true;
      const dismissed = new Set<Guest>();
      const look = (): void => {
        for (const guest of guests.values()) {
          if (!dismissed.has(guest) && [...guest.works].every((work) => work.idle())) {
            dismissed.add(guest);
            dismiss(guest);
          }
        }
      };
      if (guests.size === 0) {
        return 0;
      }
      const { drainNs } = house.common;
      let cut = 0;
      const again = setInterval(look, LOOK_AGAIN_MS);
      const limit =
        drainNs === 0
          ? null
          : setTimeout(() => {
              cut = close();
            }, drainNs / 1e6);
      await new Promise<void>((resolve) => {
        lastGone = resolve;
        look();
      });
      clearInterval(again);
      clearTimeout(limit ?? undefined);
      return cut;
    },
    close() {
      draining = true;
      close();
    },
  };
}

/** Who gets in with what is said once, here; passwords that were typed are not repeated. */
function introduce(house: House, plan: SshPlan): void {
  const { hostKey, user, keys, keysFrom, passwordIsNew, password, directory } = plan;
  house.say(`host key ${hostKey.fingerprint} (${hostKey.path})`);
  const who = user === null ? 'any user name' : `the user name ${plain(user)}`;
  if (plan.none) {
    house.say(`everybody on this machine gets in, with ${who}`);
  } else {
    const ways = [
      passwordIsNew ? `the password ${password}` : 'the password that was given',
      ...(keys.length === 0
        ? []
        : [`${keys.length === 1 ? 'the key' : `one of ${keys.length} keys`} in ${keysFrom}`]),
    ];
    house.say(`gets in: ${who} with ${ways.join(', or ')}`);
  }
  house.say(`commands run as ${userName()} in ${directory}, which is all that SFTP and scp see`);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.()}`;
  }
}

/** As sshd tells programs where their user comes from. */
function addresses({ socket, peer, client }: Guest): Record<string, string> {
  const { localAddress = '127.0.0.1', localPort = 0 } = socket as Partial<Socket>;
  const port = peer.slice(peer.lastIndexOf(':') + 1);
  return {
    SSH_CLIENT: `${client} ${port} ${localPort}`,
    SSH_CONNECTION: `${client} ${port} ${localAddress} ${localPort}`,
  };
}
