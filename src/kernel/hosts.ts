/** Addresses of a name by the hosts file alone: for whoever cannot wait for DNS. */
import { readText } from './abilities/ability.ts';
import { hostsLinesFor, parseHosts } from './resolver-files.ts';

/** RFC 6761 section 6.3. */
const LOCALHOST = ['127.0.0.1', '::1'];

export function hostsFile(name: string): readonly string[] {
  const found = hostsLinesFor(parseHosts(readText('/etc/hosts') ?? ''), name).map(({ address }) => address);
  return found.length === 0 && name.toLowerCase() === 'localhost' ? LOCALHOST : [...new Set(found)];
}
