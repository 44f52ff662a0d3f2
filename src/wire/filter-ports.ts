/** Conditions on ports and protocols: `tcp port 80`, `portrange 8000-8080`, `ip6 proto 58`. */
import type { Direction, Id, Qualifiers } from './filter-ast.ts';
import { BPF } from './filter-bpf.ts';
import { type FilterFault, filterFault, isFilterFault, type Span } from './filter-fault.ts';
import { eachWay, type FilterLookups } from './filter-ids.ts';
import { carries, type Ground, IPV4, IPV6, ipv4HeaderToX, networkAt, networkBytes } from './filter-link.ts';
import {
  above,
  all,
  any,
  atLeast,
  equals,
  type Instruction,
  instruction,
  not,
  type Tree,
} from './filter-tree.ts';
import { behindMpls, firstFragment } from './filter-value.ts';
import { ETHER_PROTOCOLS, IP_PROTOCOLS } from './filter-words.ts';

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const WITH_PORTS: ReadonlyMap<string, number> = new Map([
  ['tcp', TCP],
  ['udp', UDP],
  ['sctp', SCTP],
]);

/** Two ports, inclusive; `protocol` null: any that has ports. */
interface Ports {
  low: number;
  high: number;
  protocol: number | null;
}

export function portTest(
  ground: Ground,
  span: Span,
  { protocol, direction, type }: Qualifiers,
  id: Id,
  lookups: FilterLookups | null,
): Tree | FilterFault {
  const wanted = protocol === null ? null : WITH_PORTS.get(protocol);
  if (wanted === undefined) {
    const hint = `Only tcp, udp and sctp have ports: write ${type} alone, or join two conditions with and.`;
    return filterFault(span, `${protocol} has no ${type}`, hint);
  }
  const read = portsOf(span, type === 'portrange', id, lookups);
  if (isFilterFault(read)) {
    return read;
  }
  if (wanted !== null && read.protocol !== null && read.protocol !== wanted) {
    const name = id.kind === 'name' ? id.text : '';
    const service = read.protocol === TCP ? 'tcp' : 'udp';
    return filterFault(
      span,
      `the service '${name}' is ${service}`,
      `Write ${service} port ${name}, or the number.`,
    );
  }
  const ports = { ...read, protocol: wanted ?? read.protocol };
  const protocols = ports.protocol === null ? [SCTP, TCP, UDP] : [ports.protocol];
  const is = (offset: number): Tree =>
    any(...protocols.map((one) => equals(networkBytes(ground, offset, 1), one)));
  return any(
    all(carries(ground, IPV6)!, is(6), behindIp6(ground, ports, direction)),
    all(carries(ground, IPV4)!, is(9), firstFragment(ground), behindIp4(ground, ports, direction)),
  );
}

/** Only directly behind the IPv6 header, without extension headers: as in tcpdump. */
function behindIp6(ground: Ground, ports: Ports, direction: Direction | null): Tree {
  const at = (offset: number): Tree => within(networkBytes(ground, 40 + offset, 2), ports);
  return eachWay(direction, at(0), at(2));
}

function behindIp4(ground: Ground, ports: Ports, direction: Direction | null): Tree {
  const toX = ipv4HeaderToX(ground);
  const at = (offset: number): Tree => {
    const load = instruction(BPF.LD | BPF.IND | BPF.HALF, networkAt(ground) + offset);
    return within([...toX, load], ports);
  };
  return eachWay(direction, at(0), at(2));
}

function within(load: readonly Instruction[], { low, high }: Ports): Tree {
  return low === high ? equals(load, low) : all(atLeast(load, low), not(above(load, high)));
}

const NUMBER_OR_SERVICE = 'Write a number from 0 to 65535, or the name of a service.';

function portsOf(span: Span, range: boolean, id: Id, lookups: FilterLookups | null): Ports | FilterFault {
  if (id.kind === 'number') {
    return one(span, String(id.value), lookups);
  }
  if (id.kind !== 'name') {
    return filterFault(span, `'${id.text}' is no port`, NUMBER_OR_SERVICE);
  }
  const numbers = /^(\d+)-(\d+)$/.exec(id.text);
  if (!range) {
    return numbers === null
      ? one(span, id.text, lookups)
      : filterFault(span, `'${id.text.slice(0, 60)}' is no port`, `Write portrange ${id.text.slice(0, 60)}.`);
  }
  // Between two names the first minus divides: a service with a minus in its name cannot begin a range, as in tcpdump.
  const minus = id.text.indexOf('-');
  if (minus < 0) {
    return filterFault(span, 'a range has two ports', 'Write portrange 8000-8080.');
  }
  const a = one(span, id.text.slice(0, minus), lookups);
  if (isFilterFault(a)) {
    return a;
  }
  const b = one(span, id.text.slice(minus + 1), lookups);
  if (isFilterFault(b)) {
    return b;
  }
  return {
    low: Math.min(a.low, b.low),
    high: Math.max(a.low, b.low),
    protocol: a.protocol === b.protocol ? a.protocol : null,
  };
}

function one(span: Span, text: string, lookups: FilterLookups | null): Ports | FilterFault {
  if (/^\d+$/.test(text)) {
    const port = Number(text);
    return port > 65535
      ? filterFault(span, `${text.slice(0, 20)} is greater than the last port`, 'Ports end at 65535.')
      : { low: port, high: port, protocol: null };
  }
  const tcp = lookups?.port(text, 'tcp')[0];
  const udp = lookups?.port(text, 'udp')[0];
  const port = tcp ?? udp;
  if (port === undefined) {
    return filterFault(span, `the service '${text.slice(0, 60)}' is not known`, NUMBER_OR_SERVICE);
  }
  const protocol = tcp === udp ? null : tcp === undefined ? UDP : TCP;
  return { low: port, high: port, protocol };
}

export function protoTest(ground: Ground, span: Span, protocol: string | null, id: Id): Tree | FilterFault {
  const names = protocol === 'link' ? ETHER_PROTOCOLS : IP_PROTOCOLS;
  if (protocol !== null && !['link', 'ip', 'ip6'].includes(protocol)) {
    const hint = 'Write ip proto, ip6 proto, ether proto, or proto alone.';
    return filterFault(span, `${protocol} has no field for another protocol`, hint);
  }
  const number = id.kind === 'number' ? id.value : id.kind === 'name' ? names.get(id.text) : undefined;
  if (number === undefined) {
    const text = id.kind === 'number' ? '' : id.text.slice(0, 60);
    return filterFault(span, `the protocol '${text}' is not known`, 'Write its number.');
  }
  if (protocol !== 'link') {
    return isProtocol(ground, number, protocol);
  }
  return carries(ground, number) ?? behindMpls(span);
}

/** `over` null: IPv4 or IPv6. */
export function isProtocol(ground: Ground, number: number, over: string | null): Tree {
  const four = all(carries(ground, IPV4)!, equals(networkBytes(ground, 9, 1), number));
  const six = all(
    carries(ground, IPV6)!,
    any(
      equals(networkBytes(ground, 6, 1), number),
      all(equals(networkBytes(ground, 6, 1), FRAGMENT), equals(networkBytes(ground, 40, 1), number)),
    ),
  );
  return over === 'ip' ? four : over === 'ip6' ? six : any(four, six);
}

const FRAGMENT = 44;
