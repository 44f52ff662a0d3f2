/** The two sides of the scp protocol on a stream: what sends (`scpSource`) and what takes (`scpSink`). */
import type { Duplex } from 'node:stream';
import type { ByteName } from './byte-name.ts';
import {
  SCP_LEAVE,
  SCP_OK,
  type ScpReply,
  ScpSinkReader,
  ScpSourceReader,
  type ScpThing,
  type ScpTimes,
  scpComplaint,
  scpFileLine,
  scpFolderLine,
  scpNameOnLine,
  scpTimesLine,
} from './scp.ts';
import { Inbox, writeAll } from './scp-inbox.ts';

/** What a source gives, in the order of a walk. */
export type ScpItem =
  | ({ readonly kind: 'file'; readonly size: number; readonly bytes: AsyncIterable<Uint8Array> } & ScpThing)
  | ({ readonly kind: 'folder' } & ScpThing)
  | { readonly kind: 'leave' }
  /** Something that could not be read: told to the other side, as scp does. */
  | { readonly kind: 'complaint'; readonly text: string };

/** Where a sink puts what comes. An error thrown by any of these is sent to the source as a complaint, and the thing is refused. */
export interface ScpReceiver {
  /** `depth` is 0 for what was asked for. */
  file(file: ScpThing & { readonly size: number }, depth: number): Promise<ScpTarget>;
  folder(folder: ScpThing, depth: number): Promise<void>;
  leave(): Promise<void>;
  /** The source says that something is missing. */
  complaint(text: string): void;
}

export interface ScpTarget {
  write(bytes: Uint8Array): Promise<void> | void;
  /** With the source's complaint the file is not complete. Called once, also when the stream broke. */
  end(complaint: string | null): Promise<void>;
}

/** What a name is on the other side; what a refusal means there is decided by the caller. */
export interface ScpRefusal {
  readonly name: ByteName | null;
  readonly text: string;
}

export class ScpBroken extends Error {}

const CUT = 'the connection ended in the middle of a copy';

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Resolves when all items were taken or refused; throws `ScpBroken` when the other side does not speak scp, or ends early. */
export async function scpSource(
  stream: Duplex,
  items: AsyncIterable<ScpItem>,
  refused: (refusal: ScpRefusal) => void,
): Promise<void> {
  const inbox = new Inbox(stream);
  const reader = new ScpSourceReader();
  const answer = async (name: ByteName | null): Promise<boolean> => {
    const reply = await replyOf(inbox, reader);
    if (reply.kind === 'broken') {
      throw new ScpBroken(`the other side says ${reply.text}`);
    }
    if (reply.kind === 'complaint') {
      if (reply.fatal) {
        throw new ScpBroken(reply.text);
      }
      refused({ name, text: reply.text });
      return false;
    }
    return true;
  };
  // Folders that were refused: what is in them is not sent.
  let skipping = 0;
  const timesTaken = async (times: ScpTimes | null, name: ByteName): Promise<boolean> => {
    if (times === null) {
      return true;
    }
    await writeAll(stream, scpTimesLine(times));
    return await answer(name);
  };
  await answer(null);
  for await (const item of items) {
    if (skipping > 0) {
      skipping += item.kind === 'folder' ? 1 : item.kind === 'leave' ? -1 : 0;
      continue;
    }
    switch (item.kind) {
      case 'complaint':
        await writeAll(stream, scpComplaint(item.text));
        break;
      case 'leave':
        await writeAll(stream, SCP_LEAVE);
        await answer(null);
        break;
      case 'folder': {
        if (!(await timesTaken(item.times, item.name))) {
          skipping = 1;
          break;
        }
        await writeAll(stream, scpFolderLine(item.mode, scpNameOnLine(item.name)));
        skipping = (await answer(item.name)) ? 0 : 1;
        break;
      }
      case 'file': {
        if (!(await timesTaken(item.times, item.name))) {
          break;
        }
        await writeAll(stream, scpFileLine(item.mode, item.size, scpNameOnLine(item.name)));
        if (await answer(item.name)) {
          const fault = await sendBytes(stream, item.bytes, item.size);
          await writeAll(stream, fault === null ? SCP_OK : scpComplaint(fault));
          await answer(item.name);
        }
        break;
      }
    }
  }
  inbox.close();
}

/** The line promised a size: what is missing is made up with zeros, and the sink is told. */
async function sendBytes(
  stream: Duplex,
  bytes: AsyncIterable<Uint8Array>,
  size: number,
): Promise<string | null> {
  let left = size;
  let fault: string | null = null;
  try {
    for await (const piece of bytes) {
      const part = piece.length > left ? piece.subarray(0, left) : piece;
      left -= part.length;
      await writeAll(stream, part);
      if (left === 0) {
        break;
      }
    }
  } catch (error) {
    fault = messageOf(error);
  }
  if (left > 0) {
    fault ??= 'the file became shorter meanwhile';
    const zeros = new Uint8Array(32 * 1024);
    for (; left > 0; left -= Math.min(left, zeros.length)) {
      await writeAll(stream, zeros.subarray(0, Math.min(left, zeros.length)));
    }
  }
  return fault;
}

async function replyOf(inbox: Inbox, reader: ScpSourceReader): Promise<ScpReply> {
  for (;;) {
    const reply = reader.next();
    if (reply !== null) {
      return reply;
    }
    const bytes = await inbox.next();
    if (bytes === null) {
      throw new ScpBroken(CUT);
    }
    reader.push(bytes);
  }
}

/** Resolves when the source ended; throws `ScpBroken` when it does not speak scp, gives up, or ends in the middle. */
export async function scpSink(stream: Duplex, receiver: ScpReceiver): Promise<void> {
  const inbox = new Inbox(stream);
  const reader = new ScpSinkReader();
  let target: ScpTarget | null = null;
  /** A file that could not be written: the rest of its bytes is read and forgotten. */
  let fault: string | null = null;
  const ask = async (what: () => Promise<void>): Promise<boolean> => {
    try {
      await what();
    } catch (error) {
      await writeAll(stream, scpComplaint(messageOf(error)));
      return false;
    }
    return true;
  };
  await writeAll(stream, SCP_OK);
  try {
    for (;;) {
      const event = reader.next();
      if (event === null) {
        const bytes = await inbox.next();
        if (bytes === null) {
          break;
        }
        reader.push(bytes);
        continue;
      }
      switch (event.kind) {
        case 'times':
          await writeAll(stream, SCP_OK);
          break;
        case 'file': {
          const accepted = await ask(async () => {
            target = await receiver.file(event, reader.depth);
          });
          fault = null;
          reader.answer(accepted);
          if (accepted) {
            await writeAll(stream, SCP_OK);
          }
          break;
        }
        case 'folder': {
          const accepted = await ask(() => receiver.folder(event, reader.depth));
          reader.answer(accepted);
          if (accepted) {
            await writeAll(stream, SCP_OK);
          }
          break;
        }
        case 'leave':
          if (await ask(() => receiver.leave())) {
            await writeAll(stream, SCP_OK);
          }
          break;
        case 'data':
          if (fault === null) {
            try {
              await (target as ScpTarget | null)?.write(event.bytes);
            } catch (error) {
              fault = messageOf(error);
            }
          }
          break;
        case 'end': {
          const done = target as ScpTarget | null;
          target = null;
          const reason = fault ?? event.complaint;
          if (await ask(async () => done?.end(reason))) {
            await writeAll(stream, fault === null ? SCP_OK : scpComplaint(fault));
          }
          break;
        }
        case 'complaint':
          if (event.fatal) {
            throw new ScpBroken(event.text);
          }
          receiver.complaint(event.text);
          break;
        case 'broken':
          await writeAll(stream, scpComplaint(`protocol error: ${event.text}`, true));
          throw new ScpBroken(`the other side sent ${event.text}`);
      }
    }
    if (!reader.idle) {
      throw new ScpBroken(CUT);
    }
  } catch (error) {
    await (target as ScpTarget | null)?.end(messageOf(error)).catch(() => undefined);
    throw error;
  } finally {
    inbox.close();
  }
}
