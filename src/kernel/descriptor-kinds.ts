/** What a process's descriptors are, by the text that /proc shows for each. */
import { walkDescriptors } from './descriptors.ts';

/** `socket`, `pipe`, `file`, `device`, `memfd`, `namespace`, or an anonymous inode's own name: `eventpoll`, `eventfd`, `timerfd` … */
export type KindCounts = ReadonlyMap<string, number>;

/** null: gone, or not ours to see. */
export function descriptorKinds(pid: number): KindCounts | null {
  const counts = new Map<string, number>();
  const walk = walkDescriptors(pid, (_, bytes, length) => {
    const kind = descriptorKind(bytes.subarray(0, length));
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return true;
  });
  return walk === 'done' ? counts : null;
}

const NAMESPACES = new Set(['net', 'mnt', 'pid', 'user', 'uts', 'ipc', 'cgroup', 'time']);

export function descriptorKind(link: Uint8Array): string {
  const text = Buffer.from(link.buffer, link.byteOffset, link.byteLength).toString('latin1');
  if (text.startsWith('/')) {
    return text.startsWith('/dev/') ? 'device' : text.startsWith('/memfd:') ? 'memfd' : 'file';
  }
  const colon = text.indexOf(':');
  const prefix = text.slice(0, Math.max(0, colon));
  if (prefix === 'anon_inode') {
    return /^\[?([a-z_-]+)/i.exec(text.slice(colon + 1))?.[1] ?? 'anonymous';
  }
  if (prefix === 'socket' || prefix === 'pipe') {
    return prefix;
  }
  return NAMESPACES.has(prefix) ? 'namespace' : 'other';
}
