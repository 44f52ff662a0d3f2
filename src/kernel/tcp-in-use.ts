/** How many TCP sockets there are, from /proc/net/sockstat: two small reads that tell which big walks are worth their time. */
import { readFileSync } from 'node:fs';

export interface TcpInUse {
  v4: number;
  v6: number;
  /** TIME-WAIT, and FIN-WAIT-2 without a process, of both families: counted apart by the kernel. */
  timeWait: number;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // IPv6 is switched off, or there is no /proc
  }
}

function field(text: string, line: string, name: string): number | null {
  const found = new RegExp(`^${line}:.*\\b${name} (\\d+)`, 'm').exec(text);
  return found === null ? null : Number(found[1]);
}

/** Null when the kernel does not say. */
export function parseTcpInUse(sockstat: string, sockstat6: string): TcpInUse | null {
  const v4 = field(sockstat, 'TCP', 'inuse');
  const timeWait = field(sockstat, 'TCP', 'tw');
  return v4 === null || timeWait === null
    ? null
    : { v4, v6: field(sockstat6, 'TCP6', 'inuse') ?? 0, timeWait };
}

export function tcpInUse(): TcpInUse | null {
  return parseTcpInUse(read('/proc/net/sockstat'), read('/proc/net/sockstat6'));
}
