/** How names are resolved here: the files that say so, and what the C library then answers. */
import { getDefaultResultOrder, promises } from 'node:dns';
import { readText } from './abilities/ability.ts';
import {
  DEFAULT_MODULES,
  type GaiRule,
  type HostsLine,
  parseGaiConf,
  parseHosts,
  parseNsswitch,
  parseResolvConf,
  type ResolvConf,
  type SwitchModule,
} from './resolver-files.ts';

export interface ResolverSettings {
  /** /etc/hosts, or null when it is not there. */
  hosts: HostsLine[] | null;
  modules: readonly SwitchModule[];
  /** False when /etc/nsswitch.conf has no `hosts:` line, so the modules are glibc's own. */
  modulesConfigured: boolean;
  resolvConf: ResolvConf | null;
  gai: GaiRule[];
}

export function readResolverSettings(): ResolverSettings {
  const hosts = readText('/etc/hosts');
  const resolv = readText('/etc/resolv.conf');
  const modules = parseNsswitch(readText('/etc/nsswitch.conf') ?? '');
  return {
    hosts: hosts === null ? null : parseHosts(hosts),
    modules: modules ?? DEFAULT_MODULES,
    modulesConfigured: modules !== null,
    resolvConf: resolv === null ? null : parseResolvConf(resolv),
    gai: parseGaiConf(readText('/etc/gai.conf') ?? ''),
  };
}

export interface Resolved {
  address: string;
  family: 4 | 6;
}

/** getaddrinfo(3) in the order in which it answers. */
export async function resolveName(name: string): Promise<Resolved[] | { error: string }> {
  try {
    const found = await promises.lookup(name, { all: true, order: 'verbatim' });
    return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
  } catch (error) {
    return { error: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
}

/** The order in which Node's own functions answer in this process: `verbatim` unless an option or the program changed it. */
export function nodeOrder(): string {
  return getDefaultResultOrder();
}
