/** Which servers are asked: those that were typed, or the machine's own. */
import { isIP } from 'node:net';
import { SockscopeError } from '../../../errors.ts';
import { readResolverSettings, resolveName } from '../../../kernel/resolver.ts';

export interface DnsServer {
  readonly host: string;
  readonly port: number;
}

const PORT = 53;
/** glibc asks no more than these (MAXNS of resolv.h). */
const MOST_CONFIGURED = 3;

/** The nameservers of /etc/resolv.conf; this machine when there are none (resolv.conf(5)). */
export function configuredServers(): DnsServer[] {
  const named = readResolverSettings().resolvConf?.nameservers ?? [];
  const hosts = named.filter((host) => isIP(host) !== 0).slice(0, MOST_CONFIGURED);
  return (hosts.length === 0 ? ['127.0.0.1'] : hosts).map((host) => ({ host, port: PORT }));
}

/** `192.0.2.53`, `192.0.2.53:5300`, `::1`, `[::1]:5300`, `dns.example:5300`. */
export async function findServer(text: string): Promise<DnsServer> {
  const [, six, sixPort] = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(text) ?? [];
  const [, plain, plainPort] = isIP(text) === 6 ? [] : (/^([^:[\]]+)(?::(\d{1,5}))?$/.exec(text) ?? []);
  const host = six ?? plain ?? text;
  const port = Number(sixPort ?? plainPort ?? PORT);
  if (
    host === '' ||
    host.includes('[') ||
    (host.includes(':') && isIP(host) !== 6) ||
    port < 1 ||
    port > 0xffff
  ) {
    throw new SockscopeError(
      'DNS_WORDS',
      `@${text} is no server.`,
      'Write it like @192.0.2.53, @127.0.0.1:5300, @[::1]:5300 or @dns.example.',
      2,
    );
  }
  if (isIP(host) !== 0) {
    return { host, port };
  }
  const found = await resolveName(host);
  const first = Array.isArray(found) ? found[0] : undefined;
  if (first === undefined) {
    const why = Array.isArray(found) ? 'it has no address' : found.error;
    throw new SockscopeError(
      'DNS_SERVER',
      `The server ${host} cannot be asked: ${why}.`,
      'Give its address, or see `sockscope addr` for how names are resolved here.',
      3,
    );
  }
  return { host: first.address, port };
}
