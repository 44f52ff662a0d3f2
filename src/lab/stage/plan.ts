/** From what was wished to what is built: numbers, addresses, devices. Pure. */
import { SockscopeError } from '../../errors.ts';
import type { HostWish, StageWish, Sysctls } from '../api.ts';
import { checkWish } from './wish.ts';

export interface PlannedDevice {
  readonly segment: string;
  /** The host's end is always `ethN`; the wire's end has the host's number in its name. */
  readonly here: string;
  readonly there: string;
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly address6: string;
}

export interface PlannedHost {
  readonly name: string;
  readonly number: number;
  readonly devices: readonly PlannedDevice[];
  readonly mtu: number;
  readonly sysctl: Sysctls;
  readonly gateway: { readonly address: string; readonly address6: string } | null;
  readonly router: boolean;
  readonly arp: boolean;
  readonly absent: boolean;
}

export interface Plan {
  readonly hosts: readonly PlannedHost[];
  /** Host names and the addresses that stories may write them for. */
  readonly names: Readonly<Record<string, string>>;
}

export const LAN = 'lan';
const USUAL_MTU = 1500;
const MOST_HOSTS = 25;
const MOST_SEGMENTS = 4;

export function planStage(wish: StageWish): Plan {
  checkWish(wish);
  const wished = Object.entries(wish.hosts ?? { client: {}, server: {} });
  if (wished.length > MOST_HOSTS) {
    throw bad(`A stage has room for ${MOST_HOSTS} hosts, not ${wished.length}.`, 'Take fewer.');
  }
  const segments = [LAN];
  for (const [, host] of wished) {
    for (const segment of host.on ?? [LAN]) {
      if (!segments.includes(segment)) {
        segments.push(segment);
      }
    }
  }
  if (segments.length > MOST_SEGMENTS) {
    throw bad(`A stage has room for ${MOST_SEGMENTS} segments, not ${segments.length}.`, 'Take fewer.');
  }
  const numbered = wished.map(([name, host], index) => ({ name, host, number: index + 1 }));
  for (const { name, host } of numbered) {
    if (!/^[a-z][a-z0-9-]{0,14}$/.test(name)) {
      throw bad(`A host cannot be called ${JSON.stringify(name)}.`, 'Use small letters, digits and -.');
    }
    if (host.gateway !== undefined && !numbered.some((other) => other.name === host.gateway)) {
      throw bad(`The gateway of ${name} is ${host.gateway}, and there is no such host.`, 'Name one that is.');
    }
  }
  const hosts = numbered.map(({ name, host, number }) => ({
    name,
    number,
    devices: devicesOf(host, number, segments),
    mtu: host.mtu ?? USUAL_MTU,
    sysctl: { ...USUAL, ...(host.router === true ? ROUTER : {}), ...host.sysctl, ...wish.sysctl },
    gateway: gatewayOf(host, numbered, segments),
    router: host.router === true,
    arp: host.neighbours === 'arp',
    absent: host.absent === true,
  }));
  const names = hosts.flatMap(({ name, devices: [first] }) => [
    [name, first!.addresses[0]!],
    [`${name}6`, first!.address6],
  ]);
  return { hosts, names: Object.fromEntries(names) };
}

/** What makes one run like the next: no congestion control of the distribution's choice, nothing that talks unasked. */
export const USUAL: Sysctls = {
  'net.ipv4.tcp_congestion_control': 'reno',
  // A machine that stands still for 0.2 s repeats a FIN, and the RST that answers its second ACK would end TIME_WAIT (RFC 1337).
  'net.ipv4.tcp_rfc1337': 1,
  // How fast a connection may begin must not depend on the one before it.
  'net.ipv4.tcp_no_metrics_save': 1,
  'net.ipv6.conf.all.accept_dad': 0,
  'net.ipv6.conf.default.accept_dad': 0,
  'net.ipv6.conf.default.router_solicitations': 0,
  'net.ipv6.conf.default.addr_gen_mode': 1,
  // They follow the size of the hash table, which we make small (machine.ts); these are the usual ones.
  'net.ipv4.tcp_max_tw_buckets': 131_072,
  'net.ipv4.tcp_max_syn_backlog': 2048,
};

const ROUTER: Sysctls = {
  'net.ipv4.ip_forward': 1,
  'net.ipv6.conf.all.forwarding': 1,
  'net.ipv4.icmp_ratelimit': 0,
  'net.ipv4.conf.all.send_redirects': 0,
};

interface Numbered {
  readonly name: string;
  readonly host: HostWish;
  readonly number: number;
}

function devicesOf(host: HostWish, number: number, segments: readonly string[]): PlannedDevice[] {
  return (host.on ?? [LAN]).map((segment, index) => {
    const place = segments.indexOf(segment);
    const more = index === 0 ? (host.more ?? 0) : 0;
    const extra = Array.from({ length: more }, (_, k) => `${network(place)}.${10 * number + k}`);
    return {
      segment,
      here: `w${place}h${number}`,
      there: `eth${index}`,
      mac: `02:00:00:00:${hex(place)}:${hex(number)}`,
      addresses: [`${network(place)}.${number}`, ...extra],
      address6: `${network6(place)}::${number.toString(16)}`,
    };
  });
}

const network = (place: number): string => `10.${9 - place}.0`;
const network6 = (place: number): string => `fd0${9 - place}`;
const hex = (byte: number): string => byte.toString(16).padStart(2, '0');

function gatewayOf(
  host: HostWish,
  all: readonly Numbered[],
  segments: readonly string[],
): PlannedHost['gateway'] {
  const other = all.find(({ name }) => name === host.gateway);
  if (other === undefined) {
    return null;
  }
  const shared = (host.on ?? [LAN]).find((segment) => (other.host.on ?? [LAN]).includes(segment));
  if (shared === undefined) {
    throw bad(
      `${other.name} is on no segment of the host whose gateway it is.`,
      'Plug both into one segment.',
    );
  }
  const place = segments.indexOf(shared);
  return {
    address: `${network(place)}.${other.number}`,
    address6: `${network6(place)}::${other.number.toString(16)}`,
  };
}

function bad(what: string, hint: string): SockscopeError {
  return new SockscopeError('STAGE_WISH', what, hint, 2);
}
