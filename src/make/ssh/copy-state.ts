/** What the two directions of a copy have in common: who may go on, what failed, what is on its way. */
import { type ByteName, textOf } from './byte-name.ts';
import { Flight, Places } from './copy-flight.ts';
import { isFull, reasonOf } from './copy-local.ts';
import { CopyEnded, type CopyWatch, type CopyWishes } from './copy-order.ts';
import { SftpLost } from './sftp.ts';

/**
 * READs or WRITEs on their way, over all files, and the bytes of each. Measured on loopback (bench/ssh-copy.bench.ts): less waits for the
 * server, more fills buffers only.
 */
export const REQUESTS = 16;
export const PIECE = 255 * 1024;

/** Folders within folders: who has more has a loop, or wants to see how far we go. */
export const DEEPEST = 200;

export class CopyState {
  readonly wishes: CopyWishes;
  readonly watch: CopyWatch;
  readonly flight: Flight;
  readonly requests: Places = new Places(REQUESTS);
  readonly #signal: AbortSignal;

  constructor(wishes: CopyWishes, watch: CopyWatch, signal: AbortSignal) {
    this.wishes = wishes;
    this.watch = watch;
    this.flight = new Flight(wishes.parallel);
    this.#signal = signal;
  }

  /** Between two steps. */
  goOn(): void {
    if (this.#signal.aborted) {
      throw new CopyEnded('stopped', 'the copy was stopped');
    }
    if (this.flight.failed) {
      throw new CopyEnded('stopped', 'another file ended the copy');
    }
  }

  /** One thing failed; the others go on, unless they would fail as well. */
  failed(name: ByteName, error: unknown): void {
    if (error instanceof CopyEnded) {
      throw error;
    }
    this.goOn();
    if (error instanceof SftpLost) {
      throw new CopyEnded('lost', error.message);
    }
    if (isFull(error)) {
      throw new CopyEnded('disk full', `${reasonOf(error)} for ${textOf(name)}`);
    }
    this.watch.failed(textOf(name), reasonOf(error));
  }

  async each(name: ByteName, job: () => Promise<void>): Promise<void> {
    try {
      this.goOn();
      await job();
    } catch (error) {
      this.failed(name, error);
    }
  }
}
