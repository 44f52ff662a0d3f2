/** From here to a server with the scp protocol. It cannot rename: that is done by `mv`, with a command of its own. */
import { closeSync, openSync, readdirSync, readSync, type Stats, statSync } from 'node:fs';
import type { Client } from 'ssh2';
import { type ByteName, bufferOf, join, lastPart, textOf } from './byte-name.ts';
import { execute, runQuietly } from './copy-exec.ts';
import { reasonOf } from './copy-local.ts';
import { CopyEnded, type CopyPair, type CopyWatch, type CopyWishes, kindOf } from './copy-order.ts';
import { partPath } from './copy-part.ts';
import { DEEPEST } from './copy-state.ts';
import { shellWord } from './remote-path.ts';
import type { ScpTimes } from './scp.ts';
import { ScpBroken, type ScpItem, scpSource } from './scp-drive.ts';

const PIECE = 256 * 1024;

export async function copyUpScp(
  client: Client,
  { from, to }: CopyPair,
  wishes: CopyWishes,
  watch: CopyWatch,
  signal: AbortSignal,
): Promise<void> {
  const isFolder = statSync(bufferOf(from)).isDirectory();
  if (isFolder && !wishes.recursive) {
    throw new Error('is a folder: -r copies folders');
  }
  const inPlace = isFolder && (await isFolderThere(client, to));
  if (inPlace) {
    watch.note(
      `${textOf(to)} is there already: the scp protocol writes the files in it in place, without another name first.`,
    );
  }
  const part = partPath(to, null);
  const remove = (): Promise<unknown> =>
    runQuietly(client, `rm -rf ${shellWord(part)}`).catch(() => undefined);
  const flags = `${wishes.recursive ? 'r' : ''}${wishes.preserve ? 'p' : ''}`;
  // What is sent to a folder that is there goes into it; anything else is made under the name given here.
  const target = inPlace ? to : part;
  const { stream, ended } = await execute(client, `scp -t${flags} ${shellWord(target)}`);
  const stop = (): void => stream.close();
  signal.addEventListener('abort', stop, { once: true });
  let failures = 0;
  const failed = (name: string, reason: string): void => {
    failures += 1;
    watch.failed(name, reason);
  };
  try {
    const walk = new Walk(wishes, watch, failed, () => failures, signal);
    const items = inPlace ? walk.inside(from, []) : walk.things(from, lastPart(part), []);
    await scpSource(stream, items, ({ name, text }) =>
      failed(textOf(name ?? from), text.replaceAll(part, to)),
    );
    stream.end();
    await ended;
  } catch (error) {
    stream.close();
    await ended;
    if (!inPlace) {
      await remove();
    }
    if (signal.aborted) {
      throw new CopyEnded('stopped', 'the copy was stopped');
    }
    const { said } = await ended;
    throw error instanceof ScpBroken && said !== '' ? new ScpBroken(said) : error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
  if (inPlace) {
    return;
  }
  if (failures > 0 && !isFolder) {
    await remove();
    return;
  }
  const there = shellWord(to);
  const moved = await runQuietly(
    client,
    // To rename over /dev/null is to take it away from everybody.
    `if [ -e ${there} ] && [ ! -f ${there} ]; then echo 'what is there is no regular file, and is not replaced' >&2; exit 1; fi; mv -f ${shellWord(part)} ${there}`,
  );
  if (moved.status !== 0) {
    await remove();
    throw new Error(`the server says: ${moved.said === '' ? `status ${moved.status}` : moved.said}`);
  }
}

/** Asked of the shell there: the protocol has no question. */
export async function isFolderThere(client: Client, path: ByteName): Promise<boolean> {
  const { status, said } = await runQuietly(client, `test -d ${shellWord(path)}`);
  if (status !== 0 && status !== 1) {
    throw new ScpBroken(said === '' ? 'the server runs no commands, which the scp protocol needs' : said);
  }
  return status === 0;
}

class Walk {
  readonly #wishes: CopyWishes;
  readonly #watch: CopyWatch;
  readonly #failed: (name: string, reason: string) => void;
  /** How many failed so far: what the server refuses is known only after it was given. */
  readonly #failures: () => number;
  readonly #signal: AbortSignal;

  constructor(
    wishes: CopyWishes,
    watch: CopyWatch,
    failed: (name: string, reason: string) => void,
    failures: () => number,
    signal: AbortSignal,
  ) {
    this.#wishes = wishes;
    this.#watch = watch;
    this.#failed = failed;
    this.#failures = failures;
    this.#signal = signal;
  }

  async *things(path: ByteName, name: ByteName, above: readonly string[]): AsyncGenerator<ScpItem> {
    try {
      const stats = statSync(bufferOf(path));
      const fault = this.#fault(stats, name, above);
      if (fault !== null) {
        throw new Error(fault);
      }
      const about = { name, mode: stats.mode & 0o7777, times: this.#wishes.preserve ? timesOf(stats) : null };
      if (stats.isDirectory()) {
        yield { kind: 'folder', ...about };
        yield* this.inside(path, [...above, `${stats.dev} ${stats.ino}`]);
        yield { kind: 'leave' };
        this.#watch.done('folder', textOf(path), 0);
      } else {
        const fd = openSync(bufferOf(path), 'r');
        const before = this.#failures();
        try {
          this.#watch.found(stats.size);
          yield { kind: 'file', ...about, size: stats.size, bytes: this.#bytes(fd, stats.size) };
        } finally {
          closeSync(fd);
        }
        if (this.#failures() === before) {
          this.#watch.done('file', textOf(path), stats.size);
        }
      }
    } catch (error) {
      if (error instanceof CopyEnded) {
        throw error;
      }
      this.#failed(textOf(path), reasonOf(error));
    }
  }

  async *inside(folder: ByteName, above: readonly string[]): AsyncGenerator<ScpItem> {
    for (const name of readdirSync(bufferOf(folder), 'latin1') as ByteName[]) {
      yield* this.things(join(folder, name), name, above);
    }
  }

  #fault(stats: Stats, name: ByteName, above: readonly string[]): string | null {
    if (name.includes('\n')) {
      return 'the scp protocol has no line feeds in names; --protocol sftp has';
    }
    if (kindOf(stats.mode) === 'folder') {
      if (!this.#wishes.recursive) {
        return 'is a folder: -r copies folders';
      }
      if (above.length > DEEPEST) {
        return `more than ${DEEPEST} folders within each other`;
      }
      return above.includes(`${stats.dev} ${stats.ino}`) ? 'a link to a folder that it is in' : null;
    }
    return kindOf(stats.mode) === 'file' ? null : 'not a regular file';
  }

  async *#bytes(fd: number, size: number): AsyncGenerator<Uint8Array> {
    for (let left = size; left > 0; ) {
      if (this.#signal.aborted) {
        throw new CopyEnded('stopped', 'the copy was stopped');
      }
      const piece = Buffer.allocUnsafe(Math.min(PIECE, left));
      const got = readSync(fd, piece);
      if (got === 0) {
        return;
      }
      left -= got;
      this.#watch.moved(got, false);
      yield piece.subarray(0, got);
    }
  }
}

function timesOf({ mtimeMs, atimeMs }: Stats): ScpTimes {
  return { modified: Math.trunc(mtimeMs / 1000), read: Math.trunc(atimeMs / 1000) };
}
