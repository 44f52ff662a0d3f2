/** `--netns`: the same reading, made inside other network namespaces. */
import { SockscopeError } from '../errors.ts';
import { errnoMeaning, errnoName } from '../kernel/errno.ts';
import { close } from '../kernel/libc.ts';
import { isRoot } from '../kernel/names.ts';
import {
  cannotEnter,
  listNamespaces,
  type Namespace,
  type NamespaceTarget,
  netlinkSocketsIn,
  parseTarget,
} from '../kernel/namespaces.ts';
import { type Reading, type ReadOptions, readSockets } from './sockets.ts';

/** `all`, the name of a file in /run/netns, a pid, or an inode. */
export async function readNetns(which: string, options: ReadOptions): Promise<Reading> {
  const { namespaces, hidden } = listNamespaces();
  const chosen =
    which === 'all' ? namespaces : namespaces.filter((namespace) => isNamed(namespace, parseTarget(which)));
  if (chosen.length === 0) {
    const names = namespaces.flatMap((namespace) => namespace.names);
    throw new SockscopeError(
      'NO_NETNS',
      `No network namespace is called ${which}, and no visible process or inode of that number has one.`,
      names.length > 0
        ? `Names here: ${names.join(', ')}; or give a pid, or all.`
        : 'Give the pid of a process in it, or all.',
      2,
    );
  }
  const foreign = chosen.filter((namespace) => !namespace.ours);
  const sockets = foreign.length === 0 ? [] : await netlinkSocketsIn(foreign.map(({ path }) => path));
  if (which !== 'all' && (sockets[0] ?? 0) < 0) {
    throw cannotEnter(foreign[0]!.path, sockets[0]!);
  }
  const readings = chosen.map((namespace) =>
    namespace.ours
      ? readSockets({ ...options, netns: namespace.inode })
      : readForeign(namespace, sockets[foreign.indexOf(namespace)] ?? -1, options),
  );
  const notes = readings.flatMap((reading) => reading.notes);
  if (which === 'all' && hidden > 0) {
    notes.push(
      `network namespace of ${hidden === 1 ? '1 process' : `${hidden} processes`} not visible: ${isRoot() ? 'even root is kept out here' : 'another user’s; run as root'}`,
    );
  }
  return { sockets: readings.flatMap((reading) => reading.sockets), notes };
}

function isNamed(namespace: Namespace, target: NamespaceTarget): boolean {
  if ('pid' in target) {
    return namespace.pids.includes(target.pid);
  }
  return 'name' in target ? namespace.names.includes(target.name) : namespace.inode === target.inode;
}

function readForeign(namespace: Namespace, netlink: number, options: ReadOptions): Reading {
  if (netlink < 0) {
    const name = namespace.names[0] ?? `of pid ${namespace.pids[0] ?? '?'}`;
    return {
      sockets: [],
      notes: [`network namespace ${name} not visible: ${errnoName(netlink)}, ${errnoMeaning(netlink)}`],
    };
  }
  try {
    return readSockets({ ...options, netlink, netns: namespace.inode });
  } finally {
    close(netlink);
  }
}
