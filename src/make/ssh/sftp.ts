/**
 * An SFTP session on a channel of ssh2. ssh2 has a client of its own; this one keeps names as bytes, hands data on without copying it, and
 * asks the server for its limits, so that requests can be eight times as large.
 */
import type { Client, ClientChannel } from 'ssh2';
import type { ByteName } from './byte-name.ts';
import {
  ANSWER,
  type Answer,
  AnswerReader,
  type Attributes,
  type Field,
  Fields,
  fillWriteHeader,
  type NamedAttributes,
  REQUEST,
  readNames,
  request,
  SftpNonsense,
  STATUS,
  writeHeaderSize,
} from './sftp-packet.ts';

/** What a server said no to. */
export class SftpRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The session is over while something was still asked. */
export class SftpLost extends Error {}

interface Waiter {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** Who does not say takes 32 KiB (the draft's §3: at least 34 000 bytes a packet). */
const PLAIN_PIECE = 32 * 1024;
const LARGEST_PIECE = 256 * 1024 - 1024;

export class Sftp {
  readonly #channel: ClientChannel;
  readonly #waiters = new Map<number, Waiter>();
  readonly #reader = new AnswerReader();
  readonly #extensions = new Map<string, string>();
  #id = 0;
  #lost: Error | null = null;
  /** Bytes that one READ or WRITE may have. */
  readPiece = PLAIN_PIECE;
  writePiece = PLAIN_PIECE;

  private constructor(channel: ClientChannel) {
    this.#channel = channel;
    channel.on('data', (bytes: Buffer) => this.#take(bytes));
    channel.stderr.resume();
    const gone = (): void => this.#lose(new SftpLost('the server ended the SFTP session'));
    channel.on('end', gone).on('close', gone).on('error', gone);
  }

  static async open(client: Client): Promise<Sftp> {
    const channel = await new Promise<ClientChannel>((resolve, reject) => {
      client.subsys('sftp', (error, opened) => (error === undefined ? resolve(opened) : reject(error)));
    });
    const session = new Sftp(channel);
    await session.#hello();
    return session;
  }

  /** By OpenSSH's names: `posix-rename@openssh.com`. */
  offers(extension: string): boolean {
    return this.#extensions.has(extension);
  }

  get lost(): boolean {
    return this.#lost !== null;
  }

  async #hello(): Promise<void> {
    // The version's answer has no id: what stands in its place is the version itself.
    const version = new Promise<Answer>((resolve, reject) => this.#waiters.set(VERSION, { resolve, reject }));
    this.#channel.write(request(REQUEST.init, null, VERSION));
    const fields = new Fields((await version).body);
    while (!fields.empty) {
      this.#extensions.set(fields.string(), fields.string());
    }
    this.#id = VERSION + 1;
    if (this.offers('limits@openssh.com')) {
      const limits = new Fields((await this.#ask(REQUEST.extended, 'limits@openssh.com')).body);
      limits.long();
      this.readPiece = pieceOf(limits.long());
      this.writePiece = pieceOf(limits.long());
    }
  }

  async open(path: ByteName, flags: number, attributes: Attributes = {}): Promise<Buffer> {
    return handleOf(await this.#ask(REQUEST.open, path, flags, attributes));
  }

  async opendir(path: ByteName): Promise<Buffer> {
    return handleOf(await this.#ask(REQUEST.opendir, path));
  }

  async close(handle: Buffer): Promise<void> {
    await this.#ask(REQUEST.close, handle);
  }

  /** null at the end of the file. */
  async read(handle: Buffer, position: number, length: number): Promise<Answer | null> {
    return orEnd(this.#ask(REQUEST.read, handle, BigInt(position), length));
  }

  /** A buffer with room for `length` bytes from `start` on, for `write`. */
  piece(handle: Buffer, length: number): { readonly packet: Buffer; readonly start: number } {
    const start = writeHeaderSize(handle);
    return { packet: Buffer.allocUnsafe(start + length), start };
  }

  /** `packet` of `piece`, filled with `length` bytes. */
  async write(handle: Buffer, position: number, packet: Buffer, length: number): Promise<void> {
    const id = this.#next();
    fillWriteHeader(packet, id, handle, position, length);
    const whole = packet.subarray(0, writeHeaderSize(handle) + length);
    expectOk(await this.#send(id, whole));
  }

  async stat(path: ByteName): Promise<Attributes> {
    return attributesOf(await this.#ask(REQUEST.stat, path));
  }

  async lstat(path: ByteName): Promise<Attributes> {
    return attributesOf(await this.#ask(REQUEST.lstat, path));
  }

  async fstat(handle: Buffer): Promise<Attributes> {
    return attributesOf(await this.#ask(REQUEST.fstat, handle));
  }

  async setstat(path: ByteName, attributes: Attributes): Promise<void> {
    await this.#ask(REQUEST.setstat, path, attributes);
  }

  async fsetstat(handle: Buffer, attributes: Attributes): Promise<void> {
    await this.#ask(REQUEST.fsetstat, handle, attributes);
  }

  /** Everything in a folder, a page at a time, with `.` and `..` as the server has them. */
  async *pages(path: ByteName): AsyncGenerator<NamedAttributes[]> {
    const handle = await this.opendir(path);
    try {
      const asked = Array.from({ length: PAGES_AHEAD }, () => this.#page(handle));
      for (let ended = false; asked.length > 0; ) {
        const names = await asked.shift()!;
        ended ||= names === null || names.length === 0;
        if (names !== null && names.length > 0) {
          if (!ended) {
            asked.push(this.#page(handle));
          }
          yield names;
        }
      }
    } finally {
      this.close(handle).catch(() => undefined);
    }
  }

  async list(path: ByteName): Promise<NamedAttributes[]> {
    const all: NamedAttributes[] = [];
    for await (const page of this.pages(path)) {
      all.push(...page);
    }
    return all;
  }

  #page(handle: Buffer): Promise<NamedAttributes[] | null> {
    const page = orEnd(this.#ask(REQUEST.readdir, handle)).then((answer) =>
      answer === null ? null : readNames(expected(answer, ANSWER.name).body),
    );
    // The first page that fails is told; those asked for behind it fail as well.
    page.catch(() => undefined);
    return page;
  }

  /** Whether the disk below a path has nothing left; null when the server does not say. Version 3 has no word for it. */
  async diskIsFull(path: ByteName): Promise<boolean | null> {
    if (!this.offers(STATVFS)) {
      return null;
    }
    const fields = new Fields((await this.#ask(REQUEST.extended, STATVFS, path)).body);
    const [, , , , available] = Array.from({ length: 5 }, () => fields.long());
    return available === 0;
  }

  async mkdir(path: ByteName, mode: number): Promise<void> {
    await this.#ask(REQUEST.mkdir, path, { mode });
  }

  async remove(path: ByteName): Promise<void> {
    await this.#ask(REQUEST.remove, path);
  }

  /** Over what is there. Version 3's own RENAME refuses that; then the old file goes first. */
  async replace(from: ByteName, to: ByteName): Promise<void> {
    if (this.offers(POSIX_RENAME)) {
      await this.#ask(REQUEST.extended, POSIX_RENAME, from, to);
      return;
    }
    await this.#ask(REQUEST.rename, from, to).catch(async (error: unknown) => {
      if (!(error instanceof SftpRefusal)) {
        throw error;
      }
      await this.remove(to);
      await this.#ask(REQUEST.rename, from, to);
    });
  }

  async realpath(path: ByteName): Promise<ByteName> {
    return oneName(await this.#ask(REQUEST.realpath, path));
  }

  async readlink(path: ByteName): Promise<ByteName> {
    return oneName(await this.#ask(REQUEST.readlink, path));
  }

  /** OpenSSH takes the two the other way round than the draft says, and everybody follows it. */
  async symlink(path: ByteName, target: ByteName): Promise<void> {
    await this.#ask(REQUEST.symlink, target, path);
  }

  /** Ends the session; whatever was asked is answered with `SftpLost`. */
  end(): void {
    this.#lose(new SftpLost('the copy was ended'));
    this.#channel.end();
    this.#channel.close();
  }

  #next(): number {
    const id = this.#id;
    this.#id = (this.#id + 1) >>> 0;
    return id;
  }

  async #ask(type: number, ...fields: readonly Field[]): Promise<Answer> {
    const id = this.#next();
    const answer = await this.#send(id, request(type, id, ...fields));
    if (answer.type === ANSWER.status) {
      expectOk(answer);
    }
    return answer;
  }

  #send(id: number, packet: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== null) {
        reject(this.#lost);
        return;
      }
      this.#waiters.set(id, { resolve, reject });
      this.#channel.write(packet);
    });
  }

  #take(bytes: Buffer): void {
    try {
      this.#reader.push(bytes, (answer) => {
        const waiter = this.#waiters.get(answer.id);
        if (waiter === undefined) {
          throw new SftpNonsense('an answer to nothing that was asked');
        }
        this.#waiters.delete(answer.id);
        waiter.resolve(answer);
      });
    } catch (error) {
      this.#lose(new SftpLost(`the server does not speak SFTP: it sent ${messageOf(error)}`));
      this.#channel.close();
    }
  }

  #lose(error: Error): void {
    if (this.#lost !== null) {
      return;
    }
    this.#lost = error;
    for (const waiter of this.#waiters.values()) {
      waiter.reject(error);
    }
    this.#waiters.clear();
  }
}

const VERSION = 3;
const STATVFS = 'statvfs@openssh.com';
/** READDIRs on their way at once: a page is a hundred names. */
const PAGES_AHEAD = 3;
const POSIX_RENAME = 'posix-rename@openssh.com';

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function pieceOf(limit: number): number {
  return limit === 0 ? PLAIN_PIECE : Math.min(limit, LARGEST_PIECE);
}

function expected(answer: Answer, type: number): Answer {
  if (answer.type !== type) {
    throw new SftpNonsense(`an answer of type ${answer.type} where ${type} belongs`);
  }
  return answer;
}

function handleOf(answer: Answer): Buffer {
  return new Fields(expected(answer, ANSWER.handle).body).bytes();
}

function attributesOf(answer: Answer): Attributes {
  return new Fields(expected(answer, ANSWER.attributes).body).attributes();
}

function oneName(answer: Answer): ByteName {
  const [first] = readNames(expected(answer, ANSWER.name).body);
  if (first === undefined) {
    throw new SftpNonsense('no name where one belongs');
  }
  return first.name;
}

function expectOk(answer: Answer): void {
  const fields = new Fields(expected(answer, ANSWER.status).body);
  const status = fields.number();
  if (status !== STATUS.ok) {
    const said = fields.empty ? '' : fields.bytes().toString('utf8');
    throw new SftpRefusal(status, WORDS[status] ?? (said === '' ? `status ${status}` : said));
  }
}

/** As the programs on this side say it. Everything else (a full disk too) is only "Failure" in version 3. */
const WORDS: Readonly<Record<number, string>> = {
  [STATUS.noSuchFile]: 'No such file or directory',
  [STATUS.denied]: 'Permission denied',
};

async function orEnd(asked: Promise<Answer>): Promise<Answer | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof SftpRefusal && error.status === STATUS.eof) {
      return null;
    }
    throw error;
  }
}
