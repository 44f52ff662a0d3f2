/** File descriptors per process. */
import type { ProcessDescriptors } from '../kernel/limits.ts';
import { printable } from '../wire/printable.ts';
import { type Figures, type Limit, share } from './limit.ts';

const WHEN_FULL =
  'accept(), socket(), open() and pipe() fail with EMFILE; clients still connect, and wait in the accept queue without an answer';

export function processFiles({ processes, kinds }: Figures): Limit[] {
  return processes.map((one) => {
    const of = kinds?.get(one.pid);
    return {
      id: `descriptors:${one.pid}`,
      kind: 'descriptors',
      subject: `${printable(one.name)} pid ${one.pid}`,
      what: 'file descriptors',
      ...share(one.used.value, one.limit.soft),
      whenFull: WHEN_FULL,
      raise: raise(one),
      pid: one.pid,
      ...(of === undefined ? {} : { note: kindsText(of) }),
      ...(one.used.why === null ? {} : { notVisible: one.used.why }),
    };
  });
}

function raise({ pid, limit }: ProcessDescriptors): string {
  const { soft, hard } = limit;
  if (soft !== null && (hard === null || hard > soft)) {
    return `prlimit --pid ${pid} --nofile=${hard ?? 'N'}: raises the soft limit of ${soft} up to the hard one of ${hard ?? 'unlimited'}; for good: ulimit -n or LimitNOFILE=`;
  }
  return `soft and hard limit are both ${hard ?? 'unlimited'}: as root prlimit --pid ${pid} --nofile=N:N; for good: LimitNOFILE= or limits.conf`;
}

/** `9 pipe, 3 eventpoll, 2 socket`. */
function kindsText(kinds: ReadonlyMap<string, number>): string {
  return [...kinds]
    .sort((a, b) => b[1] - a[1])
    .map(([kind, count]) => `${count} ${printable(kind)}`)
    .join(', ');
}
