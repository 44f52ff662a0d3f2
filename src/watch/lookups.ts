/** Names in a capture filter: services from the services file, hosts from the hosts file. Nothing is asked over the network. */
import { hostsFile } from '../kernel/hosts.ts';
import { servicePort } from '../kernel/names.ts';
import type { FilterLookups } from '../wire/filter.ts';
import { parseIpv4, parseIpv6 } from '../wire/net/address.ts';

export const filterLookups: FilterLookups = {
  host: (name) =>
    hostsFile(name)
      .map((address) => parseIpv4(address) ?? parseIpv6(address))
      .filter((address) => address !== null),
  port(name, protocol) {
    const port = servicePort(name, protocol);
    return port === undefined ? [] : [port];
  },
};
