/**
 * Walks over JSON as it comes, byte by byte and never twice, and keeps the members of a JSON-RPC object: a value of any length
 * needs no more room than what is shown of it. Only the boundaries are looked at; whether the values are good JSON is not.
 */

/** RFC 8259 9 lets a reader set a limit. */
const MAX_DEPTH = 128;
const MAX_KEY = 16;
/** Of params, result and error this much is kept. */
export const VALUE_KEPT = 16_384;
const SHORT_KEPT = 256;

/** A member of a message: its bytes as they came, up to `limit`. */
export interface Member {
  readonly limit: number;
  bytes: Uint8Array;
  kept: number;
  length: number;
}

export interface Members {
  readonly jsonrpc: Member;
  readonly method: Member;
  readonly id: Member;
  readonly params: Member;
  readonly result: Member;
  readonly error: Member;
}

const names = ['jsonrpc', 'method', 'id', 'params', 'result', 'error'] as const;

export interface Scan {
  /** How deep it is, and which brackets are open: closers[1…depth] are the bytes that close them. */
  depth: number;
  readonly closers: Uint8Array;
  inString: boolean;
  escaped: boolean;
  /** The depth of a message's members: 1, or 2 in a batch. */
  base: number;
  batch: boolean;
  /** At `base`: a name comes next. */
  nameNext: boolean;
  inName: boolean;
  readonly name: Uint8Array;
  nameLength: number;
  /** What the value belongs to; null: nobody needs it. */
  member: Member | null;
  readonly members: Members;
  /** Bytes of the message under way, with the head before it. What stands between messages belongs to none. */
  bytes: number;
  /** A message was completed by the last byte read. */
  complete: boolean;
  why: string;
}

export function newScan(): Scan {
  return {
    depth: 0,
    closers: new Uint8Array(MAX_DEPTH + 1),
    inString: false,
    escaped: false,
    base: 1,
    batch: false,
    nameNext: false,
    inName: false,
    name: new Uint8Array(MAX_KEY),
    nameLength: 0,
    member: null,
    members: {
      jsonrpc: newMember(SHORT_KEPT),
      method: newMember(SHORT_KEPT),
      id: newMember(SHORT_KEPT),
      params: newMember(VALUE_KEPT),
      result: newMember(VALUE_KEPT),
      error: newMember(VALUE_KEPT),
    },
    bytes: 0,
    complete: false,
    why: '',
  };
}

function newMember(limit: number): Member {
  return { limit, bytes: new Uint8Array(32), kept: 0, length: 0 };
}

export function clearMembers({ members }: Scan): void {
  for (const name of names) {
    members[name].kept = 0;
    members[name].length = 0;
  }
}

/** Reads up to the end of a message, of a batch, or of the bytes; where it stopped, or -1 and `why`. */
export function scanJson(scan: Scan, bytes: Uint8Array, from: number, to: number): number {
  scan.complete = false;
  let at = from;
  while (at < to) {
    const start = at;
    if (scan.inString) {
      at = readString(scan, bytes, at, to);
    } else {
      at = scan.depth > scan.base ? readDeep(scan, bytes, at, to) : readShallow(scan, bytes, at);
      if (at < 0) {
        return -1;
      }
    }
    if (scan.depth >= scan.base || scan.complete || scan.bytes > 0) {
      scan.bytes += at - start;
    }
    if (scan.complete || scan.depth === 0) {
      return at;
    }
  }
  return at;
}

/** Up to behind the quote that ends the string. */
function readString(scan: Scan, bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && scan.inString) {
    const byte = bytes[at++]!;
    if (scan.escaped) {
      scan.escaped = false;
    } else if (byte === 92) {
      scan.escaped = true;
    } else if (byte === 34) {
      scan.inString = false;
    }
  }
  if (scan.inName) {
    const end = scan.inString ? at : at - 1;
    for (let i = from; i < end; i++) {
      if (scan.nameLength < MAX_KEY) {
        scan.name[scan.nameLength] = bytes[i]!;
      }
      scan.nameLength++;
    }
    scan.inName = scan.inString;
  } else if (scan.member !== null) {
    keep(scan.member, bytes, from, at);
  }
  return at;
}

/** Inside a member's value: only brackets and quotes count. */
function readDeep(scan: Scan, bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && !scan.inString && scan.depth > scan.base) {
    const byte = bytes[at++]!;
    if (byte === 34) {
      scan.inString = true;
    } else if (byte === 123 || byte === 91) {
      if (!open(scan, byte)) {
        return -1;
      }
    } else if ((byte === 125 || byte === 93) && !close(scan, byte)) {
      return -1;
    }
  }
  if (scan.member !== null) {
    keep(scan.member, bytes, from, at);
  }
  return at;
}

/** One byte among the members of a message, or around messages. */
function readShallow(scan: Scan, bytes: Uint8Array, at: number): number {
  const byte = bytes[at]!;
  if (scan.depth < scan.base) {
    return readAround(scan, byte) ? at + 1 : -1;
  }
  switch (byte) {
    case 34:
      scan.inString = true;
      if (scan.nameNext) {
        scan.inName = true;
        scan.nameNext = false;
        scan.nameLength = 0;
        scan.member = null;
        return at + 1;
      }
      break;
    case 58:
      scan.member = memberOf(scan);
      return at + 1;
    case 44:
      scan.nameNext = true;
      scan.member = null;
      return at + 1;
    case 123:
    case 91:
      if (scan.nameNext || !open(scan, byte)) {
        scan.why ||= 'not an object with names';
        return -1;
      }
      break;
    case 125:
    case 93:
      if (!close(scan, byte)) {
        return -1;
      }
      scan.member = null;
      scan.complete = true;
      return at + 1;
    default:
      if (blank(byte)) {
        return at + 1;
      }
      if (scan.nameNext) {
        scan.why = 'not an object with names';
        return -1;
      }
  }
  if (scan.member !== null) {
    keep(scan.member, bytes, at, at + 1);
  }
  return at + 1;
}

/** Before a message, or between those of a batch. */
function readAround(scan: Scan, byte: number): boolean {
  if (blank(byte) || (byte === 44 && scan.depth === 1)) {
    return true;
  }
  if (byte === 93 && scan.depth === 1) {
    scan.base = 1;
    scan.batch = false;
    return close(scan, byte);
  }
  if (byte === 91 && scan.depth === 0) {
    scan.base = 2;
    scan.batch = true;
    return open(scan, byte);
  }
  if (byte !== 123) {
    scan.why = 'neither an object nor an array of them';
    return false;
  }
  clearMembers(scan);
  scan.nameNext = true;
  return open(scan, byte);
}

function open(scan: Scan, byte: number): boolean {
  if (scan.depth === MAX_DEPTH) {
    scan.why = `values ${MAX_DEPTH} deep`;
    return false;
  }
  scan.closers[++scan.depth] = byte === 123 ? 125 : 93;
  return true;
}

function close(scan: Scan, byte: number): boolean {
  if (scan.closers[scan.depth] !== byte) {
    scan.why = 'brackets that do not match';
    return false;
  }
  scan.depth--;
  return true;
}

function memberOf(scan: Scan): Member | null {
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    if (name.length === scan.nameLength && sameName(scan.name, name)) {
      const member = scan.members[name];
      member.kept = 0;
      member.length = 0;
      return member;
    }
  }
  return null;
}

function sameName(bytes: Uint8Array, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    if (bytes[i] !== name.charCodeAt(i)) {
      return false;
    }
  }
  return true;
}

function keep(member: Member, bytes: Uint8Array, from: number, to: number): void {
  member.length += to - from;
  const length = Math.min(to - from, member.limit - member.kept);
  if (length <= 0) {
    return;
  }
  const total = member.kept + length;
  if (total > member.bytes.length) {
    const larger = new Uint8Array(Math.min(member.limit, Math.max(total, 2 * member.bytes.length)));
    larger.set(member.bytes.subarray(0, member.kept));
    member.bytes = larger;
  }
  for (let i = 0; i < length; i++) {
    member.bytes[member.kept + i] = bytes[from + i]!;
  }
  member.kept = total;
}

function blank(byte: number): boolean {
  return byte === 32 || byte === 10 || byte === 13 || byte === 9;
}
