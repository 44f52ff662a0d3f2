/** Where the sockets of a program are, as far as was ever known: a dead socket has forgotten it, and its connection has not. */
import { addressToward, localEnd, peerEnd, socketKind, tellAddresses } from '../../kernel/calls-ends.ts';
import { AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM } from '../../kernel/calls-flags.ts';
import type { End } from '../../kernel/calls-message.ts';
import type { RawTuple } from './protocol.ts';

interface Known {
  readonly protocol: 'tcp' | 'udp';
  readonly family: number;
  local: End;
  peer: End;
}

export interface Ends {
  /** A new descriptor, or one whose number was used before. */
  opened(fd: number): void;
  copied(from: number, to: number): void;
  closed(fd: number): void;
  /** A connect begins: what an earlier one left is over. */
  starts(fd: number, peer: End): void;
  /** Asks the kernel again. */
  look(fd: number): void;
  /** Without a local port yet: the first datagram chooses one. */
  lookOnce(fd: number): void;
  /** For one datagram: its other end, and the address of ours that it was for. */
  tuple(fd: number | undefined, peer?: End, to?: string | null): RawTuple | undefined;
  /** AF_INET where nothing is known. */
  family(fd: number): number;
}

const ANY: Readonly<Record<number, string>> = { [AF_INET]: '0.0.0.0', [AF_INET6]: '::' };

function nowhere(family: number): End {
  return { address: ANY[family]!, port: 0 };
}

export function createEnds(): Ends {
  const known = new Map<number, Known>();

  function look(fd: number): void {
    const one = known.get(fd);
    if (one === undefined) {
      return;
    }
    const local = localEnd(fd).end;
    const peer = peerEnd(fd).end;
    // A socket that died says port 0, or its port without the address it had.
    if (
      local !== null &&
      local.port !== 0 &&
      (local.address !== ANY[one.family] || peer !== null || one.peer.port === 0)
    ) {
      one.local = local;
    }
    if (peer !== null) {
      one.peer = peer;
    }
  }

  return {
    look,
    opened(fd) {
      const kind = socketKind(fd);
      known.delete(fd);
      if (kind === null || ANY[kind.family] === undefined) {
        return;
      }
      const { family, type } = kind;
      if (type === SOCK_STREAM || type === SOCK_DGRAM) {
        const protocol = type === SOCK_STREAM ? 'tcp' : 'udp';
        known.set(fd, { protocol, family, local: nowhere(family), peer: nowhere(family) });
        if (protocol === 'udp') {
          tellAddresses(fd, family);
        }
        look(fd);
      }
    },
    copied(from, to) {
      const one = known.get(from);
      if (one === undefined) {
        known.delete(to);
      } else {
        known.set(to, { ...one });
      }
    },
    closed: (fd) => void known.delete(fd),
    starts(fd, peer) {
      const one = known.get(fd);
      // On a socket that is connected or connecting, connect changes nothing.
      if (one !== undefined && peerEnd(fd).end === null) {
        one.local = localEnd(fd).end ?? nowhere(one.family);
        one.peer = peer;
      }
    },
    lookOnce(fd) {
      if (known.get(fd)?.local.port === 0) {
        look(fd);
      }
    },
    tuple(fd, peer, to) {
      const one = fd === undefined ? undefined : known.get(fd);
      if (one === undefined) {
        return undefined;
      }
      const { protocol, family, local } = one;
      const open = peer !== undefined && local.address === ANY[family];
      const address = open ? (to ?? addressToward(family, peer) ?? local.address) : local.address;
      return { protocol, local: { address, port: local.port }, peer: peer ?? one.peer };
    },
    family: (fd) => known.get(fd)?.family ?? AF_INET,
  };
}
