/** Files and folders from here to an SFTP server. */
import {
  close,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs';
import { type ByteName, bufferOf, join, textOf } from './byte-name.ts';
import { CopyEnded, type CopyPair, type CopyWatch, type CopyWishes, kindOf } from './copy-order.ts';
import { partPath, sameOriginal } from './copy-part.ts';
import { CopyState, DEEPEST, PIECE } from './copy-state.ts';
import { type Sftp, SftpLost, SftpRefusal } from './sftp.ts';
import { type Attributes, OPEN, STATUS } from './sftp-packet.ts';

export async function copyUp(
  sftp: Sftp,
  pairs: readonly CopyPair[],
  wishes: CopyWishes,
  watch: CopyWatch,
  signal: AbortSignal,
): Promise<void> {
  const up = new Up(sftp, new CopyState(wishes, watch, signal));
  try {
    for (const pair of pairs) {
      await up.pair(pair);
    }
    await up.finish();
  } catch (error) {
    await up.settle();
    throw error;
  }
}

class Up {
  readonly #sftp: Sftp;
  readonly #state: CopyState;
  readonly #folders: { readonly to: ByteName; readonly stats: Stats }[] = [];

  constructor(sftp: Sftp, state: CopyState) {
    this.#sftp = sftp;
    this.#state = state;
  }

  async pair({ from, to }: CopyPair): Promise<void> {
    await this.#state.each(from, async () => {
      const path = bufferOf(from);
      const stats = this.#state.wishes.links ? lstatSync(path) : statSync(path);
      await this.#thing(from, to, stats, []);
    });
  }

  async finish(): Promise<void> {
    await this.#state.flight.settled();
    for (const { to, stats } of this.#folders.reverse()) {
      await this.#state.each(to, () => this.#finishFolder(to, stats));
    }
  }

  async settle(): Promise<void> {
    await this.#state.flight.settled().catch(() => undefined);
  }

  async #thing(from: ByteName, to: ByteName, stats: Stats, above: readonly string[]): Promise<void> {
    this.#state.goOn();
    switch (kindOf(stats.mode)) {
      case 'file':
        this.#state.watch.found(stats.size);
        await this.#state.flight.add(() => this.#state.each(from, () => this.#file(from, to)));
        return;
      case 'folder':
        return this.#folder(from, to, stats, above);
      case 'link':
        return this.#state.wishes.links
          ? this.#link(from, to)
          : this.#thing(from, to, statSync(bufferOf(from)), above);
      default:
        throw new Error('not a regular file');
    }
  }

  async #folder(from: ByteName, to: ByteName, stats: Stats, above: readonly string[]): Promise<void> {
    if (!this.#state.wishes.recursive) {
      throw new Error('is a folder: -r copies folders');
    }
    const identity = `${stats.dev} ${stats.ino}`;
    if (above.includes(identity)) {
      throw new Error('a link to a folder that it is in');
    }
    if (above.length > DEEPEST) {
      throw new Error(`more than ${DEEPEST} folders within each other`);
    }
    const names = readdirSync(bufferOf(from), 'latin1') as ByteName[];
    await this.#makeFolder(to, stats.mode);
    this.#folders.push({ to, stats });
    for (const name of names) {
      const path = join(from, name);
      await this.#state.each(path, () =>
        this.#thing(path, join(to, name), lstatSync(bufferOf(path)), [...above, identity]),
      );
    }
    this.#state.watch.done('folder', textOf(to), 0);
  }

  async #makeFolder(to: ByteName, mode: number): Promise<void> {
    try {
      await this.#sftp.mkdir(to, (mode & 0o777) | 0o700);
    } catch (error) {
      if (!(error instanceof SftpRefusal)) {
        throw error;
      }
      // Version 3 has no word for "it is there already".
      const there = await this.#sftp.stat(to).catch(() => null);
      if (there === null || kindOf(there.mode) !== 'folder') {
        throw there === null ? error : new Error('there it is not a folder');
      }
    }
  }

  async #finishFolder(to: ByteName, stats: Stats): Promise<void> {
    const mode = stats.mode & 0o7777;
    if (this.#state.wishes.preserve) {
      await this.#sftp.setstat(to, { mode, ...timesOf(stats) });
    } else if ((mode & 0o700) !== 0o700) {
      await this.#sftp.setstat(to, { mode: mode & 0o777 });
    }
  }

  async #link(from: ByteName, to: ByteName): Promise<void> {
    const target = readlinkSync(bufferOf(from), 'latin1');
    await this.#sftp.symlink(to, target).catch(async (error: unknown) => {
      if (!(error instanceof SftpRefusal)) {
        throw error;
      }
      const there = await this.#sftp.lstat(to).catch(() => null);
      if (there === null || kindOf(there.mode) === 'folder') {
        throw there === null ? error : new Error('a folder is in the way of a link');
      }
      await this.#sftp.remove(to);
      await this.#sftp.symlink(to, target);
    });
    this.#state.watch.done('link', textOf(to), 0);
  }

  async #file(from: ByteName, to: ByteName): Promise<void> {
    const { preserve, resume } = this.#state.wishes;
    const fd = openSync(bufferOf(from), 'r');
    try {
      const stats = fstatSync(fd);
      const part = partPath(to, resume ? sameOriginal(stats.size, Math.trunc(stats.mtimeMs / 1000)) : null);
      const start = resume ? await this.#partial(part, stats.size) : 0;
      const flags = OPEN.write | OPEN.create | (resume ? (start === 0 ? OPEN.truncate : 0) : OPEN.exclusive);
      const mode = (stats.mode & 0o777) | (resume ? 0o200 : 0);
      const handle = await this.#sftp.open(part, flags, { mode });
      try {
        if (start > 0) {
          this.#state.watch.moved(start, true);
        }
        await this.#content(fd, handle, start, stats, preserve);
        this.#state.goOn();
        await this.#sftp.replace(part, to);
      } catch (error) {
        const why = await this.#whatWentWrong(error, to);
        if (!resume) {
          await this.#sftp.remove(part).catch(() => undefined);
        }
        throw why;
      }
      this.#state.watch.done('file', textOf(to), stats.size);
    } finally {
      close(fd);
    }
  }

  async #partial(part: ByteName, size: number): Promise<number> {
    const there = await this.#sftp.lstat(part).catch((error: unknown) => {
      if (error instanceof SftpLost) {
        throw error;
      }
      return null;
    });
    const fits = there !== null && kindOf(there.mode) === 'file' && (there.size ?? 0) <= size;
    return fits ? (there.size ?? 0) : 0;
  }

  /** WRITEs ahead; the last ones, the times and CLOSE go together without waiting for each other. */
  async #content(fd: number, handle: Buffer, start: number, stats: Stats, preserve: boolean): Promise<void> {
    const { requests } = this.#state;
    const limit = Math.min(PIECE, this.#sftp.writePiece);
    const asked: Promise<void>[] = [];
    let failed = false;
    let shorter = false;
    for (let position = start; position < stats.size && !failed; ) {
      this.#state.goOn();
      await requests.take();
      const length = Math.min(limit, stats.size - position);
      const { packet, start: behind } = this.#sftp.piece(handle, length);
      const got = readSync(fd, packet, behind, length, position);
      if (got === 0) {
        requests.give();
        shorter = true;
        break;
      }
      const written = this.#sftp.write(handle, position, packet, got).then(
        () => {
          requests.give();
          this.#state.watch.moved(got, false);
        },
        (error: unknown) => {
          requests.give();
          failed = true;
          throw error;
        },
      );
      written.catch(() => undefined);
      asked.push(written);
      position += got;
    }
    if (preserve && !failed) {
      asked.push(this.#sftp.fsetstat(handle, { mode: stats.mode & 0o7777, ...timesOf(stats) }));
    }
    asked.push(this.#sftp.close(handle));
    await Promise.all(asked);
    if (shorter) {
      throw new Error('became shorter while it was copied');
    }
  }

  /** "Failure" is all that version 3 says of a full disk. */
  async #whatWentWrong(error: unknown, to: ByteName): Promise<unknown> {
    if (error instanceof SftpRefusal && error.status === STATUS.failure) {
      const slash = to.lastIndexOf('/');
      const folder = slash === -1 ? '.' : to.slice(0, Math.max(1, slash));
      const full = await this.#sftp.diskIsFull(folder).catch(() => null);
      if (full === true) {
        return new CopyEnded('disk full', `no space left on the server's disk for ${textOf(to)}`);
      }
    }
    return error;
  }
}

function timesOf(stats: Stats): Attributes {
  return { modified: Math.trunc(stats.mtimeMs / 1000), read: Math.trunc(stats.atimeMs / 1000) };
}
