/** What SFTP's requests do to files. Each resolves to the answer's bytes, or throws what the file system threw. */
import {
  close as closeWithCallback,
  constants,
  fchmod,
  fchown,
  fstat,
  fsync,
  ftruncate,
  futimes,
  open as openWithCallback,
  read,
  type Stats,
  write,
} from 'node:fs';
import {
  chmod,
  chown,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  readdir,
  readlink,
  rename,
  rmdir,
  stat,
  statfs,
  symlink,
  truncate,
  unlink,
  utimes,
} from 'node:fs/promises';
import { promisify } from 'node:util';
import { type ByteName, bufferOf, join } from '../../ssh/byte-name.ts';
import { longLine } from './long-line.ts';
import { Refusal, type Rooted } from './rooted.ts';
import { type Handles, using } from './sftp-handles.ts';
import {
  attributesReply,
  CODE,
  DATA_HEAD,
  dataReply,
  dataRoom,
  type Fields,
  handleReply,
  LONGEST_PACKET,
  LONGEST_READ,
  type Named,
  nameReply,
  numbersReply,
  REQUEST,
  statusReply,
  type Wanted,
} from './sftp-packets.ts';

export interface Desk {
  readonly rooted: Rooted;
  readonly handles: Handles;
  /** OpenSSH sends the two names of SYMLINK in the other order than the draft says (its PROTOCOL, section 4.1). */
  readonly linkTargetFirst: boolean;
}

export type Answer = (desk: Desk, id: number, fields: Fields) => Promise<Buffer>;

const openFd = promisify(openWithCallback);
const closeFd = promisify(closeWithCallback);
const statFd = promisify(fstat);

const WISH = { read: 1, write: 2, append: 4, create: 8, truncate: 0x10, exclusive: 0x20 } as const;
const NAMES_AT_ONCE = 100;

export const EXTENSIONS: Readonly<Record<string, string>> = {
  'posix-rename@openssh.com': '1',
  'hardlink@openssh.com': '1',
  'fsync@openssh.com': '1',
  'lsetstat@openssh.com': '1',
  'statvfs@openssh.com': '2',
  'limits@openssh.com': '1',
};

const done = (id: number): Buffer => statusReply(id, CODE.OK, 'done');

function openFlags(wish: number): number {
  const writes = (wish & (WISH.write | WISH.append)) !== 0;
  const way = writes
    ? (wish & WISH.read) !== 0
      ? constants.O_RDWR
      : constants.O_WRONLY
    : constants.O_RDONLY;
  return (
    way |
    (wish & WISH.append ? constants.O_APPEND : 0) |
    (wish & WISH.create ? constants.O_CREAT : 0) |
    (wish & WISH.truncate ? constants.O_TRUNC : 0) |
    (wish & WISH.exclusive ? constants.O_EXCL : 0) |
    // The name was looked up already; and a FIFO without a writer would hold a thread.
    constants.O_NOFOLLOW |
    constants.O_NONBLOCK
  );
}

async function openFile({ rooted, handles }: Desk, id: number, fields: Fields): Promise<Buffer> {
  const path = fields.name();
  const wish = fields.number();
  const { mode = 0o666 } = fields.wanted();
  if (handles.full()) {
    throw new Refusal('EMFILE', 'too many files are open');
  }
  const real = (wish & WISH.create) !== 0 ? await rooted.target(path) : await rooted.thing(path);
  const fd = await openFd(real, openFlags(wish), mode & 0o7777);
  if (!(await statFd(fd)).isFile()) {
    await closeFd(fd);
    throw new Refusal('EINVAL', 'it is no regular file');
  }
  return handleReply(id, handles.add({ kind: 'file', fd, running: 0, idle: null }));
}

async function readFile({ handles }: Desk, id: number, fields: Fields): Promise<Buffer> {
  const file = handles.file(fields.bytes());
  const offset = fields.large();
  const length = Math.min(fields.number(), LONGEST_READ);
  const room = dataRoom(length);
  const count = await using(
    file,
    (fd) =>
      new Promise<number>((resolve, reject) => {
        read(fd, room, DATA_HEAD, length, offset, (error, bytes) => (error ? reject(error) : resolve(bytes)));
      }),
  );
  return count === 0 && length > 0
    ? statusReply(id, CODE.EOF, 'the end of the file')
    : dataReply(id, room, count);
}

async function writeFile({ handles }: Desk, id: number, fields: Fields): Promise<Buffer> {
  const file = handles.file(fields.bytes());
  const offset = fields.large();
  const bytes = fields.bytes();
  await using(file, async (fd) => {
    for (let at = 0; at < bytes.length; ) {
      const from = at;
      at += await new Promise<number>((resolve, reject) => {
        write(fd, bytes, from, bytes.length - from, offset + from, (error, count) =>
          error ? reject(error) : resolve(count),
        );
      });
    }
  });
  return done(id);
}

/** The same wishes, carried out on a path, on a link itself, or on an open file. */
interface Hands {
  truncate(size: number): Promise<void>;
  chmod(mode: number): Promise<void>;
  chown(user: number, group: number): Promise<void>;
  times(read: number, modified: number): Promise<void>;
}

async function apply(hands: Hands, { size, owner, mode, times }: Wanted): Promise<void> {
  if (size !== undefined) {
    await hands.truncate(size);
  }
  if (mode !== undefined) {
    await hands.chmod(mode & 0o7777);
  }
  if (owner !== undefined) {
    await hands.chown(owner.user, owner.group);
  }
  if (times !== undefined) {
    await hands.times(times.read, times.modified);
  }
}

const onPath = (path: Buffer): Hands => ({
  truncate: (size) => truncate(path, size),
  chmod: (mode) => chmod(path, mode),
  chown: (user, group) => chown(path, user, group),
  times: (read_, modified) => utimes(path, read_, modified),
});

/** A link has neither size nor mode of its own. */
const onLink = (path: Buffer): Hands => ({
  truncate: async () => {},
  chmod: async () => {},
  chown: (user, group) => lchown(path, user, group),
  times: (read_, modified) => lutimes(path, read_, modified),
});

const onOpen = (fd: number): Hands => ({
  truncate: (size) => promisify(ftruncate)(fd, size),
  chmod: (mode) => promisify(fchmod)(fd, mode),
  chown: (user, group) => promisify(fchown)(fd, user, group),
  times: (read_, modified) => promisify(futimes)(fd, read_, modified),
});

async function openFolder({ rooted, handles }: Desk, id: number, fields: Fields): Promise<Buffer> {
  if (handles.full()) {
    throw new Refusal('EMFILE', 'too many folders are open');
  }
  const path = await rooted.thing(fields.name());
  const names = await readdir(path, { encoding: 'buffer' });
  return handleReply(
    id,
    handles.add({
      kind: 'folder',
      path: path.toString('latin1'),
      names: ['.', '..', ...names.map((name) => name.toString('latin1'))],
      at: 0,
    }),
  );
}

async function listFolder({ handles }: Desk, id: number, fields: Fields): Promise<Buffer> {
  const folder = handles.folder(fields.bytes());
  const names = folder.names.slice(folder.at, folder.at + NAMES_AT_ONCE);
  folder.at += names.length;
  if (names.length === 0) {
    return statusReply(id, CODE.EOF, 'no more names');
  }
  const now = Date.now();
  const entries = await Promise.all(
    names.map(async (name): Promise<Named | null> => {
      // What is above the top is nobody's business: `..` looks like the folder itself.
      const path = bufferOf(name === '..' ? folder.path : join(folder.path, name));
      const found = await lstat(path).catch(() => null);
      return found === null ? null : { name, line: longLine(name, found, now), found };
    }),
  );
  return nameReply(
    id,
    entries.filter((entry) => entry !== null),
  );
}

async function move({ rooted }: Desk, id: number, fields: Fields): Promise<Buffer> {
  const [from, to] = [await rooted.entry(fields.name()), await rooted.entry(fields.name())];
  // Version 3 never replaces. A hard link says so without a gap between looking and doing; folders have none.
  const found = await lstat(from);
  if (found.isDirectory()) {
    if ((await lstat(to).catch(() => null)) !== null) {
      throw new Refusal('EEXIST', 'the new name is taken');
    }
    await rename(from, to);
  } else {
    await link(from, to);
    await unlink(from);
  }
  return done(id);
}

async function makeLink(desk: Desk, id: number, fields: Fields): Promise<Buffer> {
  const [first, second] = [fields.name(), fields.name()];
  const [name, target] = desk.linkTargetFirst ? [second, first] : [first, second];
  await symlink(bufferOf(target), await desk.rooted.entry(name));
  return done(id);
}

async function realPath({ rooted }: Desk, id: number, fields: Fields): Promise<Buffer> {
  const path = fields.name();
  let shown: ByteName;
  try {
    shown = rooted.shown(await rooted.thing(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw error;
    }
    shown = rooted.named(path);
  }
  return nameReply(id, [{ name: shown, line: shown, found: null }]);
}

const attributesOf = async (id: number, found: Promise<Stats>): Promise<Buffer> =>
  attributesReply(id, await found);

const extended: Readonly<Record<string, Answer>> = {
  async 'posix-rename@openssh.com'({ rooted }, id, fields) {
    await rename(await rooted.entry(fields.name()), await rooted.entry(fields.name()));
    return done(id);
  },
  async 'hardlink@openssh.com'({ rooted }, id, fields) {
    await link(await rooted.entry(fields.name()), await rooted.entry(fields.name()));
    return done(id);
  },
  async 'fsync@openssh.com'({ handles }, id, fields) {
    await using(handles.file(fields.bytes()), (fd) => promisify(fsync)(fd));
    return done(id);
  },
  async 'lsetstat@openssh.com'({ rooted }, id, fields) {
    await apply(onLink(await rooted.entry(fields.name())), fields.wanted());
    return done(id);
  },
  async 'statvfs@openssh.com'({ rooted }, id, fields) {
    const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(await rooted.thing(fields.name()));
    // Block and fragment size, blocks, inodes, and then an id, flags and the longest name.
    return numbersReply(id, [bsize, bsize, blocks, bfree, bavail, files, ffree, ffree, 0, 0, 255]);
  },
  'limits@openssh.com': async (_desk, id) =>
    numbersReply(id, [LONGEST_PACKET, LONGEST_READ, LONGEST_READ, 256]),
};

export const answers: Readonly<Record<number, Answer>> = {
  [REQUEST.OPEN]: openFile,
  async [REQUEST.CLOSE]({ handles }, id, fields) {
    await handles.close(fields.bytes());
    return done(id);
  },
  [REQUEST.READ]: readFile,
  [REQUEST.WRITE]: writeFile,
  [REQUEST.LSTAT]: async ({ rooted }, id, fields) =>
    attributesOf(id, lstat(await rooted.entry(fields.name()))),
  [REQUEST.STAT]: async ({ rooted }, id, fields) => attributesOf(id, stat(await rooted.thing(fields.name()))),
  [REQUEST.FSTAT]: ({ handles }, id, fields) =>
    attributesOf(
      id,
      using(handles.file(fields.bytes()), (fd) => statFd(fd)),
    ),
  async [REQUEST.SETSTAT]({ rooted }, id, fields) {
    await apply(onPath(await rooted.thing(fields.name())), fields.wanted());
    return done(id);
  },
  async [REQUEST.FSETSTAT]({ handles }, id, fields) {
    await using(handles.file(fields.bytes()), (fd) => apply(onOpen(fd), fields.wanted()));
    return done(id);
  },
  [REQUEST.OPENDIR]: openFolder,
  [REQUEST.READDIR]: listFolder,
  async [REQUEST.REMOVE]({ rooted }, id, fields) {
    await unlink(await rooted.entry(fields.name()));
    return done(id);
  },
  async [REQUEST.MKDIR]({ rooted }, id, fields) {
    const path = await rooted.entry(fields.name());
    await mkdir(path, (fields.wanted().mode ?? 0o777) & 0o7777);
    return done(id);
  },
  async [REQUEST.RMDIR]({ rooted }, id, fields) {
    await rmdir(await rooted.entry(fields.name()));
    return done(id);
  },
  [REQUEST.REALPATH]: realPath,
  [REQUEST.RENAME]: move,
  async [REQUEST.READLINK]({ rooted }, id, fields) {
    const target = await readlink(await rooted.entry(fields.name()), { encoding: 'buffer' });
    const name = target.toString('latin1');
    return nameReply(id, [{ name, line: name, found: null }]);
  },
  [REQUEST.SYMLINK]: makeLink,
  async [REQUEST.EXTENDED](desk, id, fields) {
    const name = fields.name();
    const wanted = Object.hasOwn(extended, name) ? extended[name] : undefined;
    return wanted === undefined
      ? statusReply(id, CODE.OP_UNSUPPORTED, 'no such extension here')
      : wanted(desk, id, fields);
  },
};
