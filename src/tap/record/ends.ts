/** The two ends of a recorded conversation, as addresses that a capture file can hold. */
import type { Address } from '../../reactor/reactor.ts';
import { parseIpv4, parseIpv6 } from '../../wire/net/address.ts';
import type { End } from './frame.ts';

export interface Ends {
  readonly client: End;
  readonly server: End;
  readonly udp: boolean;
  /** What the addresses do not say: the paths of a UNIX socket whose addresses are made up. '' otherwise. */
  readonly note: string;
}

/** Loopback addresses that hardly anybody uses: 127.83.x.x are clients of UNIX sockets, 127.84.0.1 what they connect to. */
const UNIX_CLIENTS = [127, 83] as const;
const UNIX_SERVER = Uint8Array.of(127, 84, 0, 1);
const FIRST_PORT = 1024;
const PORTS = 0x10000 - FIRST_PORT;
const MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/** `number` tells clients of UNIX sockets apart, which have no names. */
export function endsOf(client: Address, entered: Address, number: number): Ends {
  if (client.kind === 'unix' || entered.kind === 'unix') {
    return madeUp(entered.kind === 'unix' ? entered.path : '', number);
  }
  const ends = [endOf(client.host, client.port), endOf(entered.host, entered.port)] as const;
  const mixed = ends[0].address.length !== ends[1].address.length;
  const [one, other] = mixed ? [mapped(ends[0]), mapped(ends[1])] : ends;
  return { client: one, server: other, udp: client.kind === 'udp', note: '' };
}

function endOf(host: string, port: number): End {
  // A zone (`fe80::1%eth0`) says through which interface, which is not in a packet.
  const plain = host.replace(/%.*$/, '');
  return { address: parseIpv4(plain) ?? parseIpv6(plain) ?? new Uint8Array(4), port: port & 0xffff };
}

function mapped(end: End): End {
  if (end.address.length === 16) {
    return end;
  }
  const address = new Uint8Array(16);
  address.set(MAPPED, 0);
  address.set(end.address, 12);
  return { address, port: end.port };
}

function madeUp(path: string, number: number): Ends {
  const host = Math.floor(number / PORTS);
  return {
    client: {
      address: Uint8Array.of(...UNIX_CLIENTS, (host >> 8) & 0xff, host & 0xff),
      port: FIRST_PORT + (number % PORTS),
    },
    // `.s.PGSQL.5432`, `redis-6379.sock`: the number tells Wireshark which protocol to look for.
    server: { address: UNIX_SERVER, port: portIn(path) },
    udp: false,
    note: `UNIX socket ${path === '' ? '(no name)' : path}; these addresses are made up`,
  };
}

function portIn(path: string): number {
  const found = [...path.matchAll(/\d{2,5}/g)].map(([digits]) => Number(digits));
  return found.findLast((port) => port > 0 && port <= 0xffff) ?? 1;
}
