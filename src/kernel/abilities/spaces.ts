/** Namespaces: making private ones without root, and entering those that exist. */
import { spawnSync } from 'node:child_process';
import * as libc from '../libc.ts';
import { type Ability, ability, readText, refusal, sysctl } from './ability.ts';

const CLONE_NEWNET = 0x4000_0000;
const O_RDONLY_CLOEXEC = 0o2000000;

export interface UserNamespaceSettings {
  /** kernel.unprivileged_userns_clone: Debian's and Arch's switch; null where the kernel has none. */
  clone: string | null;
  /** user.max_user_namespaces. */
  most: string | null;
  /** kernel.apparmor_restrict_unprivileged_userns: Ubuntu since 23.10. */
  apparmor: string | null;
  /** user.max_net_namespaces. */
  mostNet: string | null;
  compiledIn: boolean;
}

function settings(): UserNamespaceSettings {
  return {
    clone: sysctl('kernel.unprivileged_userns_clone'),
    most: sysctl('user.max_user_namespaces'),
    apparmor: sysctl('kernel.apparmor_restrict_unprivileged_userns'),
    mostNet: sysctl('user.max_net_namespaces'),
    compiledIn: readText('/proc/self/uid_map') !== null,
  };
}

/** Names the switch that forbids what was just refused. `said` is what the refused program printed. */
export function userNamespaceReason(found: UserNamespaceSettings, said: string): string {
  if (!found.compiledIn) {
    return 'this kernel was built without CONFIG_USER_NS';
  }
  if (found.most === '0') {
    return 'user.max_user_namespaces is 0; as root: sysctl user.max_user_namespaces=10000';
  }
  if (found.mostNet === '0') {
    return 'user.max_net_namespaces is 0; as root: sysctl user.max_net_namespaces=10000';
  }
  if (found.clone === '0') {
    return 'kernel.unprivileged_userns_clone is 0; as root: sysctl kernel.unprivileged_userns_clone=1';
  }
  if (found.apparmor === '1') {
    return 'kernel.apparmor_restrict_unprivileged_userns is 1; as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0';
  }
  return `\`unshare -Urn true\` said "${said}": no known setting forbids it, so it is probably a seccomp filter, as containers have (Docker: --security-opt seccomp=unconfined)`;
}

export function userNamespaces(): Ability {
  const tried = spawnSync('unshare', ['-Urn', 'true'], { encoding: 'utf8', timeout: 5000 });
  let why: string | null = null;
  if (tried.error !== undefined) {
    why = `the program \`unshare\` did not run (${tried.error.message}); it is part of the package util-linux`;
  } else if (tried.status !== 0) {
    why = userNamespaceReason(settings(), tried.stderr.trim());
  }
  return ability(
    'user-namespaces',
    'make private networks without root (unshare -Urn)',
    'experiments in private networks',
    why,
  );
}

/** Enters the namespace we are already in: the same checks, no effect (netns_install). */
export function enterNamespaces(capabilities: bigint): Ability {
  const fd = libc.openFile('/proc/self/ns/net', O_RDONLY_CLOEXEC);
  const result = fd < 0 ? fd : libc.setns(fd, CLONE_NEWNET);
  if (fd >= 0) {
    libc.close(fd);
  }
  return ability(
    'enter-namespaces',
    'look into other network namespaces, such as those of containers',
    'ls --netns',
    result < 0 ? refusal('setns', result, 'CAP_SYS_ADMIN', capabilities) : null,
  );
}
