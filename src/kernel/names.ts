/** Numbers the kernel uses and the names people use: interfaces, cgroups, services. Read when first asked, kept for the run. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { effectiveCapabilities, holds, readText } from './abilities/ability.ts';
import * as libc from './libc.ts';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SIOCGIFNAME = 0x8910;
const SIOCGIFINDEX = 0x8933;
const IFREQ = 40;
const CGROUP_ROOT = '/sys/fs/cgroup';

function interfaceRequest(request: number, fill: (ifreq: Buffer) => void): Buffer | null {
  const fd = libc.socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) {
    return null;
  }
  const ifreq = Buffer.alloc(IFREQ);
  fill(ifreq);
  const result = libc.ioctl(fd, request, ifreq);
  libc.close(fd);
  return result < 0 ? null : ifreq;
}

const devices = new Map<number, string>();

export function deviceName(index: number): string {
  let name = devices.get(index);
  if (name === undefined) {
    const answer = interfaceRequest(SIOCGIFNAME, (ifreq) => ifreq.writeInt32LE(index, 16));
    name = answer === null ? `if${index}` : answer.toString('latin1', 0, answer.indexOf(0));
    devices.set(index, name);
  }
  return name;
}

export function deviceIndex(name: string): number | null {
  if (Buffer.byteLength(name) > 15) {
    return null;
  }
  const answer = interfaceRequest(SIOCGIFINDEX, (ifreq) => ifreq.write(name, 'latin1'));
  return answer === null ? null : answer.readInt32LE(16);
}

let cgroups: Map<number, string> | null = null;

/** A cgroup's id is the inode of its directory (cgroup v2). */
export function cgroupPath(id: number): string | null {
  cgroups ??= readCgroups();
  return cgroups.get(id) ?? null;
}

export function cgroupId(path: string): number | null {
  const stat = statSync(cgroupDirectory(path), { throwIfNoEntry: false });
  return stat === undefined ? null : stat.ino;
}

function cgroupDirectory(path: string): string {
  const root = cgroupRoot();
  return path.startsWith(root) ? path : `${root}/${path.replace(/^\/+/, '')}`;
}

/** Hybrid systems mount version 2 beside version 1. */
function cgroupRoot(): string {
  const unified = `${CGROUP_ROOT}/unified`;
  return statSync(unified, { throwIfNoEntry: false }) === undefined ? CGROUP_ROOT : unified;
}

const MOST_CGROUPS = 20_000;

function readCgroups(): Map<number, string> {
  const root = cgroupRoot();
  const found = new Map<number, string>();
  const waiting = [''];
  while (waiting.length > 0 && found.size < MOST_CGROUPS) {
    const path = waiting.pop()!;
    const stat = statSync(root + path, { throwIfNoEntry: false });
    if (stat === undefined) {
      continue;
    }
    found.set(stat.ino, path === '' ? '/' : path);
    for (const name of subdirectories(root + path)) {
      waiting.push(`${path}/${name}`);
    }
  }
  return found;
}

function subdirectories(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return []; // a cgroup that ended while we looked
  }
}

let services: Map<string, number> | null = null;

function readServices(): Map<string, number> {
  const ports = new Map<string, number>();
  let text = '';
  try {
    text = readFileSync('/etc/services', 'utf8');
  } catch {
    return ports; // a minimal system has none: ports stay numbers
  }
  for (const line of text.split('\n')) {
    const match = /^([^#\s]\S*)\s+(\d+)\/(\w+)([^#]*)/.exec(line);
    if (match === null) {
      continue;
    }
    for (const name of [match[1]!, ...match[4]!.trim().split(/\s+/)]) {
      if (name !== '' && !ports.has(`${name}/${match[3]}`)) {
        ports.set(`${name}/${match[3]}`, Number(match[2]));
      }
    }
  }
  return ports;
}

export function servicePort(name: string, protocol?: string): number | undefined {
  services ??= readServices();
  return protocol === undefined
    ? (services.get(`${name}/tcp`) ?? services.get(`${name}/udp`))
    : services.get(`${name}/${protocol}`);
}

/** The network namespace of this process, as the inode that /proc shows; 0 when /proc is not mounted. */
export function ownNetns(): number {
  return statSync('/proc/self/ns/net', { throwIfNoEntry: false })?.ino ?? 0;
}

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

let networkAdmin: boolean | null = null;

/** CAP_NET_ADMIN in effect: the kernel refuses some questions without it. */
export function mayAdministerNetwork(): boolean {
  networkAdmin ??= holds(effectiveCapabilities(readText('/proc/self/status') ?? ''), 'CAP_NET_ADMIN');
  return networkAdmin;
}
