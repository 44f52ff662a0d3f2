/** What to ask the kernel for, and its answers as they came: the step that both the fast table and the full rows share. */
import { SockscopeError } from '../errors.ts';
import { errnoMeaning, errnoName } from '../kernel/errno.ts';
import { unavailable } from '../kernel/libc.ts';
import { cgroupId, deviceIndex } from '../kernel/names.ts';
import { readProcRaw } from '../kernel/proc-net-raw.ts';
import { type Chunk, closeSockDiag, type Dump, dump, dumpAside, openSockDiag } from '../kernel/sockdiag.ts';
import { INET_ATTRIBUTE, inetRequest, unixRequest } from '../kernel/sockdiag-format.ts';
import { tcpInUse } from '../kernel/tcp-in-use.ts';
import { PROTOCOLS, type Protocol } from '../session/socket.ts';
import { compileForKernel, type Filter, namesStates } from './filter/index.ts';

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

export function readDumps(asked: Asked): Dumps {
  const { questions, exact, notes } = questionsFor(asked);
  const fd = asked.netlink ?? open();
  const result: Dumps = { parts: [], rows: 0, exact, notes };
  try {
    for (const { protocol, family, request } of questions) {
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
  onChunk: (protocol: Protocol, chunk: Chunk) => void,
): Promise<Dumps> {
  const { questions, exact, notes } = questionsFor(asked);
  const fd = open();
  const result: Dumps = { parts: [], rows: 0, exact, notes };
  try {
    for (const { protocol, family, request } of questions) {
      const answer = await dumpAside(fd, request, (chunk) => onChunk(protocol, chunk));
      const whole = withFallback(answer, protocol, family, asked);
      if (whole !== answer) {
        whole.chunks.forEach((chunk) => {
          onChunk(protocol, chunk);
        });
      }
      keep(result, protocol, whole);
    }
    return result;
  } finally {
    closeSockDiag(fd);
  }
}

/** True when the kernel alone can decide the filter for everything that is asked. */
export function isExact(asked: Asked): boolean {
  return questionsFor(asked).exact;
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

function questionsFor(asked: Asked): { questions: Question[]; exact: boolean; notes: string[] } {
  const filter = asked.filter ?? null;
  const compiled = compileForKernel(filter, { deviceIndex, cgroupId });
  const states = compiled.states & (asked.states ?? ALL_STATES);
  const families = (asked.families ?? [4, 6]).filter((family) => compiled.families.includes(family));
  const extensions = asked.details === true ? DETAILS : 0;
  const { bytecode } = compiled;
  let exact = compiled.exact;
  const protocols = asked.protocols ?? PROTOCOLS;
  const inUse = asked.netlink === undefined && protocols.includes('tcp') ? tcpInUse() : null;
  const many = inUse !== null && inUse.v4 + inUse.v6 > MANY && (filter === null || !namesStates(filter));
  const worthwhile = (family: 4 | 6): number => {
    // The kernel would walk its whole table only to find that nothing in it is IPv6.
    const none = family === 6 && inUse !== null && inUse.v6 + inUse.timeWait === 0;
    return none ? BOUND_INACTIVE & (many ? 0 : ALL_STATES) : many ? ~BOUND_INACTIVE : ALL_STATES;
  };
  const questions: Question[] = [];
  for (const protocol of protocols) {
    // No bytecode reaches UNIX sockets, nor RAW ones read from /proc: their rows are looked at one by one.
    exact &&= filter === null || (protocol !== 'unix' && protocol !== 'raw');
    if (protocol === 'unix') {
      questions.push({ protocol, family: 0, request: unixRequest(states) });
      continue;
    }
    for (const family of families) {
      const these = protocol === 'tcp' ? states & worthwhile(family) : states;
      if (these !== 0) {
        const number = NUMBERS[protocol];
        const request = inetRequest({
          family: FAMILIES[family],
          protocol: number,
          states: these,
          extensions,
          bytecode,
        });
        questions.push({ protocol, family, request });
      }
    }
  }
  const leftOut = many && states & BOUND_INACTIVE && protocols.includes('tcp');
  return { questions, exact, notes: leftOut ? [UNUSED_PORTS] : [] };
}

/** Kernels without raw_diag show RAW sockets in /proc only. A filter was not applied there: see `questionsFor`. */
function withFallback(answer: Dump, protocol: Protocol, family: 4 | 6 | 0, asked: Asked): Dump {
  if (answer.errno !== ENOENT || protocol !== 'raw' || family === 0 || asked.netlink !== undefined) {
    return answer;
  }
  const chunk = readProcRaw(family);
  return chunk === null ? answer : { ...answer, errno: 0, chunks: [chunk], rows: chunk.rows };
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
