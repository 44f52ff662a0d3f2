/** Who forgot to close: CLOSE-WAIT ends only when the program calls close(), so a heap of them is a leak. */

import type { Socket } from '../session/socket.ts';
import { printable } from '../wire/printable.ts';
import type { Leak, Scope } from './limit.ts';

const WORTH_SAYING = 20;

interface Heap {
  pid: number | null;
  name: string;
  closeWait: number;
  oldestMs: number | null;
}

export function leaksOf(sockets: readonly Socket[], scope: Scope): Leak[] {
  const heaps = new Map<number | null, Heap>();
  for (const socket of sockets) {
    if (socket.state !== 'CLOSE-WAIT') {
      continue;
    }
    // The first holder stands for those who share the socket with it.
    const owner = socket.owners[0];
    if (scope.pid !== undefined && !socket.owners.some(({ pid }) => pid === scope.pid)) {
      continue;
    }
    if (scope.port !== undefined && socket.local.port !== scope.port && socket.peer.port !== scope.port) {
      continue;
    }
    const pid = owner?.pid ?? null;
    const heap = heaps.get(pid) ?? { pid, name: owner?.name ?? '', closeWait: 0, oldestMs: null };
    heap.closeWait++;
    heap.oldestMs = older(heap.oldestMs, socket.tcp?.lastDataReceivedMs);
    heaps.set(pid, heap);
  }
  return [...heaps.values()]
    .filter(({ closeWait }) => closeWait >= WORTH_SAYING)
    .sort((a, b) => b.closeWait - a.closeWait)
    .map((heap) => ({
      ...heap,
      name: heap.pid === null ? 'owner not visible' : printable(heap.name),
      advice: `the other side has closed them; only close() in this program ends them (sockscope ls close-wait${heap.pid === null ? '' : ` pid:${heap.pid}`})`,
    }));
}

function older(a: number | null, b: number | undefined): number | null {
  return b === undefined ? a : Math.max(a ?? 0, b);
}
