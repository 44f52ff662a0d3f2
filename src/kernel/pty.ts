/**
 * A pseudo terminal (pty(7)), which Node has none of. The request numbers are those of <asm-generic/ioctls.h>: x64, arm64, s390x.
 * Reading is libuv's: it takes the master for a terminal and waits for it in the loop. Writing is ours: libuv would block on it.
 */
import { closeSync, constants, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { ReadStream } from 'node:tty';
import { errnoNumber } from './errno.ts';
import * as libc from './libc.ts';

export interface PtySize {
  readonly rows: number;
  readonly columns: number;
}

export interface Pty {
  /** `/dev/pts/4` */
  readonly path: string;
  /** The terminal's side, for the program that gets it; -1 after `handedOver`. */
  readonly slave: number;
  /** What the program writes. It closes ('close', hardly ever 'end') when nobody has the terminal open any more. */
  readonly output: Readable;
  /** How many bytes were taken, -EAGAIN when the program reads none, or -errno. */
  write(bytes: Uint8Array): number;
  /** The programs in the foreground get SIGWINCH from the kernel. */
  resize(size: PtySize): void;
  /** The program holds the terminal now; our own descriptor of that side would keep it from ever ending. */
  handedOver(): void;
  /** Programs on the terminal get SIGHUP from the kernel. */
  close(): void;
}

const TIOCSPTLCK = 0x4004_5431;
const TIOCGPTN = 0x8004_5430;
const TIOCSWINSZ = 0x5414;
const O_CLOEXEC = 0o2000000;
const OURS = constants.O_RDWR | constants.O_NOCTTY | O_CLOEXEC;
const EPIPE = 32;

/** Or -errno: no devpts (-ENOENT), no terminal left (-ENOSPC), … */
export function openPty(size: PtySize): Pty | number {
  const master = libc.openFile('/dev/ptmx', OURS | constants.O_NONBLOCK);
  if (master < 0) {
    return master;
  }
  const number = new Uint8Array(4);
  const failed = Math.min(
    libc.ioctl(master, TIOCSPTLCK, new Uint8Array(4)),
    libc.ioctl(master, TIOCGPTN, number),
  );
  const path = `/dev/pts/${new DataView(number.buffer).getUint32(0, true)}`;
  const slave = failed < 0 ? failed : libc.openFile(path, OURS);
  if (slave < 0) {
    libc.close(master);
    return slave;
  }
  setSize(master, size);
  return new MasterSide(master, slave, path);
}

class MasterSide implements Pty {
  readonly path: string;
  readonly output: ReadStream;
  slave: number;
  readonly #master: number;
  #closed = false;

  constructor(master: number, slave: number, path: string) {
    this.#master = master;
    this.slave = slave;
    this.path = path;
    this.output = new ReadStream(master);
    // EIO is how Linux says that the last one has closed the terminal; whatever it is, 'close' follows.
    this.output.on('error', () => {});
    this.output.on('close', () => {
      this.#closed = true;
    });
  }

  write(bytes: Uint8Array): number {
    if (this.#closed) {
      return -EPIPE;
    }
    try {
      return writeSync(this.#master, bytes);
    } catch (error) {
      return -(errnoNumber((error as NodeJS.ErrnoException).code ?? '') ?? EPIPE);
    }
  }

  resize(size: PtySize): void {
    if (!this.#closed) {
      setSize(this.#master, size);
    }
  }

  handedOver(): void {
    if (this.slave >= 0) {
      closeSync(this.slave);
      this.slave = -1;
    }
  }

  close(): void {
    this.handedOver();
    if (!this.#closed) {
      this.#closed = true;
      this.output.destroy();
    }
  }
}

/** struct winsize: rows, columns, and pixels that nobody knows. */
function setSize(master: number, { rows, columns }: PtySize): void {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, Math.min(rows, 0xffff), true);
  view.setUint16(2, Math.min(columns, 0xffff), true);
  libc.ioctl(master, TIOCSWINSZ, bytes);
}
