/** What a name resolves to, in which order, and who listens there. */
import { SockscopeError } from '../errors.ts';
import { type Interface, listInterfaces } from '../kernel/addresses.ts';
import {
  nodeOrder,
  type Resolved,
  type ResolverSettings,
  readResolverSettings,
  resolveName,
} from '../kernel/resolver.ts';
import { familyOf, type HostsLine, hostsLinesFor } from '../kernel/resolver-files.ts';
import { type Socket, TCP_STATES } from '../session/socket.ts';
import { type Answer, type Conclusion, conclude, deviceBlocks, hears, isHere } from './addr-judge.ts';
import type { Filter } from './filter/index.ts';
import { readSockets } from './sockets.ts';

export type { Answer, Conclusion } from './addr-judge.ts';
export { placeText, whoText } from './addr-judge.ts';

export interface AddrReport {
  name: string;
  port: number | null;
  /** The name is itself an address: nobody is asked. */
  numeric: boolean;
  /** Lines of /etc/hosts that name it. */
  hosts: HostsLine[];
  resolver: Omit<ResolverSettings, 'hosts'>;
  nodeOrder: string;
  /** In the order getaddrinfo gives them. */
  answers: Answer[];
  interfaces: Interface[];
  conclusions: Conclusion[];
  /** What was not visible, and why. */
  notes: string[];
}

export interface NameAndPort {
  name: string;
  port: number | null;
}

const MOST_PORT = 65535;

/** `localhost`, `localhost:3000`, `:3000`, `::1`, `[::1]:3000`. */
export function parseNameAndPort(text: string): NameAndPort {
  const found = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(text) ?? /^([^:]*)(?::(\d{1,5}))?$/.exec(text);
  const name = found === null && familyOf(text) === 6 ? text : found?.[1];
  const port = found?.[2] === undefined ? null : Number(found[2]);
  if (
    name === undefined ||
    /[\s[\]]/.test(name) ||
    port === 0 ||
    (port !== null && port > MOST_PORT) ||
    text === ''
  ) {
    throw new SockscopeError(
      'BAD_ADDRESS',
      `"${text}" is not a name or address with an optional port.`,
      'Examples: localhost, localhost:3000, :3000, [::1]:3000.',
      2,
    );
  }
  return { name: name === '' ? 'localhost' : name, port };
}

const WAITING = (1 << TCP_STATES.indexOf('LISTEN')) | (1 << TCP_STATES.indexOf('CLOSED'));

/** TCP sockets that listen and UDP sockets that wait for anybody. */
function waitingSockets(port: number | null): { sockets: Socket[]; notes: string[] } {
  const filter: Filter | null = port === null ? null : { kind: 'port', side: 'local', from: port, to: port };
  const { sockets, notes } = readSockets({
    protocols: ['tcp', 'udp'],
    states: WAITING,
    filter,
    owners: 'always',
  });
  return {
    sockets: sockets.filter(
      ({ protocol, state, local }) =>
        state === (protocol === 'tcp' ? 'LISTEN' : 'CLOSED') &&
        local.port !== 0 &&
        (port === null || local.port === port),
    ),
    notes,
  };
}

export async function addr({ name, port }: NameAndPort): Promise<AddrReport> {
  const { hosts, ...resolver } = readResolverSettings();
  const resolved = await resolveName(name);
  const interfaces = listInterfaces();
  const { sockets, notes } = waitingSockets(port);
  if (typeof interfaces === 'number') {
    throw new SockscopeError(
      'NO_RTNETLINK',
      'The kernel refused to list the network interfaces.',
      'A sandbox or container policy forbids AF_NETLINK; `sockscope abilities` shows what else is missing.',
      3,
    );
  }
  if (hosts === null) {
    notes.push('/etc/hosts cannot be read');
  }
  const answers = 'error' in resolved ? [] : answersOf(resolved, interfaces, sockets);
  const candidates = sockets.filter(({ protocol }) => protocol === 'tcp');
  const conclusions = conclude({ name, port, answers, candidates, interfaces });
  if ('error' in resolved) {
    conclusions.push({ kind: 'finding', code: 'NOT_FOUND', text: notFound(name, resolved.error, resolver) });
  }
  return {
    name,
    port,
    numeric: familyOf(name) !== null,
    hosts: hostsLinesFor(hosts ?? [], name),
    resolver,
    nodeOrder: nodeOrder(),
    answers,
    interfaces,
    conclusions,
    notes,
  };
}

function answersOf(
  resolved: readonly Resolved[],
  interfaces: readonly Interface[],
  sockets: readonly Socket[],
): Answer[] {
  return resolved.map(({ address, family }) => {
    const here = isHere(address, interfaces);
    const listeners = here
      ? sockets.filter((socket) => hears(socket, address, family) && !deviceBlocks(socket, interfaces))
      : [];
    return { address, family, here, listeners };
  });
}

/** One sentence that names who was asked. */
export function notFound(name: string, error: string, resolver: Omit<ResolverSettings, 'hosts'>): string {
  const servers = resolver.resolvConf?.nameservers ?? [];
  const asked = resolver.modules.map((module) => {
    if (module.name === 'files') {
      return '/etc/hosts';
    }
    if (module.name === 'dns') {
      return servers.length === 0
        ? 'DNS (no nameserver configured)'
        : `DNS at ${servers.slice(0, 3).join(', ')}`;
    }
    return `nss module ${module.name}`;
  });
  const verdict = error === 'EAI_AGAIN' ? 'could not be looked up just now' : 'does not resolve';
  return `${name} ${verdict} (${error}): asked were, in this order, ${asked.join(', then ')}.`;
}
