/**
 * What this process may do on this machine, found by doing it (harmlessly), and why not where it may not.
 * A capability bit alone says little: containers, seccomp and security modules refuse what the bit allows,
 * and a user namespace holds bits that the machine outside does not honour.
 */
import { type Ability, ability, effectiveCapabilities, readText } from './abilities/ability.ts';
import { bpf, packets } from './abilities/packets.ts';
import { otherOwners, traceChildren, tracefs, traceRunning } from './abilities/processes.ts';
import { netAdmin, socketDestroy, socketTables } from './abilities/sockets.ts';
import { enterNamespaces, userNamespaces } from './abilities/spaces.ts';
import { unavailable } from './libc.ts';

export type { Ability } from './abilities/ability.ts';

export function abilities(): Ability[] {
  if (unavailable !== null) {
    return [ability('linux', 'ask the kernel', 'everything but the parts that need only Node', unavailable)];
  }
  const held = effectiveCapabilities(readText('/proc/self/status') ?? '');
  return [
    ...socketTables(),
    otherOwners(),
    socketDestroy(held),
    netAdmin(held),
    ...packets(held),
    userNamespaces(),
    enterNamespaces(held),
    traceChildren(held),
    traceRunning(held),
    tracefs(),
    bpf(held),
  ];
}
