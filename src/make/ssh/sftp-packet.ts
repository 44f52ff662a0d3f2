/** SFTP version 3 (draft-ietf-secsh-filexfer-02), the client's half: requests as bytes, answers out of bytes. Pure. */
import type { ByteName } from './byte-name.ts';

export const REQUEST = {
  init: 1,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  symlink: 20,
  extended: 200,
} as const;

export const ANSWER = {
  version: 2,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attributes: 105,
  extended: 201,
} as const;

export const STATUS = { ok: 0, eof: 1, noSuchFile: 2, denied: 3, failure: 4, unsupported: 8 } as const;

export const OPEN = { read: 1, write: 2, create: 8, truncate: 16, exclusive: 32 } as const;

const HAS = { size: 1, owner: 2, mode: 4, times: 8, extended: 0x80000000 } as const;

export interface Attributes {
  readonly size?: number;
  /** With the type of the file in the upper bits (S_IFMT), as stat(2) has it. */
  readonly mode?: number;
  /** Whole seconds. */
  readonly read?: number;
  readonly modified?: number;
}

export interface NamedAttributes extends Attributes {
  readonly name: ByteName;
}

/** Answers other than data; `body` begins behind the request's id. */
export interface Answer {
  readonly type: number;
  readonly id: number;
  readonly body: Buffer;
  /** Only of data: the bytes in the pieces they came in, not copied. */
  readonly pieces: readonly Uint8Array[];
  readonly length: number;
}

/** Packs fields behind each other. Strings are byte names. */
export function request(type: number, id: number | null, ...fields: readonly Field[]): Buffer {
  const size = fields.reduce<number>((sum, field) => sum + sizeOf(field), id === null ? 1 : 5);
  const packet = Buffer.allocUnsafe(4 + size);
  packet.writeUInt32BE(size, 0);
  packet[4] = type;
  let at = 5;
  if (id !== null) {
    at = packet.writeUInt32BE(id, at);
  }
  for (const field of fields) {
    if (typeof field === 'number') {
      at = packet.writeUInt32BE(field >>> 0, at);
    } else if (typeof field === 'bigint') {
      at = packet.writeBigUInt64BE(field, at);
    } else if (typeof field === 'string') {
      at = packet.writeUInt32BE(field.length, at);
      at += packet.write(field, at, 'latin1');
    } else if (field instanceof Uint8Array) {
      at = packet.writeUInt32BE(field.length, at);
      packet.set(field, at);
      at += field.length;
    } else {
      at = writeAttributes(packet, at, field);
    }
  }
  return packet;
}

export type Field = number | bigint | ByteName | Uint8Array | Attributes;

function sizeOf(field: Field): number {
  if (typeof field === 'number') {
    return 4;
  }
  if (typeof field === 'bigint') {
    return 8;
  }
  if (typeof field === 'string' || field instanceof Uint8Array) {
    return 4 + field.length;
  }
  return (
    4 + (field.size === undefined ? 0 : 8) + (field.mode === undefined ? 0 : 4) + (hasTimes(field) ? 8 : 0)
  );
}

function hasTimes({ read, modified }: Attributes): boolean {
  return read !== undefined && modified !== undefined;
}

function writeAttributes(packet: Buffer, start: number, attributes: Attributes): number {
  const { size, mode, read, modified } = attributes;
  const times = hasTimes(attributes);
  const flags =
    (size === undefined ? 0 : HAS.size) | (mode === undefined ? 0 : HAS.mode) | (times ? HAS.times : 0);
  let at = packet.writeUInt32BE(flags, start);
  if (size !== undefined) {
    at = packet.writeBigUInt64BE(BigInt(size), at);
  }
  if (mode !== undefined) {
    at = packet.writeUInt32BE(mode >>> 0, at);
  }
  if (times) {
    at = packet.writeUInt32BE(read! >>> 0, at);
    at = packet.writeUInt32BE(modified! >>> 0, at);
  }
  return at;
}

/** What stands before the bytes of a write: the caller reads the file right behind it, into the same buffer. */
export function writeHeaderSize(handle: Uint8Array): number {
  return 4 + 1 + 4 + 4 + handle.length + 8 + 4;
}

export function fillWriteHeader(
  packet: Buffer,
  id: number,
  handle: Uint8Array,
  position: number,
  length: number,
): void {
  packet.writeUInt32BE(writeHeaderSize(handle) - 4 + length, 0);
  packet[4] = REQUEST.write;
  packet.writeUInt32BE(id, 5);
  packet.writeUInt32BE(handle.length, 9);
  packet.set(handle, 13);
  const at = packet.writeBigUInt64BE(BigInt(position), 13 + handle.length);
  packet.writeUInt32BE(length, at);
}

/** A server that sends less than it says, or says nonsense. */
export class SftpNonsense extends Error {}

/** Reads fields out of an answer; throws `SftpNonsense` where it ends too early. */
export class Fields {
  readonly #body: Buffer;
  #at = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  get empty(): boolean {
    return this.#at >= this.#body.length;
  }

  number(): number {
    const at = this.#step(4);
    return this.#body.readUInt32BE(at);
  }

  long(): number {
    const at = this.#step(8);
    return Number(this.#body.readBigUInt64BE(at));
  }

  bytes(): Buffer {
    const length = this.number();
    const at = this.#step(length);
    return this.#body.subarray(at, at + length);
  }

  string(): ByteName {
    return this.bytes().toString('latin1');
  }

  attributes(): Attributes {
    const flags = this.number();
    const found: { size?: number; mode?: number; read?: number; modified?: number } = {};
    if (flags & HAS.size) {
      found.size = this.long();
    }
    if (flags & HAS.owner) {
      this.#step(8);
    }
    if (flags & HAS.mode) {
      found.mode = this.number();
    }
    if (flags & HAS.times) {
      found.read = this.number();
      found.modified = this.number();
    }
    if (flags & HAS.extended) {
      for (let left = this.number(); left > 0; left -= 1) {
        this.bytes();
        this.bytes();
      }
    }
    return found;
  }

  #step(size: number): number {
    const at = this.#at;
    if (at + size > this.#body.length) {
      throw new SftpNonsense('an answer that ends too early');
    }
    this.#at = at + size;
    return at;
  }
}

/** Names of a READDIR or REALPATH answer. The long name, a line of `ls -l`, is for people; nobody reads it here. */
export function readNames(body: Buffer): NamedAttributes[] {
  const fields = new Fields(body);
  const names: NamedAttributes[] = [];
  for (let left = fields.number(); left > 0; left -= 1) {
    const name = fields.string();
    fields.bytes();
    names.push({ name, ...fields.attributes() });
  }
  return names;
}

/** OpenSSH sends at most 256 KiB; twice that is still no nonsense. */
const LARGEST = 512 * 1024;
const DATA_HEAD = 13;

/** Cuts a stream of bytes into answers. Throws `SftpNonsense` when it is not SFTP. */
export class AnswerReader {
  /** Of the packet that is coming: its first bytes up to the data, or all of it. */
  #head: Buffer = Buffer.allocUnsafe(DATA_HEAD);
  #have = 0;
  /** Bytes of the packet with its length field; 0 while that is not known. */
  #size = 0;
  #pieces: Uint8Array[] = [];
  #left = 0;
  #inData = false;

  push(bytes: Uint8Array, each: (answer: Answer) => void): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#inData) {
        const part = bytes.subarray(at, at + this.#left);
        this.#pieces.push(part);
        at += part.length;
        this.#left -= part.length;
        if (this.#left === 0) {
          this.#finishData(each);
        }
        continue;
      }
      const wanted = this.#wanted();
      const part = bytes.subarray(at, at + wanted - this.#have);
      this.#head.set(part, this.#have);
      this.#have += part.length;
      at += part.length;
      if (this.#have === wanted) {
        this.#step(each);
      }
    }
  }

  /** First the length and the type; then for data its head, for everything else the whole. */
  #wanted(): number {
    if (this.#size === 0) {
      return 5;
    }
    return this.#head[4] === ANSWER.data ? DATA_HEAD : this.#size;
  }

  #step(each: (answer: Answer) => void): void {
    if (this.#size === 0) {
      const length = this.#head.readUInt32BE(0);
      if (length < 5 || length > LARGEST) {
        throw new SftpNonsense(`an answer of ${length} bytes`);
      }
      this.#size = 4 + length;
      const isData = this.#head[4] === ANSWER.data;
      if (isData && length < DATA_HEAD - 4) {
        throw new SftpNonsense('data without its length');
      }
      if (!isData) {
        const whole = Buffer.allocUnsafe(this.#size);
        whole.set(this.#head.subarray(0, 5));
        this.#head = whole;
      }
      if (this.#have < this.#wanted()) {
        return;
      }
    }
    const head = this.#head;
    if (head[4] === ANSWER.data) {
      const length = head.readUInt32BE(9);
      if (length !== this.#size - DATA_HEAD) {
        throw new SftpNonsense('data of another length than it says');
      }
      this.#left = length;
      this.#inData = true;
      if (length === 0) {
        this.#finishData(each);
      }
      return;
    }
    const answer = {
      type: head[4]!,
      id: head.readUInt32BE(5),
      body: head.subarray(9),
      pieces: [],
      length: 0,
    };
    this.#reset();
    each(answer);
  }

  #finishData(each: (answer: Answer) => void): void {
    const head = this.#head;
    const answer: Answer = {
      type: ANSWER.data,
      id: head.readUInt32BE(5),
      body: NOTHING,
      pieces: this.#pieces,
      length: this.#size - DATA_HEAD,
    };
    this.#reset();
    each(answer);
  }

  #reset(): void {
    this.#head = Buffer.allocUnsafe(DATA_HEAD);
    this.#have = 0;
    this.#size = 0;
    this.#pieces = [];
    this.#inData = false;
  }
}

const NOTHING = Buffer.alloc(0);
