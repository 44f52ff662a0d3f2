/** The kernel's settings for connections, as the calling thread's network namespace has them. */
import fs from 'node:fs';
import { parseNumbers } from './proc-parse.ts';

/** A figure, or why there is none. */
export type Fact<T> = { value: T; why: null } | { value: null; why: string };

export function known<T>(value: T): Fact<T> {
  return { value, why: null };
}

export function unknown(why: string): { value: null; why: string } {
  return { value: null, why };
}

export interface PortRange {
  from: number;
  to: number;
}

export interface Sysctls {
  openFilesMax: Fact<number>;
  openFilesPerProcessMax: Fact<number>;
  ephemeral: Fact<PortRange>;
  reserved: Fact<PortRange[]>;
  unprivilegedFrom: Fact<number>;
  somaxconn: Fact<number>;
  synBacklog: Fact<number>;
  /** 0 off, 1 when the queue is full, 2 always. */
  synCookies: Fact<number>;
  timeWaitMax: Fact<number>;
  /** 0 never, 1 always, 2 on loopback only. */
  timeWaitReuse: Fact<number>;
  finTimeoutSeconds: Fact<number>;
  orphansMax: Fact<number>;
  /** Pages: comfortable, pressure, most. */
  tcpMemory: Fact<[number, number, number]>;
  netdevBacklog: Fact<number>;
  conntrackUsed: Fact<number>;
  conntrackMax: Fact<number>;
}

/** Kept by the kernel for the whole machine, and shown in the first network namespace only. */
const GLOBAL = new Set(['net/ipv4/tcp_mem', 'net/ipv4/tcp_max_orphans', 'net/core/netdev_max_backlog']);

export function readSysctls(): Sysctls {
  return {
    openFilesMax: number('fs/file-max'),
    openFilesPerProcessMax: number('fs/nr_open'),
    ephemeral: portRange(),
    reserved: reservedPorts(),
    unprivilegedFrom: number('net/ipv4/ip_unprivileged_port_start'),
    somaxconn: number('net/core/somaxconn'),
    synBacklog: number('net/ipv4/tcp_max_syn_backlog'),
    synCookies: number('net/ipv4/tcp_syncookies'),
    timeWaitMax: number('net/ipv4/tcp_max_tw_buckets'),
    timeWaitReuse: number('net/ipv4/tcp_tw_reuse'),
    finTimeoutSeconds: number('net/ipv4/tcp_fin_timeout'),
    orphansMax: number('net/ipv4/tcp_max_orphans'),
    tcpMemory: triple('net/ipv4/tcp_mem'),
    netdevBacklog: number('net/core/netdev_max_backlog'),
    conntrackUsed: conntrack('net/netfilter/nf_conntrack_count'),
    conntrackMax: conntrack('net/netfilter/nf_conntrack_max'),
  };
}

/** fs.file-nr: open files of the whole machine (proc_sys_fs(5)). */
export function openFiles(): Fact<number> {
  return first('fs/file-nr', 3);
}

function number(name: string): Fact<number> {
  return first(name, 1);
}

function first(name: string, length: number): Fact<number> {
  const fact = numbers(name, length);
  return fact.value === null ? fact : known(fact.value[0]!);
}

function triple(name: string): Fact<[number, number, number]> {
  const fact = numbers(name, 3);
  return fact.value === null ? fact : known([fact.value[0]!, fact.value[1]!, fact.value[2]!]);
}

function portRange(): Fact<PortRange> {
  const fact = numbers('net/ipv4/ip_local_port_range', 2);
  return fact.value === null ? fact : known({ from: fact.value[0]!, to: fact.value[1]! });
}

function conntrack(name: string): Fact<number> {
  const fact = number(name);
  return fact.value === null ? unknown('connection tracking is not loaded') : fact;
}

function numbers(name: string, length: number): Fact<number[]> {
  const fact = text(name);
  if (fact.value === null) {
    return fact;
  }
  const values = parseNumbers(fact.value);
  return values?.length === length ? known(values) : unknown(`${dotted(name)} is not in the usual form`);
}

function reservedPorts(): Fact<PortRange[]> {
  const name = 'net/ipv4/ip_local_reserved_ports';
  const fact = text(name);
  if (fact.value === null) {
    return fact;
  }
  const ranges = parseRanges(fact.value);
  return ranges === null ? unknown(`${dotted(name)} is not in the usual form`) : known(ranges);
}

/** `8080,9100-9120`; an empty text is an empty list. */
export function parseRanges(text: string): PortRange[] | null {
  const ranges: PortRange[] = [];
  for (const part of text.trim().split(',')) {
    if (part === '') {
      continue;
    }
    const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    const from = Number(found?.[1]);
    const to = Number(found?.[2] ?? found?.[1]);
    if (found === null || from > to || to > 65535) {
      return null;
    }
    ranges.push({ from, to });
  }
  return ranges;
}

function text(name: string): Fact<string> {
  try {
    return known(fs.readFileSync(`/proc/sys/${name}`, 'latin1'));
  } catch (error) {
    return unknown(reason(name, error));
  }
}

function reason(name: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  if (code === 'EACCES' || code === 'EPERM') {
    return `${dotted(name)} is not readable: run as root`;
  }
  return GLOBAL.has(name)
    ? `${dotted(name)} is shown in the first network namespace only`
    : `this kernel has no ${dotted(name)}`;
}

function dotted(name: string): string {
  return name.replaceAll('/', '.');
}
