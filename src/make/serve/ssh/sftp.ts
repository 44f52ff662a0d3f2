/**
 * The subsystem `sftp` on a channel: requests run side by side and are answered in the order in which they came. The protocol
 * would allow any order, but OpenSSH's scp (9.2) cuts a file off at the first answer that overtook another, and calls it done.
 */
import type { ServerChannel } from 'ssh2';
import type { Rooted } from './rooted.ts';
import { answers, type Desk, EXTENSIONS } from './sftp-answers.ts';
import { Handles } from './sftp-handles.ts';
import { CODE, Fields, Malformed, Packets, REQUEST, statusReply, versionReply } from './sftp-packets.ts';
import { Story, type Visitor, type Work } from './work.ts';

/** More than this at once, and the client waits. OpenSSH's clients send 64. */
const AT_ONCE = 128;

export class Sftp implements Work {
  readonly #channel: ServerChannel;
  readonly #story: Story;
  readonly #packets = new Packets();
  readonly #desk: Desk;
  readonly #over: () => void;
  #begun = false;
  #before: Promise<void> = Promise.resolve();
  #running = 0;
  #requests = 0;
  #full = false;
  #ended = false;
  #closed = false;

  constructor(channel: ServerChannel, rooted: Rooted, visitor: Visitor, over: () => void) {
    this.#channel = channel;
    this.#over = over;
    this.#story = new Story(visitor, 'sftp');
    const linkTargetFirst = /openssh/i.test(visitor.software);
    this.#desk = { rooted, handles: new Handles(), linkTargetFirst };
    channel.on('data', (bytes: Buffer) => this.#take(bytes));
    channel.on('drain', () => {
      this.#full = false;
      this.#flow();
    });
    channel.on('end', () => {
      this.#ended = true;
      this.#endWhenDone();
    });
    channel.on('close', () => this.#finish('closed'));
    channel.on('error', () => {});
  }

  idle(): boolean {
    return this.#running === 0 && this.#desk.handles.count === 0;
  }

  end(why: 'client gone' | 'cut off'): void {
    const closed = why === 'client gone' && this.idle();
    this.#finish(closed ? 'closed' : why);
    this.#channel.end();
  }

  #take(bytes: Buffer): void {
    if (this.#closed) {
      return;
    }
    this.#story.received += bytes.length;
    try {
      for (const packet of this.#packets.push(bytes)) {
        this.#request(packet);
      }
    } catch (error) {
      if (!(error instanceof Malformed)) {
        throw error;
      }
      this.#finish(`${error.message}: not SFTP`);
      this.#channel.end();
    }
    this.#flow();
  }

  #request(packet: Buffer): void {
    const fields = new Fields(packet);
    const type = fields.byte();
    const id = fields.number();
    if (type === REQUEST.INIT) {
      // Here the number is the version; ours is older than any a client may have.
      this.#begun = true;
      this.#send(versionReply(EXTENSIONS));
      return;
    }
    if (!this.#begun) {
      throw new Malformed('a request before the version');
    }
    const answer = answers[type];
    this.#requests += 1;
    const unknown = statusReply(id, CODE.OP_UNSUPPORTED, 'no such request in version 3');
    this.#running += 1;
    this.#before = this.#run(answer?.(this.#desk, id, fields) ?? Promise.resolve(unknown), id, this.#before);
  }

  async #run(answer: Promise<Buffer>, id: number, before: Promise<void>): Promise<void> {
    const reply = await answer.catch((error: unknown) => failure(id, error));
    await before;
    this.#running -= 1;
    this.#send(reply);
    this.#flow();
    if (this.#closed) {
      // It may have opened something.
      this.#desk.handles.closeAll();
    } else if (this.#ended) {
      this.#endWhenDone();
    }
  }

  #send(reply: Buffer): void {
    if (!this.#closed) {
      this.#story.sent += reply.length;
      this.#full = !this.#channel.write(reply) || this.#full;
    }
  }

  #flow(): void {
    if (this.#running >= AT_ONCE || this.#full) {
      this.#channel.pause();
    } else if (this.#channel.isPaused()) {
      this.#channel.resume();
    }
  }

  /** The client sends no more; what it asked is answered first. */
  #endWhenDone(): void {
    if (this.#running === 0 && !this.#closed) {
      this.#finish('closed');
      // scp believes in a copy only with this.
      this.#channel.exit(0);
      this.#channel.end();
    }
  }

  #finish(result: string): void {
    if (!this.#closed) {
      this.#closed = true;
      this.#desk.handles.closeAll();
      this.#story.tell(result, true, `${this.#requests} ${this.#requests === 1 ? 'request' : 'requests'}`);
      this.#over();
    }
  }
}

const CODES: Readonly<Record<string, number>> = {
  ENOENT: CODE.NO_SUCH_FILE,
  ENOTDIR: CODE.NO_SUCH_FILE,
  EBADF: CODE.NO_SUCH_FILE,
  ELOOP: CODE.NO_SUCH_FILE,
  EPERM: CODE.PERMISSION_DENIED,
  EACCES: CODE.PERMISSION_DENIED,
  EROFS: CODE.PERMISSION_DENIED,
  EINVAL: CODE.BAD_MESSAGE,
  ENAMETOOLONG: CODE.BAD_MESSAGE,
  ENOSYS: CODE.OP_UNSUPPORTED,
};

/** The status of an error; without the path that Node puts behind the comma, which is not the client's. */
export function failure(id: number, error: unknown): Buffer {
  if (error instanceof Malformed) {
    return statusReply(id, CODE.BAD_MESSAGE, error.message);
  }
  const { code = '', message } = error as NodeJS.ErrnoException;
  const [words = ''] = message.split(', ', 1);
  return statusReply(id, CODES[code] ?? CODE.FAILURE, words.replace(/^[A-Z0-9]+: /, ''));
}
