/** `ssh copy`: which things go where, and the copy itself over a connection that stands. */
import { realpathSync } from 'node:fs';
import type { Client } from 'ssh2';
import { SockscopeError } from '../../errors.ts';
import { type ByteName, bufferOf, join, lastPart, textOf } from './byte-name.ts';
import { copyDown } from './copy-down.ts';
import { expandGlob, hasGlob } from './copy-glob.ts';
import { localStat, reasonOf } from './copy-local.ts';
import { CopyEnded, type CopyPair, type CopyWatch, type CopyWishes, kindOf } from './copy-order.ts';
import { copyDownScp } from './copy-scp-down.ts';
import { copyUpScp, isFolderThere } from './copy-scp-up.ts';
import { gatherWrites } from './copy-socket.ts';
import { copyUp } from './copy-up.ts';
import { ScpBroken } from './scp-drive.ts';
import { Sftp, SftpRefusal } from './sftp.ts';

export interface CopyOrder {
  readonly direction: 'up' | 'down';
  readonly protocol: 'sftp' | 'scp';
  readonly sources: readonly ByteName[];
  readonly target: ByteName;
  readonly wishes: CopyWishes;
}

/** Single files that fail are told to `watch`; what ends the copy is thrown as `CopyEnded`, what cannot begin as SockscopeError. */
export async function copy(
  client: Client,
  order: CopyOrder,
  watch: CopyWatch,
  signal: AbortSignal,
): Promise<void> {
  gatherWrites(client);
  if (order.protocol === 'sftp') {
    await copySftp(client, order, watch, signal);
  } else {
    await copyScp(client, order, watch, signal);
  }
}

async function copySftp(
  client: Client,
  order: CopyOrder,
  watch: CopyWatch,
  signal: AbortSignal,
): Promise<void> {
  const sftp = await Sftp.open(client).catch((error: unknown) => {
    throw new SockscopeError(
      'SSH_NO_SFTP',
      `The server has no SFTP: ${reasonOf(error)}.`,
      'Try --protocol scp, which needs only the program scp there.',
      1,
      error,
    );
  });
  try {
    if (order.direction === 'down') {
      const sources = await expandAll(sftp, order.sources, watch);
      const folder = localFolder(order.target, order.sources.length > 1 || sources.length > 1);
      const target = folder ? order.target : realTarget(order.target);
      await copyDown(sftp, pairsOf(sources, target, folder), order.wishes, watch, signal);
    } else {
      const found = await sftp.stat(order.target).catch((error: unknown) => {
        if (error instanceof SftpRefusal) {
          return null;
        }
        throw error;
      });
      const folder = found !== null && kindOf(found.mode) === 'folder';
      needFolder(folder, order.sources.length > 1, order.target);
      if (found !== null && kindOf(found.mode) === 'other') {
        throw notAFile(order.target);
      }
      // Through a link the file it points to is replaced, as scp would write it.
      const target = found !== null && !folder ? await sftp.realpath(order.target) : order.target;
      await copyUp(sftp, pairsOf(order.sources, target, folder), order.wishes, watch, signal);
    }
  } finally {
    sftp.end();
  }
}

async function copyScp(
  client: Client,
  order: CopyOrder,
  watch: CopyWatch,
  signal: AbortSignal,
): Promise<void> {
  const several = order.sources.length > 1;
  let folder: boolean;
  if (order.direction === 'down') {
    folder = localFolder(order.target, several);
  } else {
    folder = await isFolderThere(client, order.target);
    needFolder(folder, several, order.target);
  }
  const target = order.direction === 'down' && !folder ? realTarget(order.target) : order.target;
  for (const pair of pairsOf(order.sources, target, folder)) {
    try {
      if (order.direction === 'down') {
        await copyDownScp(client, pair, order.wishes, watch, signal);
      } else {
        await copyUpScp(client, pair, order.wishes, watch, signal);
      }
    } catch (error) {
      if (error instanceof CopyEnded) {
        throw error;
      }
      if (signal.aborted) {
        throw new CopyEnded('stopped', 'the copy was stopped');
      }
      watch.failed(textOf(pair.from), error instanceof ScpBroken ? error.message : reasonOf(error));
    }
  }
}

/** Into a folder that is there things go under their own names; otherwise the target is the new name. */
function pairsOf(sources: readonly ByteName[], target: ByteName, folder: boolean): CopyPair[] {
  return sources.map((from) => {
    const name = lastPart(from);
    return { from, to: folder && name !== '' ? join(target, name) : target };
  });
}

function localFolder(target: ByteName, several: boolean): boolean {
  let found = localStat(target);
  if (found?.isSymbolicLink() === true) {
    found = localStat(realTarget(target));
  }
  const folder = found?.isDirectory() === true;
  needFolder(folder, several, target);
  if (found !== null && !folder && !found.isFile()) {
    throw notAFile(target);
  }
  return folder;
}

/** What a link here points to; itself when that is not there. */
function realTarget(target: ByteName): ByteName {
  try {
    return realpathSync(bufferOf(target), 'latin1');
  } catch {
    return target;
  }
}

function needFolder(folder: boolean, several: boolean, target: ByteName): void {
  if (!folder && several) {
    throw new SockscopeError(
      'COPY_TARGET',
      `"${textOf(target)}" is not a folder that is there, and several things are to be copied into it.`,
      'Make the folder first, or copy one thing.',
      2,
    );
  }
}

function notAFile(target: ByteName): SockscopeError {
  return new SockscopeError(
    'COPY_TARGET',
    `"${textOf(target)}" is neither a file nor a folder, and would be replaced.`,
    'Name a file or a folder.',
    2,
  );
}

async function expandAll(sftp: Sftp, typed: readonly ByteName[], watch: CopyWatch): Promise<ByteName[]> {
  const found: ByteName[] = [];
  for (const path of typed) {
    // A file that is really called so comes first.
    if (!hasGlob(path) || (await sftp.lstat(path).then(Boolean, () => false))) {
      found.push(path);
      continue;
    }
    const fitting = await expandGlob(path, async (folder) => {
      try {
        return (await sftp.list(folder)).map(({ name }) => name);
      } catch (error) {
        if (error instanceof SftpRefusal) {
          return null;
        }
        throw error;
      }
    });
    if (fitting.length === 0) {
      watch.failed(textOf(path), 'nothing there fits');
    }
    found.push(...fitting);
  }
  return found;
}
