/** What the network stack counted since the namespace was made. */
import fs from 'node:fs';
import { type Counters, parseCounters, parseSockstat } from './proc-parse.ts';
import { type Fact, known, unknown } from './sysctls.ts';

/** Not /proc/net: that shows the namespace of the process's first thread, and ours may be another one. */
const NET = '/proc/thread-self/net';

/** Keys such as `TcpExt.ListenOverflows` and `Udp.RcvbufErrors`. */
export function readCounters(): Fact<Counters> {
  const netstat = read('netstat');
  const snmp = read('snmp');
  if (netstat.value === null) {
    return netstat;
  }
  return known(new Map([...parseCounters(netstat.value), ...parseCounters(snmp.value ?? '')]));
}

export interface SocketCounts {
  /** Closed by their programs, not yet finished by the kernel. */
  orphans: Fact<number>;
  timeWait: Fact<number>;
  /** In pages, over all network namespaces. */
  tcpMemory: Fact<number>;
}

export function readSocketCounts(): SocketCounts {
  const text = read('sockstat');
  const figures = parseSockstat(text.value ?? '');
  const figure = (name: string): Fact<number> => {
    const value = figures.get(name);
    return value === undefined ? unknown(text.why ?? `sockstat has no ${name}`) : known(value);
  };
  return { orphans: figure('TCP.orphan'), timeWait: figure('TCP.tw'), tcpMemory: figure('TCP.mem') };
}

function read(name: string): Fact<string> {
  try {
    return known(fs.readFileSync(`${NET}/${name}`, 'latin1'));
  } catch {
    return unknown(`/proc/net/${name} is not readable here`);
  }
}
