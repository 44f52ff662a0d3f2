/** `ls --watch`: the live screen, given the means to read, to end a process and to destroy a connection. */

import { and } from '../see/filter/index.ts';
import { destroyConnection, endProcess, processStory } from '../see/from-the-row.ts';
import { readSockets } from '../see/sockets.ts';
import { asked, type Wish } from './ls-wish.ts';

export async function watchLs(wish: Wish): Promise<void> {
  const { watchSockets } = await import('../tui/sockets.tsx');
  return watchSockets({
    read: (filter, details) =>
      readSockets({ ...asked(wish), filter: and(wish.fixedFilter, filter), details }),
    filterText: wish.filterText,
    intervalMs: (wish.watchSeconds ?? 1) * 1000,
    sort: wish.sort,
    killProcess: endProcess,
    destroy: destroyConnection,
    processStory,
  });
}
