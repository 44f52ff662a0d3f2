/** From a server to here with the scp protocol. What the server calls its files is checked against what was asked for. */
import { chmodSync, utimesSync } from 'node:fs';
import type { Client } from 'ssh2';
import { type ByteName, bufferOf, join, lastPart, textOf } from './byte-name.ts';
import { makeFolder } from './copy-down.ts';
import { execute } from './copy-exec.ts';
import { FROM_OUTSIDE, isFull, LocalPart, type Original, reasonOf } from './copy-local.ts';
import { CopyEnded, type CopyPair, type CopyWatch, type CopyWishes } from './copy-order.ts';
import { shellWord } from './remote-path.ts';
import { type ScpThing, scpNameOnLine } from './scp.ts';
import { ScpBroken, type ScpReceiver, type ScpTarget, scpSink } from './scp-drive.ts';

export async function copyDownScp(
  client: Client,
  { from, to }: CopyPair,
  wishes: CopyWishes,
  watch: CopyWatch,
  signal: AbortSignal,
): Promise<void> {
  const flags = `${wishes.recursive ? 'r' : ''}${wishes.preserve ? 'p' : ''}`;
  const { stream, ended } = await execute(client, `scp -f${flags} ${shellWord(from)}`);
  const receiver = new Receiver(from, to, wishes, watch);
  const stop = (): void => stream.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await scpSink(stream, receiver);
  } catch (error) {
    stream.close();
    throw signal.aborted ? new CopyEnded('stopped', 'the copy was stopped') : error;
  } finally {
    signal.removeEventListener('abort', stop);
    stream.end();
  }
  if (receiver.fatal !== null) {
    throw receiver.fatal;
  }
  const { status, said } = await ended;
  if (!receiver.anything && (status !== 0 || said !== '')) {
    throw new ScpBroken(said === '' ? `scp there ended with status ${status}` : said);
  }
}

class Receiver implements ScpReceiver {
  readonly #asked: ByteName;
  readonly #wishes: CopyWishes;
  readonly #watch: CopyWatch;
  readonly #top: ByteName;
  readonly #open: { readonly path: ByteName; readonly folder: ScpThing }[] = [];
  /** What stops the whole copy: a full disk. */
  fatal: CopyEnded | null = null;
  /** The server sent or said something. */
  anything = false;

  constructor(asked: ByteName, top: ByteName, wishes: CopyWishes, watch: CopyWatch) {
    this.#asked = asked;
    this.#top = top;
    this.#wishes = wishes;
    this.#watch = watch;
  }

  async file(file: ScpThing & { readonly size: number }, depth: number): Promise<ScpTarget> {
    const path = this.#place(file.name, depth);
    const original: Original = {
      size: file.size,
      mode: file.mode,
      modified: file.times?.modified ?? null,
      read: file.times?.read ?? null,
    };
    this.#watch.found(file.size);
    let part: LocalPart;
    try {
      part = LocalPart.open(path, original, false);
    } catch (error) {
      throw this.#complain(path, error);
    }
    return {
      write: (bytes) => {
        try {
          this.#watch.moved(bytes.length, false);
          part.write([bytes], bytes.length);
        } catch (error) {
          part.abandon();
          throw this.#complain(path, error);
        }
      },
      end: async (complaint) => {
        if (complaint !== null) {
          part.abandon();
          if (this.fatal === null) {
            this.#watch.failed(textOf(path), complaint);
          }
          return;
        }
        try {
          part.finish(original, this.#wishes.preserve);
        } catch (error) {
          part.abandon();
          throw this.#complain(path, error);
        }
        this.#watch.done('file', textOf(path), file.size);
      },
    };
  }

  async folder(folder: ScpThing, depth: number): Promise<void> {
    if (!this.#wishes.recursive) {
      throw this.#complain(this.#top, new Error('the server sent a folder, which was not asked for'));
    }
    const path = this.#place(folder.name, depth);
    try {
      makeFolder(path, folder.mode, depth > 0);
    } catch (error) {
      throw this.#complain(path, error);
    }
    this.#open.push({ path, folder });
  }

  async leave(): Promise<void> {
    const { path, folder } = this.#open.pop()!;
    if (this.#wishes.preserve) {
      chmodSync(bufferOf(path), folder.mode & FROM_OUTSIDE);
      if (folder.times !== null) {
        utimesSync(bufferOf(path), folder.times.read, folder.times.modified);
      }
    }
    this.#watch.done('folder', textOf(path), 0);
  }

  complaint(text: string): void {
    this.anything = true;
    this.#watch.failed(textOf(this.#asked), text);
  }

  /** At the top the name is ours: the server's has to be the one that was asked for, and comes once. */
  #place(name: ByteName, depth: number): ByteName {
    if (this.fatal !== null) {
      throw this.fatal;
    }
    if (depth > 0) {
      return join(this.#open.at(-1)!.path, name);
    }
    const wanted = lastPart(this.#asked);
    const another = wanted !== '' && name !== wanted && name !== scpNameOnLine(wanted);
    if (this.anything || another) {
      throw this.#complain(
        this.#asked,
        new Error(`the server sent "${textOf(name)}", which was not asked for`),
      );
    }
    this.anything = true;
    return this.#top;
  }

  #complain(path: ByteName, error: unknown): Error {
    if (isFull(error)) {
      this.fatal ??= new CopyEnded('disk full', `${reasonOf(error)} for ${textOf(path)}`);
      return this.fatal;
    }
    this.#watch.failed(textOf(path), reasonOf(error));
    return new Error(reasonOf(error));
  }
}
