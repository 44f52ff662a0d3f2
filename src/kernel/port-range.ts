/** The ports the kernel picks from when a program does not name one. */
import { sysctl } from './abilities/ability.ts';

/** What Linux starts with, for where /proc is not mounted. */
const DEFAULT = { from: 32768, to: 60999 };

/** Of the calling thread's network namespace. */
export function ephemeralPorts(): { from: number; to: number } {
  return parsePortRange(sysctl('net.ipv4.ip_local_port_range') ?? '') ?? DEFAULT;
}

export function parsePortRange(text: string): { from: number; to: number } | null {
  const match = /^\s*(\d{1,5})\s+(\d{1,5})\s*$/.exec(text);
  return match === null ? null : { from: Number(match[1]), to: Number(match[2]) };
}
