/** What to ask the kernel for, and its answers as they came: the step that both the fast table and the full rows share. */
import { SockscopeError } from '../errors.ts';
import { errnoMeaning, errnoName } from '../kernel/errno.ts';
import { unavailable } from '../kernel/libc.ts';
import { cgroupId, deviceIndex, mayAdministerNetwork } from '../kernel/names.ts';
import { readProcRaw } from '../kernel/proc-net-raw.ts';
import { type Chunk, closeSockDiag, type Dump, dump, dumpAside, openSockDiag } from '../kernel/sockdiag.ts';
import { INET, INET_ATTRIBUTE, inetRequest, unixRequest } from '../kernel/sockdiag-format.ts';
import { tcpInUse } from '../kernel/tcp-in-use.ts';
import { PROTOCOLS, type Protocol } from '../session/socket.ts';
import {
  compileForKernel,
  evaluate,
  type Filter,
  type KernelOptions,
  namesStates,
  needsOwners,
} from './filter/index.ts';
import { inetSocket } from './row.ts';
import { NAMES } from './row-names.ts';

const NUMBERS: Record<Exclude<Protocol, 'unix'>, number> = { tcp: 6, udp: 17, udplite: 136, raw: 255 };
const FAMILIES = { 4: 2, 6: 10 } as const;
const ALL_STATES = 0x3fff;
/** Sockets that hold a port without listening. The kernel walks a table of its own for them (inet_diag.c, bhash2). */
const BOUND_INACTIVE = 1 << 13;
const MANY = 20_000;
const UNUSED_PORTS = `TCP ports that are bound but not in use not looked for: there are more than ${MANY} sockets; 'state bound-inactive' asks for them`;
const ENOENT = 2;
const EPROTONOSUPPORT = 93;
const EOPNOTSUPP = 95;

const DETAILS = [
  INET_ATTRIBUTE.info,
  INET_ATTRIBUTE.congestion,
  INET_ATTRIBUTE.tos,
  INET_ATTRIBUTE.trafficClass,
  INET_ATTRIBUTE.socketMemory,
].reduce((bits, attribute) => bits | (1 << (attribute - 1)), 0);

export type { Chunk } from '../kernel/sockdiag.ts';

export interface Asked {
  protocols?: readonly Protocol[];
  families?: readonly (4 | 6)[];
  filter?: Filter | null;
  details?: boolean;
  /** Only these states: bits are `1 << index in TCP_STATES`. */
  states?: number;
  /** A NETLINK_SOCK_DIAG descriptor opened in another namespace; it is left open. */
  netlink?: number;
}

export interface Part {
  protocol: Protocol;
  dump: Dump;
}

export interface Dumps {
  parts: Part[];
  rows: number;
  /** The kernel's selection is the whole filter; otherwise `evaluate` must look at each row too. */
  exact: boolean;
  notes: string[];
}

interface Question {
  protocol: Protocol;
  family: 4 | 6 | 0;
  request: Uint8Array;
}

/** What will be asked, worked out beforehand. */
export interface Inquiry {
  questions: Question[];
  /** The kernel alone decides the filter for everything that is asked. */
  exact: boolean;
  notes: string[];
}

export function readDumps(asked: Asked, inquiry: Inquiry = prepare(asked)): Dumps {
  const fd = asked.netlink ?? open();
  const result: Dumps = { parts: [], rows: 0, exact: inquiry.exact, notes: [...inquiry.notes] };
  try {
    for (const { protocol, family, request } of inquiry.questions) {
      keep(result, protocol, withFallback(dump(fd, request), protocol, family, asked));
    }
    return result;
  } finally {
    if (asked.netlink === undefined) {
      closeSockDiag(fd);
    }
  }
}

/** The same with the kernel's work and ours side by side: `onChunk` has each batch while the next is being made. */
export async function readDumpsAside(
  asked: Asked,
  inquiry: Inquiry,
  onChunk: (protocol: Protocol, chunk: Chunk) => void,
): Promise<Dumps> {
  const fd = open();
  const result: Dumps = { parts: [], rows: 0, exact: inquiry.exact, notes: [...inquiry.notes] };
  try {
    for (const { protocol, family, request } of inquiry.questions) {
      const answer = await dumpAside(fd, request, (chunk) => onChunk(protocol, chunk));
      const whole = withFallback(answer, protocol, family, asked);
      if (whole !== answer) {
        for (const chunk of whole.chunks) {
          onChunk(protocol, chunk);
        }
      }
      keep(result, protocol, whole);
    }
    return result;
  } finally {
    closeSockDiag(fd);
  }
}

function open(): number {
  if (unavailable !== null) {
    throw new SockscopeError(
      'NO_LINUX',
      `The socket table cannot be read: ${unavailable}.`,
      'Run it on Linux 5.10 or later.',
      3,
    );
  }
  const fd = openSockDiag();
  if (fd < 0) {
    throw new SockscopeError(
      'NO_NETLINK',
      `The kernel refused a netlink socket: ${errnoName(fd)}, ${errnoMeaning(fd)}.`,
      'A sandbox or container policy forbids AF_NETLINK; `sockscope abilities` shows what else is missing.',
      3,
    );
  }
  return fd;
}

export function prepare(asked: Asked): Inquiry {
  const filter = asked.filter ?? null;
  const whole = compileForKernel(filter);
  const protocols = (asked.protocols ?? PROTOCOLS).filter((protocol) => whole.protocols.includes(protocol));
  const tcp = tcpScope(asked, protocols);
  const questions: Question[] = [];
  let exact = true;
  for (const protocol of protocols) {
    const compiled = compileForKernel(filter, kernelOptions(asked, protocol));
    const states = compiled.states & (asked.states ?? ALL_STATES);
    if (protocol === 'unix') {
      if (compiled.families.includes(0)) {
        // No bytecode reaches UNIX sockets: their rows are looked at one by one.
        exact &&= filter === null;
        questions.push({ protocol, family: 0, request: unixRequest(states) });
      }
      continue;
    }
    exact &&= compiled.exact;
    for (const family of asked.families ?? ([4, 6] as const)) {
      const these = protocol === 'tcp' ? states & tcp.states[family] : states;
      if (compiled.families.includes(family) && these !== 0) {
        const request = inetRequest({
          family: FAMILIES[family],
          protocol: NUMBERS[protocol],
          states: these,
          extensions: asked.details === true ? DETAILS : 0,
          bytecode: compiled.bytecode,
        });
        questions.push({ protocol, family, request });
      }
    }
  }
  return { questions, exact, notes: tcp.notes };
}

function kernelOptions(asked: Asked, protocol: Protocol): KernelOptions {
  // Interface numbers of another namespace are not ours to look up.
  const devices = asked.netlink === undefined ? { deviceIndex } : {};
  return { ...devices, cgroupId, protocol, netAdmin: mayAdministerNetwork() };
}

/** Which TCP states are worth a walk of the kernel's tables. */
function tcpScope(
  asked: Asked,
  protocols: readonly Protocol[],
): { states: Record<4 | 6, number>; notes: string[] } {
  const inUse = asked.netlink === undefined && protocols.includes('tcp') ? tcpInUse() : null;
  if (inUse === null) {
    return { states: { 4: ALL_STATES, 6: ALL_STATES }, notes: [] };
  }
  const named = asked.filter !== null && asked.filter !== undefined && namesStates(asked.filter);
  const many = inUse.v4 + inUse.v6 > MANY && !named;
  const bound = many ? 0 : BOUND_INACTIVE;
  const other = ALL_STATES & ~BOUND_INACTIVE;
  // Both families share one table: asking for IPv6 where there is none walks past every IPv4 socket.
  const v6 = inUse.v6 + inUse.timeWait === 0 ? 0 : other;
  const leftOut = many && ((asked.states ?? ALL_STATES) & BOUND_INACTIVE) !== 0;
  return { states: { 4: other | bound, 6: v6 | bound }, notes: leftOut ? [UNUSED_PORTS] : [] };
}

/** Kernels without raw_diag show RAW sockets in /proc only, where no filter was applied. */
function withFallback(answer: Dump, protocol: Protocol, family: 4 | 6 | 0, asked: Asked): Dump {
  if (answer.errno !== ENOENT || protocol !== 'raw' || family === 0 || asked.netlink !== undefined) {
    return answer;
  }
  const chunk = readProcRaw(family);
  if (chunk === null) {
    return answer;
  }
  const picked = pickRows(chunk, protocol, asked);
  return { ...answer, errno: 0, chunks: [picked], rows: picked.rows };
}

function pickRows(chunk: Chunk, protocol: Protocol, asked: Asked): Chunk {
  const { bytes, starts, ends } = chunk;
  const filter = asked.filter ?? null;
  // What a row of ours alone cannot tell (its owner) is decided later, for all protocols alike.
  const matches = filter === null || needsOwners(filter) ? () => true : evaluate(filter);
  const states = asked.states ?? ALL_STATES;
  const kept = [...starts.keys()].filter(
    (i) =>
      (states >> bytes[starts[i]! + INET.state]!) & 1 &&
      matches(inetSocket(bytes, starts[i]!, ends[i]!, protocol, 0, NAMES)),
  );
  return {
    bytes,
    starts: Uint32Array.from(kept, (i) => starts[i]!),
    ends: Uint32Array.from(kept, (i) => ends[i]!),
    rows: kept.length,
  };
}

function keep(result: Dumps, protocol: Protocol, dump: Dump): void {
  const { errno } = dump;
  if (errno !== 0) {
    const absent = errno === ENOENT || errno === EPROTONOSUPPORT || errno === EOPNOTSUPP;
    if (!absent) {
      result.notes.push(`${protocol} sockets not read: ${errnoName(errno)}, ${errnoMeaning(errno)}`);
    } else if (protocol !== 'udplite') {
      result.notes.push(`${protocol} sockets not visible: this kernel has no diagnosis module for them`);
    }
  }
  if (dump.interrupted) {
    result.notes.push(`${protocol} sockets changed while they were read: a row may be missing or doubled`);
  }
  if (dump.malformed !== null) {
    result.notes.push(`${protocol} sockets read in part: ${dump.malformed}`);
  }
  result.parts.push({ protocol, dump });
  result.rows += dump.rows;
}
