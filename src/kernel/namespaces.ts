/** Network namespaces: which exist, and sockets and files of those that are not ours. */
import { readdirSync, readlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { SockscopeError } from '../errors.ts';
import { insideUserNamespace, readText } from './abilities/ability.ts';
import { errnoName } from './errno.ts';

export interface Namespace {
  /** The number that /proc/PID/ns/net shows. */
  inode: number;
  ours: boolean;
  /** Names given by `ip netns add`; for other mounts of a namespace the whole path. */
  names: string[];
  pids: number[];
  /** A path that opens it. */
  path: string;
}

export interface NamespaceList {
  /** Our own first, then by inode. */
  namespaces: Namespace[];
  /** Processes whose namespace may not be read: another user's. */
  hidden: number;
}

export type NamespaceTarget = { pid: number } | { name: string } | { inode: number };

/** `net:[4026531840]` → 4026531840; anything else is null. */
export function namespaceInode(link: string): number | null {
  const found = /^net:\[(\d{1,15})\]$/.exec(link);
  return found === null ? null : Number(found[1]);
}

/** Mounted network namespaces of a /proc/PID/mountinfo text (proc_pid_mountinfo(5)): the root field is the namespace itself. */
export function mountedNamespaces(mountinfo: string): { inode: number; path: string }[] {
  return mountinfo.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const inode = namespaceInode(fields[3] ?? '');
    const path = fields[4];
    return inode === null || path === undefined ? [] : [{ inode, path: unescapeMount(path) }];
  });
}

/** Blanks and the like stand in mountinfo as three octal digits. */
function unescapeMount(path: string): string {
  return path.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function nameOfMount(path: string): string {
  return /^(?:\/var)?\/run\/netns\/([^/]+)$/.exec(path)?.[1] ?? path;
}

function readNamespaceLink(path: string): number | 'hidden' | 'gone' {
  try {
    return namespaceInode(readlinkSync(path)) ?? 'gone';
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === 'EACCES' || code === 'EPERM' ? 'hidden' : 'gone';
  }
}

/** Those that a process lives in or that are mounted somewhere visible; one kept alive only by an open descriptor has no trace. */
export function listNamespaces(): NamespaceList {
  const own = readNamespaceLink('/proc/self/ns/net');
  const found = new Map<number, Namespace>();
  const at = (inode: number, path: string): Namespace => {
    const ours = inode === own;
    const entry = found.get(inode) ?? {
      inode,
      ours,
      names: [],
      pids: [],
      path: ours ? '/proc/self/ns/net' : path,
    };
    found.set(inode, entry);
    return entry;
  };
  let hidden = 0;
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) {
      continue;
    }
    const inode = readNamespaceLink(`/proc/${name}/ns/net`);
    if (typeof inode === 'number') {
      at(inode, `/proc/${name}/ns/net`).pids.push(pid);
    } else if (inode === 'hidden') {
      hidden++;
    }
  }
  for (const { inode, path } of mountedNamespaces(readText('/proc/self/mountinfo') ?? '')) {
    const entry = at(inode, path);
    const name = nameOfMount(path);
    if (!entry.names.includes(name)) {
      entry.names.push(name);
    }
    // A mount outlives the processes that we happened to see.
    entry.path = path;
  }
  const namespaces = [...found.values()].sort((a, b) => Number(b.ours) - Number(a.ours) || a.inode - b.inode);
  return { namespaces, hidden };
}

/** What a person types after --netns: a pid, an inode of the list, or a name. */
export function parseTarget(text: string): NamespaceTarget {
  if (/^\d{1,8}$/.test(text)) {
    return { pid: Number(text) };
  }
  const inode = /^(?:net:\[)?(\d{9,15})\]?$/.exec(text);
  return inode === null ? { name: text } : { inode: Number(inode[1]) };
}

export type Errand =
  /** Make a socket there; the answer is its descriptor. It stays in that namespace whoever uses it. */
  | { do: 'socket'; family: number; type: number; protocol: number }
  /** Read a file of /proc/net as it looks from there, e.g. `netstat`. */
  | { do: 'read'; file: string };

/** A descriptor, a text, or -errno. */
export type Answer = number | string;

// setns(2) moves one thread and does not move it back safely: leaving our namespace may be allowed and returning not. So a worker
// goes and ends there. It is plain text because a bundle has no file to point a worker at. It must start nothing asynchronous
// (fs, dns): threads of libuv's shared pool inherit the namespace of the thread that happens to start them.
const TRAVELLER = `
const { workerData, parentPort } = require('node:worker_threads');
const koffi = require(workerData.koffi);
const libc = koffi.load(null);
const open = libc.func('int open(const char*, int)');
const close = libc.func('int close(int)');
const setns = libc.func('int setns(int, int)');
const socket = libc.func('int socket(int, int, int)');
const value = (result) => (result === -1 ? -koffi.errno() : result);
const errand = (e) => {
  if (e.do === 'socket') return value(socket(e.family, e.type, e.protocol));
  try { return require('node:fs').readFileSync('/proc/thread-self/net/' + e.file, 'utf8'); }
  catch (error) { return error.errno; }
};
parentPort.postMessage(workerData.visits.map(({ path, errands }) => {
  const fd = value(open(path, 0o2000000));
  const entered = fd < 0 ? fd : value(setns(fd, 0x40000000));
  if (fd >= 0) close(fd);
  return errands.map((e) => (entered < 0 ? entered : errand(e)));
}));
`;

export interface Visit {
  path: string;
  errands: Errand[];
}

/** Visits namespaces one after the other in one worker thread: for each visit, one answer per errand. */
export function inNamespaces(visits: readonly Visit[]): Promise<Answer[][]> {
  const koffi = createRequire(import.meta.url).resolve('koffi');
  return new Promise((resolve, reject) => {
    const worker = new Worker(TRAVELLER, { eval: true, workerData: { koffi, visits }, execArgv: [] });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

export async function inNamespace(path: string, errands: Errand[]): Promise<Answer[]> {
  const [answers] = await inNamespaces([{ path, errands }]);
  return answers ?? [];
}

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
export const NETLINK_ROUTE = 0;
export const NETLINK_SOCK_DIAG = 4;

/** A netlink socket in each of these namespaces: descriptors, or -errno where one may not go. The caller closes them. */
export async function netlinkSocketsIn(
  paths: readonly string[],
  protocol: number = NETLINK_SOCK_DIAG,
): Promise<number[]> {
  const errand: Errand = { do: 'socket', family: AF_NETLINK, type: SOCK_RAW_CLOEXEC, protocol };
  const answers = await inNamespaces(paths.map((path) => ({ path, errands: [errand] })));
  return answers.map(([first]) => Number(first));
}

export async function netlinkSocketIn(
  place: string | { path: string },
  protocol: number = NETLINK_SOCK_DIAG,
): Promise<number> {
  const [fd] = await netlinkSocketsIn([typeof place === 'string' ? place : place.path], protocol);
  return Number(fd);
}

function enterAdvice(pid: string | undefined): string {
  if (pid !== undefined && userNamespaceOf(pid) !== userNamespaceOf('self')) {
    return `Its user namespace would have to be entered first, which a program with several threads, as Node is, may not do; run it from inside: nsenter --preserve-credentials -U -n -t ${pid} sockscope ls (or run as root).`;
  }
  return insideUserNamespace()
    ? 'It belongs to the machine outside this user namespace; run as root of the machine.'
    : 'Entering a network namespace takes CAP_SYS_ADMIN; run as root.';
}

/** Null when it may not be read. */
function userNamespaceOf(pid: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/user`);
  } catch {
    return null;
  }
}

/** The error for a person when a namespace could not be entered. */
export function cannotEnter(path: string, result: number): SockscopeError {
  const name = errnoName(result);
  if (name === 'ENOENT') {
    return new SockscopeError(
      'NETNS_GONE',
      `There is no network namespace at ${path}.`,
      'See those that exist: lsns -t net.',
      3,
    );
  }
  const advice = enterAdvice(/^\/proc\/(\d+)\//.exec(path)?.[1]);
  return new SockscopeError(
    'NETNS_FORBIDDEN',
    `Entering the network namespace ${path} was refused (${name}).`,
    advice,
    3,
  );
}
