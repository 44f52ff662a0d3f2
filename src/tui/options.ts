/** What the live screen is given: it reads, signals and destroys only through these. */
import type { Filter } from '../see/filter/index.ts';
import type { Reading } from '../see/sockets.ts';
import type { Socket } from '../session/socket.ts';
import type { SortKey as SortWish } from '../view/groups.ts';

export interface ProcessStory {
  /** Null: not visible. */
  command: string | null;
  cwd: string | null;
  user?: string;
  container?: string;
  /** The parent first, then its parent, up to pid 1. */
  parents: readonly { pid: number; name: string }[];
}

/** One sentence: what happened. */
export type Outcome = string | Promise<string>;

export interface WatchOptions {
  read: (filter: Filter | null, details: boolean) => Reading;
  filterText?: string | undefined;
  intervalMs?: number | undefined;
  /** As `--sort` gives it: the first key that names a column of the screen counts. */
  sort?: readonly SortWish[] | undefined;
  killProcess?: (pid: number) => Outcome;
  destroy?: (socket: Socket) => Outcome;
  processStory?: (pid: number) => ProcessStory | null;
}
