/** Socket options by their real names: one literal table, and reading and setting by it. */
import { getsockoptCall, setsockoptCall } from './calls.ts';
import { fixedMemory } from './epoll.ts';
import { errnoName } from './errno.ts';

const SOL_SOCKET = 1;
const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const IPPROTO_IPV6 = 41;

const LEVELS: Readonly<Record<number, string>> = {
  [SOL_SOCKET]: 'SOL_SOCKET',
  [IPPROTO_IP]: 'IPPROTO_IP',
  [IPPROTO_TCP]: 'IPPROTO_TCP',
  [IPPROTO_IPV6]: 'IPPROTO_IPV6',
};

/** `timeval` is given in milliseconds; `errno` an int that is one; `info` is struct tcp_info, of which the options are told. */
export type OptionShape = 'int' | 'linger' | 'errno' | 'timeval' | 'text' | 'info';

export interface RealOption {
  readonly name: string;
  readonly level: number;
  readonly levelName: string;
  readonly number: number;
  readonly shape: OptionShape;
}

type Row = readonly [name: string, number: number, shape?: OptionShape];

// asm-generic/socket.h, linux/tcp.h, linux/in.h, linux/in6.h; x86-64 and arm64 agree on them.
const SOCKET_ROWS: readonly Row[] = [
  ['SO_REUSEADDR', 2],
  ['SO_TYPE', 3],
  ['SO_ERROR', 4, 'errno'],
  ['SO_DONTROUTE', 5],
  ['SO_BROADCAST', 6],
  ['SO_SNDBUF', 7],
  ['SO_RCVBUF', 8],
  ['SO_KEEPALIVE', 9],
  ['SO_OOBINLINE', 10],
  ['SO_PRIORITY', 12],
  ['SO_LINGER', 13, 'linger'],
  ['SO_REUSEPORT', 15],
  ['SO_RCVLOWAT', 18],
  ['SO_RCVTIMEO', 20, 'timeval'],
  ['SO_SNDTIMEO', 21, 'timeval'],
  ['SO_ACCEPTCONN', 30],
  ['SO_MARK', 36],
  ['SO_PROTOCOL', 38],
  ['SO_DOMAIN', 39],
  ['SO_RXQ_OVFL', 40],
  ['SO_INCOMING_CPU', 49],
  ['SO_ZEROCOPY', 60],
];

const TCP_ROWS: readonly Row[] = [
  ['TCP_NODELAY', 1],
  ['TCP_MAXSEG', 2],
  ['TCP_CORK', 3],
  ['TCP_KEEPIDLE', 4],
  ['TCP_KEEPINTVL', 5],
  ['TCP_KEEPCNT', 6],
  ['TCP_SYNCNT', 7],
  ['TCP_LINGER2', 8],
  ['TCP_DEFER_ACCEPT', 9],
  ['TCP_WINDOW_CLAMP', 10],
  ['TCP_INFO', 11, 'info'],
  ['TCP_QUICKACK', 12],
  ['TCP_CONGESTION', 13, 'text'],
  ['TCP_USER_TIMEOUT', 18],
  ['TCP_REPAIR', 19],
  ['TCP_FASTOPEN', 23],
  ['TCP_NOTSENT_LOWAT', 25],
  ['TCP_FASTOPEN_CONNECT', 30],
];

const IP_ROWS: readonly Row[] = [
  ['IP_TOS', 1],
  ['IP_TTL', 2],
  ['IP_MTU_DISCOVER', 10],
  ['IP_RECVERR', 11],
  ['IP_MTU', 14],
  ['IP_FREEBIND', 15],
  ['IP_TRANSPARENT', 19],
  ['IP_BIND_ADDRESS_NO_PORT', 24],
];

const IPV6_ROWS: readonly Row[] = [
  ['IPV6_UNICAST_HOPS', 16],
  ['IPV6_MTU_DISCOVER', 23],
  ['IPV6_MTU', 24],
  ['IPV6_RECVERR', 25],
  ['IPV6_V6ONLY', 26],
  ['IPV6_TCLASS', 67],
];

function rows(level: number, table: readonly Row[]): RealOption[] {
  return table.map(([name, number, shape = 'int']) => ({
    name,
    level,
    levelName: LEVELS[level]!,
    number,
    shape,
  }));
}

export const REAL_OPTIONS: readonly RealOption[] = [
  ...rows(SOL_SOCKET, SOCKET_ROWS),
  ...rows(IPPROTO_TCP, TCP_ROWS),
  ...rows(IPPROTO_IP, IP_ROWS),
  ...rows(IPPROTO_IPV6, IPV6_ROWS),
];

const byName = new Map(REAL_OPTIONS.map((option) => [option.name, option]));

export function realOption(name: string): RealOption | undefined {
  return byName.get(name);
}

/** TCPI_OPT_* of linux/tcp.h: what this connection agreed on, and whether its SYN carried data that was taken. */
const TCP_INFO_OPTIONS: readonly (readonly [bit: number, name: string])[] = [
  [0x01, 'timestamps'],
  [0x02, 'sack'],
  [0x04, 'wscale'],
  [0x08, 'ecn'],
  [0x10, 'ecn_seen'],
  [0x20, 'syn_data'],
];
const TCP_INFO_OPTIONS_AT = 5;

/** TCP_CA_NAME_MAX is 16, struct tcp_info grows with the kernel and is cut to what was asked for. */
const LONGEST_VALUE = 256;
const value = fixedMemory(LONGEST_VALUE);
const length = fixedMemory(4);
const view = new DataView(value.bytes.buffer);

const SIZES: Readonly<Record<OptionShape, number>> = {
  int: 4,
  errno: 4,
  linger: 8,
  timeval: 16,
  text: 16,
  info: LONGEST_VALUE,
};

export type OptionValue = number | string | { readonly options: readonly string[] };

/** A struct linger is given in seconds, -1 for off; a timeval in milliseconds. 0 or -errno. */
export function setOption(fd: number, option: RealOption, wanted: number | string): number {
  value.bytes.fill(0);
  const { level, number, shape } = option;
  if (shape === 'text') {
    const name = new TextEncoder().encode(String(wanted)).subarray(0, SIZES.text);
    value.bytes.set(name);
    return setsockoptCall.now(fd, level, number, value.address, name.length);
  }
  const amount = Number(wanted);
  if (shape === 'linger') {
    view.setInt32(0, amount < 0 ? 0 : 1, true);
    view.setInt32(4, Math.max(amount, 0), true);
  } else if (shape === 'timeval') {
    view.setBigInt64(0, BigInt(Math.floor(amount / 1000)), true);
    view.setBigInt64(8, BigInt(Math.round((amount % 1000) * 1000)), true);
  } else {
    view.setInt32(0, amount, true);
  }
  return setsockoptCall.now(fd, level, number, value.address, SIZES[shape]);
}

/** What the kernel says, in the shape that `setOption` takes; the result is 0 or -errno. */
export function getOption(fd: number, option: RealOption): { result: number; value: OptionValue | null } {
  value.bytes.fill(0);
  length.words[0] = SIZES[option.shape];
  const result = getsockoptCall.now(fd, option.level, option.number, value.address, length.address);
  return { result, value: result < 0 ? null : readOption(option.shape, value.bytes, length.words[0]!) };
}

/** Of memory that the kernel has filled up to `size`; what it left out counts as 0. */
export function readOption(shape: OptionShape, bytes: Uint8Array, size: number): OptionValue {
  const at = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (shape) {
    case 'int':
      return at.getInt32(0, true);
    case 'errno': {
      const errno = at.getInt32(0, true);
      return errno === 0 ? 0 : errnoName(errno);
    }
    case 'linger':
      return at.getInt32(0, true) === 0 ? -1 : at.getInt32(4, true);
    case 'timeval':
      return Number(at.getBigInt64(0, true)) * 1000 + Number(at.getBigInt64(8, true)) / 1000;
    case 'text':
      return new TextDecoder('latin1').decode(bytes.subarray(0, Math.max(0, size))).split('\0', 1)[0]!;
    case 'info': {
      const bits = bytes[TCP_INFO_OPTIONS_AT] ?? 0;
      return { options: TCP_INFO_OPTIONS.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name) };
    }
  }
}
