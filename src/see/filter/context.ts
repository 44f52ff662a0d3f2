/** What reading a filter must ask the machine: service names, interfaces, cgroups. Functions, so that another namespace or a test can answer. */
import { hostsFile } from '../../kernel/hosts.ts';
import { cgroupId, deviceIndex, deviceName, servicePort } from '../../kernel/names.ts';
import { ephemeralPorts } from '../../kernel/port-range.ts';

export interface ParseOptions {
  services?: (name: string, protocol: string) => number | undefined;
  /** Addresses of a host name: those of /etc/hosts, for DNS would have to be waited for. */
  hosts?: (name: string) => readonly string[];
  /** Null: there is no such interface, which is an error. */
  deviceIndex?: (name: string) => number | null;
  deviceName?: (index: number) => string;
  cgroupId?: (path: string) => number | null;
  /** The ports the kernel picks from, for `autobound`. */
  ephemeral?: () => { from: number; to: number };
}

export interface Context extends Required<ParseOptions> {
  /** The last family named by `inet:`, `inet6:` or `unix:`; in ss it holds for the whole filter. */
  family: 4 | 6 | 0 | null;
  /** Words beyond the ss grammar were used, so that rule of ss does not apply. */
  ours: boolean;
}

export function context(options: ParseOptions): Context {
  return {
    services: servicePort,
    hosts: hostsFile,
    deviceIndex,
    deviceName,
    cgroupId,
    ephemeral: ephemeralPorts,
    ...options,
    family: null,
    ours: false,
  };
}
