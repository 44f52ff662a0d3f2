/** Where what a client sends by the scp protocol is put. */
import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, stat, utimes } from 'node:fs/promises';
import { type ByteName, join } from '../../ssh/byte-name.ts';
import type { ScpThing } from '../../ssh/scp.ts';
import type { ScpReceiver, ScpTarget } from '../../ssh/scp-drive.ts';
import { Refusal, type Rooted } from './rooted.ts';
import type { ScpCommand } from './scp-command.ts';

const WRITE =
  constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** `missing` is told what the client could not send. */
export async function scpReceiver(
  rooted: Rooted,
  { paths, recursive, preserve, intoFolder }: ScpCommand,
  missing: (text: string) => void,
): Promise<ScpReceiver> {
  const asked = rooted.named(paths[0]!);
  const isFolder = await exists(rooted, asked);
  if (intoFolder && !isFolder) {
    throw new Refusal('ENOTDIR', 'the target is no folder');
  }
  const open_: { readonly path: ByteName; readonly thing: ScpThing }[] = [];
  const place = ({ name }: ScpThing, depth: number): ByteName => {
    if (depth > 0) {
      return join(open_.at(-1)!.path, name);
    }
    return isFolder && name !== '.' && name !== '..' ? join(asked, name) : asked;
  };
  return {
    async file(thing, depth) {
      const path = await rooted.target(place(thing, depth));
      const file = await open(path, WRITE, thing.mode);
      if (!(await file.stat()).isFile()) {
        await file.close();
        throw new Refusal('EINVAL', 'it is no regular file');
      }
      return target(file, preserve ? thing : null);
    },
    async folder(thing, depth) {
      if (!recursive) {
        throw new Refusal('EISDIR', 'a folder without -r');
      }
      const path = place(thing, depth);
      if (!(await exists(rooted, path))) {
        // Without these bits nothing could be put into it; what was wanted comes when everything is in.
        await mkdir(await rooted.entry(path), thing.mode | 0o700);
      }
      open_.push({ path, thing });
    },
    async leave() {
      const left = open_.pop();
      if (left !== undefined && preserve) {
        const path = await rooted.thing(left.path);
        await chmod(path, left.thing.mode);
        if (left.thing.times !== null) {
          await utimes(path, left.thing.times.read, left.thing.times.modified);
        }
      }
    },
    complaint: missing,
  };
}

/** There, and a folder. */
async function exists(rooted: Rooted, path: ByteName): Promise<boolean> {
  try {
    return (await stat(await rooted.thing(path))).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return false;
    }
    throw error;
  }
}

function target(file: FileHandle, kept: ScpThing | null): ScpTarget {
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.length; ) {
        at += (await file.write(bytes, at)).bytesWritten;
      }
    },
    async end() {
      try {
        if (kept !== null) {
          await file.chmod(kept.mode);
          if (kept.times !== null) {
            await file.utimes(kept.times.read, kept.times.modified);
          }
        }
      } finally {
        await file.close();
      }
    },
  };
}
