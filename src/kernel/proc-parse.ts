/** The texts of /proc as data. Pure; truncated or hostile text gives a partial value or null, never an exception. */

export interface Stat {
  pid: number;
  name: string;
  state: string;
  ppid: number;
  /** Clock ticks after boot. */
  startTicks: number;
}

const FIELDS_AFTER_NAME = 20;

/** /proc/PID/stat: the name may hold spaces, parentheses and newlines, so it ends at the LAST closing one (proc_pid_stat(5)). */
export function parseStat(text: string): Stat | null {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 1 || close < open) {
    return null;
  }
  const rest = text.slice(close + 2).split(' ');
  const pid = Number(text.slice(0, open).trim());
  const ppid = Number(rest[1]);
  const startTicks = Number(rest[FIELDS_AFTER_NAME - 1]);
  const state = rest[0] ?? '';
  if (![pid, ppid, startTicks].every(isCount) || state.length !== 1) {
    return null;
  }
  return { pid, name: unescaped(text.slice(open + 1, close)), state, ppid, startTicks };
}

/** The kernel escapes newline and backslash here, and only here (fs/proc/array.c, proc_task_name). */
function unescaped(name: string): string {
  return name.replace(/\\([n\\])/g, (_, what: string) => (what === 'n' ? '\n' : '\\'));
}

/** /proc/PID/cmdline. A program that overwrote its arguments with one title (nginx, sshd) gives that title. */
export function parseCommand(text: string): string[] {
  const end = text.replace(/\0+$/, '');
  return end === '' ? [] : end.split('\0');
}

/** A `Name:\tvalue` line of /proc/PID/status. */
export function statusField(text: string, name: string): string | null {
  for (const line of text.split('\n')) {
    if (line.startsWith(`${name}:`)) {
      return line.slice(name.length + 1).trim();
    }
  }
  return null;
}

/** The first word of the field as a number; for `Uid` that is the real uid. */
export function statusNumber(text: string, name: string): number | null {
  return whole(statusField(text, name)?.split(/\s+/)[0]);
}

export interface SoftHard {
  /** null: unlimited. */
  soft: number | null;
  hard: number | null;
}

/** The `Max open files` line of /proc/PID/limits; null when it is not there. */
export function parseOpenFilesLimit(text: string): SoftHard | null {
  const found = /^Max open files +(\d+|unlimited) +(\d+|unlimited)(?: |$)/m.exec(text);
  if (found === null) {
    return null;
  }
  return { soft: whole(found[1]), hard: whole(found[2]) };
}

export type Counters = ReadonlyMap<string, bigint>;

/**
 * /proc/net/netstat and /proc/net/snmp: pairs of lines, names then values. Keys are `TcpExt.ListenDrops`, `Udp.RcvbufErrors`.
 * A pair whose halves differ in length gives what both have.
 */
export function parseCounters(text: string): Counters {
  const counters = new Map<string, bigint>();
  const lines = text.split('\n');
  for (let i = 0; i + 1 < lines.length; i++) {
    const names = lines[i]!.trim().split(/\s+/);
    const values = lines[i + 1]!.trim().split(/\s+/);
    const group = names[0] ?? '';
    if (!/^\w+:$/.test(group) || values[0] !== group || isInteger(names[1])) {
      continue;
    }
    for (let at = 1; at < Math.min(names.length, values.length); at++) {
      if (isInteger(values[at])) {
        counters.set(`${group.slice(0, -1)}.${names[at]}`, BigInt(values[at]!));
      }
    }
    i++;
  }
  return counters;
}

/** /proc/net/sockstat: `TCP: inuse 1 orphan 0 tw 0 alloc 3 mem 2` as `TCP.orphan` and so on. */
export function parseSockstat(text: string): ReadonlyMap<string, number> {
  const figures = new Map<string, number>();
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/);
    const group = words[0]?.replace(/:$/, '') ?? '';
    for (let at = 1; at + 1 < words.length; at += 2) {
      const value = whole(words[at + 1]);
      if (value !== null) {
        figures.set(`${group}.${words[at]}`, value);
      }
    }
  }
  return figures;
}

/** A sysctl of whole numbers such as `4096 131072 6291456`; null when anything else stands there. */
export function parseNumbers(text: string): number[] | null {
  const words = text.trim().split(/\s+/);
  const numbers = words.map(whole);
  return numbers.every((value) => value !== null) ? numbers : null;
}

export function whole(text: string | undefined): number | null {
  return text !== undefined && /^\d+$/.test(text) && isCount(Number(text)) ? Number(text) : null;
}

function isInteger(text: string | undefined): boolean {
  return text !== undefined && /^-?\d+$/.test(text);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
