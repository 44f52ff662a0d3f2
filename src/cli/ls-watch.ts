/** `ls --watch`: the live screen, given the means to read, to end a process and to destroy a connection. */
import { destroyConnection, endProcess, processStory } from '../see/from-the-row.ts';
import { readSockets } from '../see/sockets.ts';
import { watchSockets } from '../tui/sockets.tsx';
import { asked, type Wish } from './ls-wish.ts';

export function watchLs(wish: Wish): Promise<void> {
  return watchSockets({
    read: (filter, details) => readSockets({ ...asked(wish), filter, details }),
    filterText: wish.filterText,
    intervalMs: (wish.watchSeconds ?? 1) * 1000,
    sort: wish.sort,
    killProcess: endProcess,
    destroy: destroyConnection,
    processStory,
  });
}
