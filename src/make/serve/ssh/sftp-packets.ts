/** The packets of SFTP version 3 (draft-ietf-secsh-filexfer-02), as a server reads and writes them. Names stay bytes. */
import type { ByteName } from '../../ssh/byte-name.ts';

export const REQUEST = {
  INIT: 1,
  OPEN: 3,
  CLOSE: 4,
  READ: 5,
  WRITE: 6,
  LSTAT: 7,
  FSTAT: 8,
  SETSTAT: 9,
  FSETSTAT: 10,
  OPENDIR: 11,
  READDIR: 12,
  REMOVE: 13,
  MKDIR: 14,
  RMDIR: 15,
  REALPATH: 16,
  STAT: 17,
  RENAME: 18,
  READLINK: 19,
  SYMLINK: 20,
  EXTENDED: 200,
} as const;

const VERSION = 2;
const STATUS = 101;
const HANDLE = 102;
const DATA = 103;
const NAME = 104;
const ATTRS = 105;
const EXTENDED_REPLY = 201;

export const CODE = {
  OK: 0,
  EOF: 1,
  NO_SUCH_FILE: 2,
  PERMISSION_DENIED: 3,
  FAILURE: 4,
  BAD_MESSAGE: 5,
  OP_UNSUPPORTED: 8,
} as const;

/** As OpenSSH has it; `limits@openssh.com` tells the client. */
export const LONGEST_PACKET = 256 * 1024;
export const LONGEST_READ = 255 * 1024;

const HAS_SIZE = 1;
const HAS_OWNER = 2;
const HAS_MODE = 4;
const HAS_TIMES = 8;
const HAS_MORE = 0x8000_0000;

/** What a client wants changed, or how a new thing shall be. */
export interface Wanted {
  readonly size?: number;
  readonly owner?: { readonly user: number; readonly group: number };
  readonly mode?: number;
  /** Seconds. */
  readonly times?: { readonly read: number; readonly modified: number };
}

export interface Found {
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
}

export class Malformed extends Error {}

/** Cuts a stream into packets, each without its length. */
export class Packets {
  #rest: Buffer[] = [];
  #waiting = 0;

  /** Throws Malformed for a length that no packet has. */
  push(bytes: Buffer): Buffer[] {
    this.#rest.push(bytes);
    this.#waiting += bytes.length;
    const packets: Buffer[] = [];
    for (;;) {
      const head = this.#waiting < 4 ? null : this.#front(4);
      if (head === null) {
        return packets;
      }
      const length = head.readUInt32BE(0);
      if (length === 0 || length > LONGEST_PACKET) {
        throw new Malformed(`a packet of ${length} bytes`);
      }
      if (this.#waiting < 4 + length) {
        return packets;
      }
      const whole = this.#front(4 + length);
      packets.push(whole.subarray(4, 4 + length));
      this.#rest =
        whole.length > 4 + length
          ? [whole.subarray(4 + length), ...this.#rest.slice(1)]
          : this.#rest.slice(1);
      this.#waiting -= 4 + length;
    }
  }

  /** The first piece, which holds at least so many bytes afterwards. */
  #front(least: number): Buffer {
    const first = this.#rest[0]!;
    if (first.length >= least) {
      return first;
    }
    const joined = Buffer.concat(this.#rest);
    this.#rest = [joined];
    return joined;
  }
}

/** The fields of one packet, in their order. Throws Malformed where there are not enough bytes. */
export class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  byte(): number {
    return this.#take(1)[0]!;
  }

  number(): number {
    return this.#take(4).readUInt32BE(0);
  }

  /** Offsets and sizes. Beyond 2⁵³ no file goes. */
  large(): number {
    const value = this.#take(8).readBigUInt64BE(0);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new Malformed('an offset beyond every file');
    }
    return Number(value);
  }

  bytes(): Buffer {
    return this.#take(this.number());
  }

  name(): ByteName {
    return this.bytes().toString('latin1');
  }

  wanted(): Wanted {
    const flags = this.number();
    const size = flags & HAS_SIZE ? { size: this.large() } : {};
    const owner = flags & HAS_OWNER ? { owner: { user: this.number(), group: this.number() } } : {};
    const mode = flags & HAS_MODE ? { mode: this.number() } : {};
    const times = flags & HAS_TIMES ? { times: { read: this.number(), modified: this.number() } } : {};
    if ((flags & HAS_MORE) !== 0) {
      for (let left = this.number(); left > 0; left -= 1) {
        this.bytes();
        this.bytes();
      }
    }
    return { ...size, ...owner, ...mode, ...times };
  }

  #take(count: number): Buffer {
    if (count > this.#bytes.length - this.#at) {
      throw new Malformed('a packet that is too short');
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }
}

function number(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function large(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(Math.max(Math.trunc(value), 0)));
  return bytes;
}

function name(text: ByteName): Buffer {
  return Buffer.concat([number(text.length), Buffer.from(text, 'latin1')]);
}

function packet(type: number, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 1);
  return Buffer.concat([number(length), Buffer.of(type), ...parts]);
}

/** Times of SFTP 3 are seconds in 32 bits: what is outside gets as near as it can. */
function seconds(ms: number): Buffer {
  return number(Math.min(Math.max(Math.floor(ms / 1000), 0), 0xffff_ffff));
}

function attributes(found: Found): Buffer {
  return Buffer.concat([
    number(HAS_SIZE | HAS_OWNER | HAS_MODE | HAS_TIMES),
    large(found.size),
    number(found.uid),
    number(found.gid),
    number(found.mode),
    seconds(found.atimeMs),
    seconds(found.mtimeMs),
  ]);
}

export function versionReply(extensions: Readonly<Record<string, string>>): Buffer {
  return packet(VERSION, number(3), ...Object.entries(extensions).flat().map(name));
}

export function statusReply(id: number, code: number, text: string): Buffer {
  const message = Buffer.from(text, 'utf8').toString('latin1');
  return packet(STATUS, number(id), number(code), name(message), name('en'));
}

export function handleReply(id: number, handle: number): Buffer {
  return packet(HANDLE, number(id), number(4), number(handle));
}

/** Room for an answer of so many bytes of a file, which are read right into it, behind `DATA_HEAD`. */
export const DATA_HEAD = 13;

export function dataRoom(length: number): Buffer {
  return Buffer.allocUnsafe(DATA_HEAD + length);
}

export function dataReply(id: number, room: Buffer, length: number): Buffer {
  room.writeUInt32BE(DATA_HEAD - 4 + length, 0);
  room[4] = DATA;
  room.writeUInt32BE(id, 5);
  room.writeUInt32BE(length, 9);
  return room.subarray(0, DATA_HEAD + length);
}

export interface Named {
  readonly name: ByteName;
  /** As `ls -l` shows it. */
  readonly line: ByteName;
  readonly found: Found | null;
}

export function nameReply(id: number, names: readonly Named[]): Buffer {
  const parts = names.flatMap((one) => [
    name(one.name),
    name(one.line),
    one.found === null ? number(0) : attributes(one.found),
  ]);
  return packet(NAME, number(id), number(names.length), ...parts);
}

export function attributesReply(id: number, found: Found): Buffer {
  return packet(ATTRS, number(id), attributes(found));
}

/** An answer that is nothing but numbers of eight bytes: limits, statvfs. */
export function numbersReply(id: number, values: readonly number[]): Buffer {
  return packet(EXTENDED_REPLY, number(id), ...values.map(large));
}
