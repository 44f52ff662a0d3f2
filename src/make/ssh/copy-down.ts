/** Files and folders from an SFTP server to here. Nothing the server says decides where anything is written. */
import { chmodSync, mkdirSync, symlinkSync, unlinkSync, utimesSync } from 'node:fs';
import { type ByteName, bufferOf, join, nameFault, textOf } from './byte-name.ts';
import { linkStaysInside } from './copy-links.ts';
import { codeOf, FROM_OUTSIDE, LocalPart, localStat, type Original } from './copy-local.ts';
import { type CopyPair, type CopyWatch, type CopyWishes, kindOf } from './copy-order.ts';
import { CopyState, DEEPEST, PIECE } from './copy-state.ts';
import type { Sftp } from './sftp.ts';
import { type Answer, type Attributes, OPEN } from './sftp-packet.ts';

interface Folder {
  readonly to: ByteName;
  readonly original: Original;
}

export async function copyDown(
  sftp: Sftp,
  pairs: readonly CopyPair[],
  wishes: CopyWishes,
  watch: CopyWatch,
  signal: AbortSignal,
): Promise<void> {
  const down = new Down(sftp, new CopyState(wishes, watch, signal));
  const stop = (): void => sftp.end();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for (const pair of pairs) {
      await down.pair(pair);
    }
    await down.finish();
  } catch (error) {
    // The others stop at their next step and take their partial files away.
    sftp.end();
    await down.settle();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

class Down {
  readonly #sftp: Sftp;
  readonly #state: CopyState;
  readonly #folders: Folder[] = [];
  /** Made when everything else is written: so nothing is ever written through one of them. */
  readonly #links: { readonly to: ByteName; readonly target: ByteName }[] = [];

  constructor(sftp: Sftp, state: CopyState) {
    this.#sftp = sftp;
    this.#state = state;
  }

  async pair({ from, to }: CopyPair): Promise<void> {
    await this.#state.each(from, async () => {
      const keepLinks = this.#state.wishes.links;
      const attributes = keepLinks ? await this.#sftp.lstat(from) : await this.#sftp.stat(from);
      await this.#thing(from, to, attributes, 0, []);
    });
  }

  async finish(): Promise<void> {
    await this.#state.flight.settled();
    for (const { to, target } of this.#links) {
      await this.#state.each(to, async () => this.#makeLink(to, target));
    }
    for (const { to, original } of this.#folders.reverse()) {
      await this.#state.each(to, async () => this.#finishFolder(to, original));
    }
  }

  async settle(): Promise<void> {
    await this.#state.flight.settled().catch(() => undefined);
  }

  async #thing(
    from: ByteName,
    to: ByteName,
    found: Attributes,
    depth: number,
    above: ByteName[],
  ): Promise<void> {
    this.#state.goOn();
    switch (kindOf(found.mode)) {
      case 'file': {
        const original = originalOf(found, 0o666);
        this.#state.watch.found(original.size);
        await this.#state.flight.add(() => this.#state.each(from, () => this.#file(from, to, original)));
        return;
      }
      case 'folder':
        return this.#folder(from, to, originalOf(found, 0o777), depth, above);
      case 'link':
        return this.#link(from, to, depth, above);
      default:
        throw new Error('not a regular file');
    }
  }

  async #folder(
    from: ByteName,
    to: ByteName,
    original: Original,
    depth: number,
    above: ByteName[],
  ): Promise<void> {
    if (!this.#state.wishes.recursive) {
      throw new Error('is a folder: -r copies folders');
    }
    if (depth > DEEPEST) {
      throw new Error(`more than ${DEEPEST} folders within each other`);
    }
    makeFolder(to, original.mode, depth > 0);
    this.#folders.push({ to, original });
    for await (const page of this.#sftp.pages(from)) {
      for (const { name, ...attributes } of page) {
        if (name === '.' || name === '..') {
          continue;
        }
        const fault = nameFault(name);
        if (fault !== null) {
          this.#state.failed(from, new Error(`the server sent ${fault} for what is in it: not written`));
          continue;
        }
        const path = join(from, name);
        await this.#state.each(path, async () => {
          const known = attributes.mode === undefined ? await this.#sftp.lstat(path) : attributes;
          await this.#thing(path, join(to, name), known, depth + 1, above);
        });
      }
    }
    this.#state.watch.done('folder', textOf(to), 0);
  }

  async #link(from: ByteName, to: ByteName, depth: number, above: ByteName[]): Promise<void> {
    if (this.#state.wishes.links) {
      const target = await this.#sftp.readlink(from);
      if (!linkStaysInside(target, depth)) {
        throw new Error(`the link points outside of what is copied (to ${textOf(target)}): not made`);
      }
      this.#links.push({ to, target });
      return;
    }
    const attributes = await this.#sftp.stat(from);
    if (kindOf(attributes.mode) === 'folder') {
      const real = await this.#sftp.realpath(from);
      if (above.includes(real) || `${await this.#sftp.realpath(parentOf(from))}/`.startsWith(`${real}/`)) {
        throw new Error('a link to a folder that it is in');
      }
      await this.#thing(from, to, attributes, depth, [...above, real]);
      return;
    }
    await this.#thing(from, to, attributes, depth, above);
  }

  #makeLink(to: ByteName, target: ByteName): void {
    const there = localStat(to);
    if (there?.isDirectory() === true) {
      throw new Error('a folder is in the way of a link');
    }
    if (there !== null) {
      unlinkSync(bufferOf(to));
    }
    symlinkSync(bufferOf(target), bufferOf(to));
    this.#state.watch.done('link', textOf(to), 0);
  }

  #finishFolder(to: ByteName, { mode, modified, read }: Original): void {
    if (this.#state.wishes.preserve) {
      chmodSync(bufferOf(to), mode & FROM_OUTSIDE);
      if (modified !== null) {
        utimesSync(bufferOf(to), read ?? modified, modified);
      }
    } else if ((mode & 0o700) !== 0o700) {
      chmodSync(bufferOf(to), mode & 0o777 & ~process.umask());
    }
  }

  async #file(from: ByteName, to: ByteName, original: Original): Promise<void> {
    const handle = await this.#sftp.open(from, OPEN.read);
    let part: LocalPart | null = null;
    try {
      this.#state.goOn();
      part = LocalPart.open(to, original, this.#state.wishes.resume);
      if (part.position > 0) {
        this.#state.watch.moved(part.position, true);
      }
      await this.#content(handle, part, original.size);
      part.finish(original, this.#state.wishes.preserve);
      this.#state.watch.done('file', textOf(to), part.position);
    } finally {
      part?.abandon();
      this.#sftp.close(handle).catch(() => undefined);
    }
  }

  /** READs ahead, written in the order they were asked for: a partial file has no holes. */
  async #content(handle: Buffer, part: LocalPart, size: number): Promise<void> {
    const piece = Math.min(PIECE, this.#sftp.readPiece);
    const asked: { readonly at: number; readonly answer: Promise<Answer | null> }[] = [];
    const { requests } = this.#state;
    const ask = (at: number): void => {
      const answer = this.#sftp.read(handle, at, piece);
      answer.catch(() => undefined);
      asked.push({ at, answer });
    };
    let next = part.position;
    try {
      for (;;) {
        if (asked.length === 0) {
          if (size > 0 && part.position === size) {
            return;
          }
          await requests.take();
          ask(part.position);
          next = part.position + piece;
        }
        for (; next < size && requests.tryTake(); next += piece) {
          ask(next);
        }
        const [first] = asked;
        const answer = await first!.answer;
        this.#state.goOn();
        if (answer === null || answer.length === 0) {
          if (part.position < size) {
            throw new Error('became shorter while it was copied');
          }
          return;
        }
        this.#write(part, answer);
        const end = first!.at + piece;
        while (part.position < Math.min(end, size)) {
          // A short answer in the middle: a server with a smaller limit.
          const rest = await this.#sftp.read(handle, part.position, end - part.position);
          if (rest === null || rest.length === 0) {
            throw new Error('became shorter while it was copied');
          }
          this.#write(part, rest);
        }
        asked.shift();
        requests.give();
      }
    } finally {
      for (const _ of asked) {
        requests.give();
      }
    }
  }

  #write(part: LocalPart, answer: Answer): void {
    part.write(answer.pieces, answer.length);
    this.#state.watch.moved(answer.length, false);
  }
}

function parentOf(path: ByteName): ByteName {
  const slash = path.lastIndexOf('/');
  return slash === -1 ? '.' : path.slice(0, Math.max(1, slash));
}

function originalOf({ size, mode, modified, read }: Attributes, usual: number): Original {
  return {
    size: size ?? 0,
    mode: mode === undefined ? usual : mode & 0o7777,
    modified: modified ?? null,
    read: read ?? null,
  };
}

/** Below the first one a folder that is there has to be a real one: through a link we would write elsewhere. */
export function makeFolder(path: ByteName, mode: number, strict: boolean): void {
  try {
    mkdirSync(bufferOf(path), (mode & 0o777) | 0o700);
  } catch (error) {
    const there = codeOf(error) === 'EEXIST' ? localStat(path) : null;
    if (there === null) {
      throw error;
    }
    if (!there.isDirectory() && (strict || !there.isSymbolicLink())) {
      throw new Error(
        there.isSymbolicLink() ? 'here it is a link, which is not followed' : 'here it is not a folder',
      );
    }
  }
}
