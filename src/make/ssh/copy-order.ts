/** What is to be copied, who is told about it, and what came of it. */
import type { ByteName } from './byte-name.ts';

export interface CopyWishes {
  readonly recursive: boolean;
  /** Modes in full, and times. */
  readonly preserve: boolean;
  /** Symbolic links stay links; otherwise what they point to is copied. */
  readonly links: boolean;
  /** A partial file stays, and the next copy goes on there. */
  readonly resume: boolean;
  /** Files on their way at once. */
  readonly parallel: number;
}

/** Names here are for people. */
export interface CopyWatch {
  /** A file is known; more may come. */
  found(size: number): void;
  /** Bytes that arrived; `resumed` ones were there before. */
  moved(bytes: number, resumed: boolean): void;
  /** A file, link or folder is complete under its name. */
  done(what: 'file' | 'folder' | 'link', name: string, size: number): void;
  failed(name: string, reason: string): void;
  /** Something people should know although nothing failed. */
  note(text: string): void;
}

/** The whole copy ends here: a full disk, a lost connection, Ctrl-C. */
export class CopyEnded extends Error {
  readonly why: 'disk full' | 'lost' | 'stopped' | 'refused';

  constructor(why: CopyEnded['why'], message: string) {
    super(message);
    this.why = why;
  }
}

/** One thing of those that were asked for, on the side it comes from and on the side it goes to. */
export interface CopyPair {
  readonly from: ByteName;
  readonly to: ByteName;
}

export const KIND = { mask: 0o170000, folder: 0o040000, file: 0o100000, link: 0o120000 } as const;

export function kindOf(mode: number | undefined): 'file' | 'folder' | 'link' | 'other' {
  switch ((mode ?? 0) & KIND.mask) {
    case KIND.folder:
      return 'folder';
    case KIND.link:
      return 'link';
    // A server that tells no types (some SFTP servers for cloud storage) has only files and what it says are folders.
    case KIND.file:
    case 0:
      return 'file';
    default:
      return 'other';
  }
}
