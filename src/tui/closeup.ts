/** One socket seen closely: found again at each reading, its figures kept, its processes told about. */
import type { Socket } from '../session/socket.ts';
import type { Detail } from './detail.ts';
import { pinpoint } from './filter-line.ts';
import { emptyHistory, remember } from './history.ts';
import type { Table } from './model.ts';
import type { ProcessStory, WatchOptions } from './options.ts';

type Means = Pick<WatchOptions, 'read' | 'processStory'>;

/** Asked for by its addresses, so that the kernel does not describe every other socket too. Null: it is gone. */
export function find({ read }: Means, table: Table, socket: Socket): Socket | null {
  const present = table.changes.present.get(socket.cookie) ?? null;
  const filter = pinpoint(present ?? socket);
  if (filter === null) {
    return present;
  }
  const found = read(filter, true).sockets.find(({ cookie }) => cookie === socket.cookie);
  if (found === undefined) {
    return present;
  }
  // The two readings may differ in whether owners were looked up: keep whichever knows them.
  const owned = found.owners.length > 0 || present === null || present.owners.length === 0;
  return owned ? found : { ...found, owners: present.owners };
}

function storiesOf({ processStory }: Means, socket: Socket, known: Detail['stories']): Detail['stories'] {
  const stories = new Map<number, ProcessStory | null>();
  for (const { pid } of socket.owners) {
    if (!stories.has(pid)) {
      stories.set(pid, known.get(pid) ?? processStory?.(pid) ?? null);
    }
  }
  return stories;
}

export function lookAgain(means: Means, table: Table, detail: Detail, now: number): Detail {
  const found = find(means, table, detail.socket);
  const history = remember(detail.history, now, found);
  if (found === null) {
    return { ...detail, history, goneSince: detail.goneSince ?? now };
  }
  return {
    socket: found,
    history,
    goneSince: null,
    stories: storiesOf(means, found, detail.stories),
    scroll: detail.scroll,
  };
}

export function lookClosely(means: Means, table: Table, socket: Socket, now: number): Detail {
  const detail = {
    socket,
    history: emptyHistory(socket.cookie),
    goneSince: null,
    stories: new Map(),
    scroll: 0,
  };
  return lookAgain(means, table, detail, now);
}
