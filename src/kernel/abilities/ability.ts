/** The shape of an ability, and what all probes need: capability bits, sysctls, errno names. */
import { readFileSync } from 'node:fs';
import { errnoName } from '../errno.ts';

export interface Ability {
  id: string;
  /** What one can do, for people. */
  what: string;
  available: boolean;
  /** Present exactly when not available: the reason, and how to get it. */
  why?: string;
  usedFor: string;
  /** An exception to an ability that is there. */
  note?: string;
}

/** Bit numbers of linux/capability.h. */
export const CAPABILITIES = {
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_ADMIN: 21,
  CAP_BPF: 39,
} as const;

export type Capability = keyof typeof CAPABILITIES;

/** The effective set of a /proc/PID/status text; no line means none. */
export function effectiveCapabilities(status: string): bigint {
  const found = /^CapEff:\s*([0-9a-f]{1,16})$/im.exec(status);
  return found === null ? 0n : BigInt(`0x${found[1]}`);
}

export function holds(set: bigint, capability: Capability): boolean {
  return ((set >> BigInt(CAPABILITIES[capability])) & 1n) === 1n;
}

/** A text file's content, or null when it is absent or unreadable. */
export function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** A sysctl by its dotted name, or null where this kernel does not have it. */
export function sysctl(name: string): string | null {
  return readText(`/proc/sys/${name.replaceAll('.', '/')}`)?.trim() ?? null;
}

/** An ability from a reason: null means it is there. */
export function ability(id: string, what: string, usedFor: string, why: string | null): Ability {
  return why === null ? { id, what, available: true, usedFor } : { id, what, available: false, why, usedFor };
}

/** Whether a uid_map maps every user: then this is the machine's own user namespace (user_namespaces(7)). */
export function mapsEveryUser(uidMap: string): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(uidMap);
}

export function insideUserNamespace(): boolean {
  const map = readText('/proc/self/uid_map');
  return map !== null && !mapsEveryUser(map);
}

/** What a refused call means to a person, together with the capability that would allow it. */
export function refusal(call: string, result: number, capability: Capability, set: bigint): string {
  const name = errnoName(result);
  if (holds(set, capability) && insideUserNamespace()) {
    return `${call} said ${name}: ${capability} is held only inside this user namespace, and this takes it outside; run as root of the machine`;
  }
  if (holds(set, capability)) {
    return `${call} said ${name} although ${capability} is held: a seccomp filter or security module of the container forbids it`;
  }
  return `${call} said ${name}: this process lacks ${capability}; run as root or give the program ${capability}`;
}
