/** The files that decide what a name means: hosts(5), nsswitch.conf(5), resolv.conf(5), gai.conf(5). Pure parsers; odd lines are left out. */
import { parseIpv4, parseIpv6 } from '../wire/net/address.ts';

export interface HostsLine {
  /** Counted from 1, as editors do. */
  line: number;
  address: string;
  family: 4 | 6;
  names: string[];
}

export interface SwitchModule {
  name: string;
  /** What stands in brackets after it, e.g. `NOTFOUND=return`. */
  actions: string[];
}

export interface ResolvConf {
  /** As written; glibc uses the first three. None written: the machine itself is asked. */
  nameservers: string[];
  search: string[];
  /** Names with fewer dots are tried with the search domains first. */
  ndots: number;
  options: string[];
}

export interface GaiRule {
  line: number;
  kind: 'label' | 'precedence' | 'scopev4';
  network: string;
  value: number;
}

export function familyOf(address: string): 4 | 6 | null {
  const plain = address.split('%', 1)[0] ?? '';
  return parseIpv4(plain) !== null ? 4 : parseIpv6(plain) !== null ? 6 : null;
}

function words(text: string): string[] {
  return text.split(/[ \t\r]+/).filter((word) => word !== '');
}

export function parseHosts(text: string): HostsLine[] {
  return text.split('\n').flatMap((content, index) => {
    const [address, ...names] = words(content.split('#', 1)[0] ?? '');
    const family = address === undefined ? null : familyOf(address);
    return address === undefined || family === null || names.length === 0
      ? []
      : [{ line: index + 1, address, family, names }];
  });
}

/** Lines that name the host. Case does not count (RFC 4343), nor does a dot at the end. */
export function hostsLinesFor(lines: readonly HostsLine[], name: string): HostsLine[] {
  const wanted = name.replace(/\.$/, '').toLowerCase();
  return lines.filter(({ names }) => names.some((other) => other.toLowerCase() === wanted));
}

/** What glibc does when nothing is configured (nss_database.c). */
export const DEFAULT_MODULES: readonly SwitchModule[] = [
  { name: 'dns', actions: ['!UNAVAIL=return'] },
  { name: 'files', actions: [] },
];

/** The `hosts:` line of nsswitch.conf, or null when there is none. The last one counts. */
export function parseNsswitch(text: string): SwitchModule[] | null {
  let modules: SwitchModule[] | null = null;
  for (const line of text.split('\n')) {
    const found = /^\s*hosts\s*:(.*)$/i.exec(line.split('#', 1)[0] ?? '');
    if (found !== null) {
      modules = switchModules(found[1] ?? '');
    }
  }
  return modules;
}

function switchModules(text: string): SwitchModule[] {
  const modules: SwitchModule[] = [];
  for (const token of text.match(/\[[^\]]*\]?|[^\s[]+/g) ?? []) {
    if (token.startsWith('[')) {
      modules.at(-1)?.actions.push(...words(token.replace(/[[\]]/g, ' ')));
    } else {
      modules.push({ name: token, actions: [] });
    }
  }
  return modules;
}

const MOST_DOTS = 15;

export function parseResolvConf(text: string): ResolvConf {
  const found: ResolvConf = { nameservers: [], search: [], ndots: 1, options: [] };
  for (const line of text.split('\n')) {
    // Only at the start of a line is it a comment or a keyword (res_init.c).
    const [keyword, ...values] = /^[#;\s]/.test(line) ? [] : words(line);
    if (keyword === 'nameserver' && values[0] !== undefined && familyOf(values[0]) !== null) {
      found.nameservers.push(values[0]);
    } else if (keyword === 'search') {
      found.search = values;
    } else if (keyword === 'domain') {
      found.search = values.slice(0, 1);
    } else if (keyword === 'options') {
      found.options.push(...values);
    }
  }
  for (const option of found.options) {
    const dots = /^ndots:(\d{1,4})$/.exec(option);
    if (dots !== null) {
      found.ndots = Math.min(Number(dots[1]), MOST_DOTS);
    }
  }
  return found;
}

/** Rules of gai.conf. Any rule of a kind replaces glibc's whole built-in table of that kind. */
export function parseGaiConf(text: string): GaiRule[] {
  return text.split('\n').flatMap((content, index): GaiRule[] => {
    const [kind, network, value] = words(content.split('#', 1)[0] ?? '');
    if (kind !== 'label' && kind !== 'precedence' && kind !== 'scopev4') {
      return [];
    }
    const whole = familyOf((network ?? '').split('/', 1)[0] ?? '') !== null && /^\d{1,9}$/.test(value ?? '');
    return network !== undefined && whole ? [{ line: index + 1, kind, network, value: Number(value) }] : [];
  });
}
