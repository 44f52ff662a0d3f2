/** What a client gets by the scp protocol. Links are followed, as scp does, but not out of the folder that is served. */
import { constants } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { type ByteName, join, lastPart, textOf } from '../../ssh/byte-name.ts';
import type { ScpThing } from '../../ssh/scp.ts';
import type { ScpItem } from '../../ssh/scp-drive.ts';
import type { Rooted } from './rooted.ts';
import type { ScpCommand } from './scp-command.ts';

const PIECE = 256 * 1024;

export interface ScpGiving {
  readonly rooted: Rooted;
  readonly command: ScpCommand;
  /** Bytes of files that were given. */
  readonly counted: (bytes: number) => void;
  readonly stopped: () => boolean;
}

export async function* scpItems(giving: ScpGiving): AsyncGenerator<ScpItem> {
  for (const path of giving.command.paths) {
    const name = giving.rooted.named(path);
    yield* one(giving, name, lastPart(name) || '.', []);
  }
}

/** `above` are the real paths of the folders around it: a link to one of them would never end. */
async function* one(
  giving: ScpGiving,
  path: ByteName,
  name: ByteName,
  above: readonly string[],
): AsyncGenerator<ScpItem> {
  const { rooted, command } = giving;
  let real: Buffer;
  let thing: ScpThing;
  let isFolder: boolean;
  let size: number;
  try {
    real = await rooted.thing(path);
    const found = await stat(real);
    isFolder = found.isDirectory();
    size = found.size;
    const why = isFolder
      ? command.recursive
        ? null
        : 'is a folder'
      : found.isFile()
        ? null
        : 'is no regular file';
    if (why !== null) {
      yield { kind: 'complaint', text: `${textOf(name)}: ${why}` };
      return;
    }
    const times = { modified: Math.floor(found.mtimeMs / 1000), read: Math.floor(found.atimeMs / 1000) };
    thing = { name, mode: found.mode & 0o7777, times: command.preserve ? times : null };
  } catch (error) {
    yield { kind: 'complaint', text: `${textOf(name)}: ${reason(error)}` };
    return;
  }
  if (!isFolder) {
    yield { kind: 'file', size, ...thing, bytes: pieces(giving, real) };
    return;
  }
  const identity = real.toString('latin1');
  if (above.includes(identity)) {
    yield { kind: 'complaint', text: `${textOf(name)}: a link to a folder that it is in` };
    return;
  }
  let names: Buffer[];
  try {
    names = await readdir(real, { encoding: 'buffer' });
  } catch (error) {
    yield { kind: 'complaint', text: `${textOf(name)}: ${reason(error)}` };
    return;
  }
  yield { kind: 'folder', ...thing };
  for (const child of names) {
    const childName = child.toString('latin1');
    yield* one(giving, join(path, childName), childName, [...above, identity]);
  }
  yield { kind: 'leave' };
}

async function* pieces({ counted, stopped }: ScpGiving, path: Buffer): AsyncGenerator<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    for (;;) {
      const room = Buffer.allocUnsafe(PIECE);
      const { bytesRead } = await file.read(room, 0, PIECE);
      if (bytesRead === 0 || stopped()) {
        return;
      }
      counted(bytesRead);
      yield room.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Without the path, which is this machine's business. */
export function reason(error: unknown): string {
  const [words = ''] = (error as Error).message.split(', ', 1);
  return words.replace(/^[A-Z0-9]+: /, '');
}
