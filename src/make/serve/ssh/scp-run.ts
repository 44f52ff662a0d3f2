/** `scp -t` and `scp -f` on a channel, served here: the program scp need not be installed. */
import type { ServerChannel } from 'ssh2';
import { scpComplaint } from '../../ssh/scp.ts';
import { type ScpReceiver, scpSink, scpSource } from '../../ssh/scp-drive.ts';
import type { Rooted } from './rooted.ts';
import type { ScpCommand } from './scp-command.ts';
import { scpReceiver } from './scp-sink.ts';
import { reason, scpItems } from './scp-source.ts';
import { plain } from './words.ts';
import { Story, type Visitor, type Work } from './work.ts';

export class ScpRun implements Work {
  readonly #channel: ServerChannel;
  readonly #story: Story;
  #why: string | null = null;
  /** Things that did not come across: scp ends with 1 then. */
  #missed = 0;

  constructor(channel: ServerChannel, text: string, visitor: Visitor, over: () => void) {
    this.#channel = channel;
    this.#story = new Story(visitor, `exec ${plain(text)}`);
    channel.on('error', () => {});
    channel.on('close', over);
  }

  idle(): boolean {
    return false;
  }

  end(why: 'client gone' | 'cut off'): void {
    this.#why ??= why;
    this.#channel.end();
    this.#story.tell(why);
  }

  async serve(rooted: Rooted, command: ScpCommand): Promise<void> {
    try {
      await (command.side === 'sink' ? this.#take(rooted, command) : this.#give(rooted, command));
    } catch {
      // The other side was told, or is not there any more.
      this.#missed += 1;
    }
    if (this.#why === null) {
      const code = this.#missed > 0 ? 1 : 0;
      this.#channel.exit(code);
      this.#story.tell(`exit ${code}`);
    }
    this.#channel.end();
  }

  async #take(rooted: Rooted, command: ScpCommand): Promise<void> {
    const channel = this.#channel;
    let receiver: ScpReceiver;
    try {
      receiver = await scpReceiver(rooted, command, () => {
        this.#missed += 1;
      });
    } catch (error) {
      channel.write(scpComplaint(reason(error), true));
      throw error;
    }
    channel.on('data', (bytes: Buffer) => {
      this.#story.received += bytes.length;
    });
    await scpSink(channel, this.#watched(receiver));
  }

  /** A thing that is refused counts as missed. */
  #watched(receiver: ScpReceiver): ScpReceiver {
    const tried = async <T>(what: Promise<T> | T): Promise<T> => {
      try {
        return await what;
      } catch (error) {
        this.#missed += 1;
        // The sink sends the message; paths of this machine are not the client's.
        throw new Error(reason(error), { cause: error });
      }
    };
    return {
      file: async (thing, depth) => {
        const target = await tried(receiver.file(thing, depth));
        return {
          write: (bytes) => tried(target.write(bytes)),
          end: (complaint) => tried(target.end(complaint)),
        };
      },
      folder: (thing, depth) => tried(receiver.folder(thing, depth)),
      leave: () => tried(receiver.leave()),
      complaint: (text) => receiver.complaint(text),
    };
  }

  async #give(rooted: Rooted, command: ScpCommand): Promise<void> {
    const counted = (bytes: number): void => {
      this.#story.sent += bytes;
    };
    const items = scpItems({ rooted, command, counted, stopped: () => this.#why !== null });
    const watched = async function* (this: ScpRun) {
      for await (const item of items) {
        this.#missed += item.kind === 'complaint' ? 1 : 0;
        yield item;
      }
    };
    await scpSource(this.#channel, watched.call(this), () => {
      this.#missed += 1;
    });
  }
}
