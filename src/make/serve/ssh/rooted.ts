/**
 * Paths as a client names them, `/` being the folder that is served, turned into paths of this machine. Nothing outside of the folder is
 * reached: `..` stops at the top, and what a symbolic link leads to is looked up before it is used. Somebody who may write there at the
 * same time (a command of the same client) can still move a link in between: this is a fence, not a jail.
 */
import { lstat, realpath } from 'node:fs/promises';
import { posix } from 'node:path';
import { type ByteName, bufferOf, nameOf } from '../../ssh/byte-name.ts';

/** An error as the file system would give it, with a code that the protocols know how to tell. */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export class Rooted {
  /** Without links, and without a slash at its end. */
  readonly #top: ByteName;

  /** `directory` is a real path (realpath(3)). */
  constructor(directory: string) {
    const top = nameOf(directory);
    this.#top = top === '/' ? '' : top;
  }

  /** `/a/b` for whatever was typed; relative paths begin at the top. */
  named(path: ByteName): ByteName {
    if (path.includes('\0')) {
      throw new Refusal('EINVAL', 'a path with a zero byte');
    }
    const tidy = posix.normalize(`/${path}`);
    return tidy.length > 1 && tidy.endsWith('/') ? tidy.slice(0, -1) : tidy;
  }

  /** For what works on the name itself: a link is the link. The folder it is in has to exist. */
  async entry(path: ByteName): Promise<Buffer> {
    return bufferOf(await this.#entry(path));
  }

  /** For what works on the thing behind the name, which has to exist. */
  async thing(path: ByteName): Promise<Buffer> {
    return bufferOf(await this.#real(`${this.#top}${this.named(path)}`));
  }

  /** For what may make a file: the thing behind the name, or the name where there is none. */
  async target(path: ByteName): Promise<Buffer> {
    const entry = await this.#entry(path);
    const found = await lstat(bufferOf(entry)).catch(() => null);
    // A link that leads nowhere would be followed by whoever makes the file.
    return bufferOf(found?.isSymbolicLink() ? await this.#real(entry) : entry);
  }

  /** A real path, as the client may know it. */
  shown(real: Buffer): ByteName {
    const name = real.toString('latin1').slice(this.#top.length);
    return name === '' ? '/' : name;
  }

  async #entry(path: ByteName): Promise<ByteName> {
    const name = this.named(path);
    if (name === '/') {
      return this.#top === '' ? '/' : this.#top;
    }
    const folder = await this.#real(`${this.#top}${posix.dirname(name)}`);
    return posix.join(folder, posix.basename(name));
  }

  async #real(path: ByteName): Promise<ByteName> {
    const real = (await realpath(bufferOf(path), { encoding: 'buffer' })).toString('latin1');
    if (real !== this.#top && !real.startsWith(`${this.#top}/`)) {
      throw new Refusal('EACCES', 'it leads outside of the folder that is served');
    }
    return real;
  }
}
