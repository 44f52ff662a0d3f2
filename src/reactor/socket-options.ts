/** Socket options by the names people know: one table for setting, reading, wishes on the command line, and help. */
import { SockscopeError } from '../errors.ts';
import * as libc from '../kernel/libc.ts';
import type { SocketWishes } from './reactor.ts';

export type OptionUnit =
  | 'on/off'
  | 'bytes'
  | 'bytes/s'
  | 's'
  | 'ms'
  | 'µs'
  | 'count'
  | 'number'
  | 'CPU'
  | 'hops';

export interface SocketOption {
  readonly name: string;
  readonly level: number;
  readonly number: number;
  /** The option of IPPROTO_IPV6 that stands for this one on an IPv6 socket. */
  readonly six: number | null;
  readonly unit: OptionUnit;
  /** One sentence for help. */
  readonly what: string;
}

const SOL_SOCKET = 1;
const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const IPPROTO_IPV6 = 41;
const SO_DOMAIN = 39;
const SO_LINGER = 13;
const AF_INET6 = 10;
const EINVAL = -22;
const ENOPROTOOPT = -92;
const NO_LINGER = -1;

type Row = readonly [name: string, number: number, unit: OptionUnit, what: string, six?: number];

// Numbers of asm-generic/socket.h, linux/tcp.h, linux/in.h and linux/in6.h; x86-64 and arm64 agree on them.
const OF_SOCKETS: readonly Row[] = [
  ['reuseaddr', 2, 'on/off', 'Bind although connections of an earlier listener are still in TIME_WAIT.'],
  ['reuseport', 15, 'on/off', 'Several sockets of one user bind the same address and share what comes.'],
  ['keepalive', 9, 'on/off', 'Ask a silent peer from time to time whether it is still there.'],
  ['broadcast', 6, 'on/off', 'Allow datagrams to a broadcast address.'],
  ['dontroute', 5, 'on/off', 'Send to directly attached networks only, past no gateway.'],
  ['oobinline', 10, 'on/off', 'Urgent data stays in the stream instead of beside it.'],
  [
    'linger',
    SO_LINGER,
    's',
    'How long close waits for what is unsent: 0 sends RST instead of FIN, -1 is off.',
  ],
  [
    'rcvbuf',
    8,
    'bytes',
    'Receive buffer; the kernel doubles it for its own records, so twice as much is read back.',
  ],
  [
    'sndbuf',
    7,
    'bytes',
    'Send buffer; the kernel doubles it for its own records, so twice as much is read back.',
  ],
  ['rcvbufforce', 33, 'bytes', 'As rcvbuf, past net.core.rmem_max; needs CAP_NET_ADMIN.'],
  ['sndbufforce', 32, 'bytes', 'As sndbuf, past net.core.wmem_max; needs CAP_NET_ADMIN.'],
  ['rcvlowat', 18, 'bytes', 'The socket counts as readable only when so much is there.'],
  ['priority', 12, 'number', 'Queue of the network device, 0 to 6; more needs CAP_NET_ADMIN.'],
  ['mark', 36, 'number', 'Firewall mark for routing rules and filters; needs CAP_NET_ADMIN.'],
  [
    'busy-poll',
    46,
    'µs',
    'How long a read that finds nothing polls the device; raising it needs CAP_NET_ADMIN.',
  ],
  [
    'incoming-cpu',
    49,
    'CPU',
    'The processor whose packets this socket of a reuseport group prefers; -1 is none.',
  ],
  ['zerocopy', 60, 'on/off', 'Allow sends that lend their pages to the kernel (MSG_ZEROCOPY).'],
  ['max-pacing-rate', 47, 'bytes/s', 'Never send faster than this.'],
];

const OF_TCP: readonly Row[] = [
  ['nodelay', 1, 'on/off', 'Send small segments at once instead of waiting for an ACK (Nagle off).'],
  ['mss', 2, 'bytes', 'Largest segment, before the connection is made; read back later it is the real one.'],
  ['cork', 3, 'on/off', 'Hold incomplete segments back, for 200 ms at most.'],
  ['keepidle', 4, 's', 'Silence before the first keep-alive probe.'],
  ['keepintvl', 5, 's', 'Time between keep-alive probes.'],
  ['keepcnt', 6, 'count', 'Unanswered keep-alive probes that end the connection.'],
  ['syncnt', 7, 'count', 'How often a SYN is repeated before connect gives up.'],
  ['linger2', 8, 's', 'How long an orphan stays in FIN_WAIT_2.'],
  ['defer-accept', 9, 's', 'Accept only when data came; rounded up to a number of SYN-ACK repeats.'],
  ['window-clamp', 10, 'bytes', 'Advertise no larger window than this.'],
  ['quickack', 12, 'on/off', 'Acknowledge at once; the kernel goes back to delayed ACKs by itself.'],
  ['user-timeout', 18, 'ms', 'How long sent data may stay unacknowledged before the connection is dropped.'],
  ['fastopen', 23, 'count', 'Accept data in the SYN: how many such connections may wait on a listener.'],
  [
    'fastopen-connect',
    30,
    'on/off',
    'Send the first write in the SYN when the server gave a cookie earlier.',
  ],
  ['notsent-lowat', 25, 'bytes', 'The socket counts as writable only while less than this is unsent.'],
];

const OF_IP: readonly Row[] = [
  ['tos', 1, 'number', 'The DSCP and ECN byte of outgoing packets.', 67],
  ['ttl', 2, 'hops', 'How many routers a packet may pass.', 16],
  ['mtu-discover', 10, 'number', 'Path MTU discovery: 0 never, 1 per route, 2 always, 3 probe.', 23],
  ['freebind', 15, 'on/off', 'Bind an address that this machine does not have (yet).', 78],
  ['transparent', 19, 'on/off', 'Bind and answer for foreign addresses; needs CAP_NET_ADMIN.', 75],
  [
    'bind-no-port',
    24,
    'on/off',
    'Choose the port at connect, not at bind: more connections from one address.',
  ],
];

const OF_IPV6: readonly Row[] = [
  ['v6only', 26, 'on/off', 'A socket on :: takes no IPv4; set before it is bound.'],
];

function rows(level: number, table: readonly Row[]): SocketOption[] {
  return table.map(([name, number, unit, what, six]) => ({
    name,
    level,
    number,
    six: six ?? null,
    unit,
    what,
  }));
}

export const SOCKET_OPTIONS: readonly SocketOption[] = [
  ...rows(SOL_SOCKET, OF_SOCKETS),
  ...rows(IPPROTO_TCP, OF_TCP),
  ...rows(IPPROTO_IP, OF_IP),
  ...rows(IPPROTO_IPV6, OF_IPV6),
];

const byName = new Map(SOCKET_OPTIONS.map((option) => [option.name, option]));

// Options are set per accepted connection: one buffer serves them all. Eight bytes, because struct linger is two ints.
const value = new Uint8Array(8);
const length = new Uint8Array(4);
const valueView = new DataView(value.buffer);
const lengthView = new DataView(length.buffer);

function readInts(fd: number, level: number, number: number, size: number): number {
  lengthView.setUint32(0, size, true);
  return libc.getsockopt(fd, level, number, value, length);
}

function isIpv6(fd: number): boolean {
  return readInts(fd, SOL_SOCKET, SO_DOMAIN, 4) === 0 && valueView.getInt32(0, true) === AF_INET6;
}

function fits(wanted: number): boolean {
  return Number.isInteger(wanted) && wanted >= -0x8000_0000 && wanted <= 0xffff_ffff;
}

/** 0 or -errno: -92 (ENOPROTOOPT) for an unknown name, -22 (EINVAL) for what does not fit in 32 bits. */
export function setOption(fd: number, name: string, wanted: number): number {
  const option = byName.get(name);
  if (option === undefined) {
    return ENOPROTOOPT;
  }
  if (!fits(wanted)) {
    return EINVAL;
  }
  if (option.name === 'linger') {
    valueView.setInt32(0, wanted === NO_LINGER ? 0 : 1, true);
    valueView.setInt32(4, wanted === NO_LINGER ? 0 : wanted, true);
    return libc.setsockopt(fd, option.level, option.number, value, 8);
  }
  if (option.six !== null && isIpv6(fd)) {
    valueView.setInt32(0, wanted, true);
    const result = libc.setsockopt(fd, IPPROTO_IPV6, option.six, value, 4);
    if (result < 0) {
      return result;
    }
    // The same socket may also talk IPv4, with addresses of ::ffff:0:0/96. Where it may not, nobody misses this.
    libc.setsockopt(fd, option.level, option.number, value, 4);
    return 0;
  }
  valueView.setInt32(0, wanted, true);
  return libc.setsockopt(fd, option.level, option.number, value, 4);
}

/** The value, or -errno: -92 for an unknown name. For `linger` and `incoming-cpu` -1 means none, not EPERM. */
export function getOption(fd: number, name: string): number {
  const option = byName.get(name);
  if (option === undefined) {
    return ENOPROTOOPT;
  }
  if (option.name === 'linger') {
    const result = readInts(fd, option.level, option.number, 8);
    if (result < 0) {
      return result;
    }
    return valueView.getInt32(0, true) === 0 ? NO_LINGER : valueView.getInt32(4, true);
  }
  const six = option.six !== null && isIpv6(fd);
  const level = six ? IPPROTO_IPV6 : option.level;
  const result = readInts(fd, level, six ? option.six : option.number, 4);
  if (result < 0) {
    return result;
  }
  // A mark of 0xffffffff or an unlimited pacing rate is no error.
  const unsigned = option.name === 'mark' || option.unit === 'bytes/s' || option.name === 'notsent-lowat';
  return unsigned ? valueView.getUint32(0, true) : valueView.getInt32(0, true);
}

/** `reuseaddr,nodelay=0,rcvbuf=4096`: a name alone means 1. */
export function readWishes(text: string): SocketWishes | SockscopeError {
  const wishes: Record<string, number> = {};
  for (const part of text.trim() === '' ? [] : text.split(',')) {
    const sign = part.indexOf('=');
    const name = (sign === -1 ? part : part.slice(0, sign)).trim();
    const given = sign === -1 ? '1' : part.slice(sign + 1).trim();
    const option = byName.get(name);
    if (option === undefined) {
      return unknownOption(name);
    }
    if (Object.hasOwn(wishes, name)) {
      return badWish(`socket option ${name} is given twice`, 'Keep one of them.');
    }
    const number = /^(?:-?\d{1,10}|0x[0-9a-f]{1,8})$/i.test(given) ? Number(given) : Number.NaN;
    if (!fits(number)) {
      return badWish(
        `socket option ${name}=${shown(given)} is not a whole number of 32 bits`,
        `${name} (${option.unit}): ${option.what}`,
      );
    }
    if (option.unit === 'on/off' && number !== 0 && number !== 1) {
      return badWish(`socket option ${name} is on (1) or off (0), not ${number}`, option.what);
    }
    wishes[name] = number;
  }
  return wishes;
}

function badWish(message: string, hint: string): SockscopeError {
  return new SockscopeError('BAD_SOCKET_OPTION', message, hint, 2);
}

function unknownOption(name: string): SockscopeError {
  const near = nearestOption(name);
  return badWish(
    name === '' ? 'a socket option has no name' : `no socket option is called ${shown(name)}`,
    near === null
      ? `Known are ${SOCKET_OPTIONS.map((option) => option.name).join(', ')}.`
      : `Did you mean ${near}?`,
  );
}

const SHOWN = 40;

function shown(text: string): string {
  const clean = text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, '?');
  return `"${clean.length > SHOWN ? `${clean.slice(0, SHOWN)}…` : clean}"`;
}

/** Nothing that is longer than any name with its prefix can be a slip for one. */
const LONGEST_SLIP = 32;
const MOST_SLIPS = 2;

/** `SO_REUSEADDR`, `tcp_nodelay` and `keep-alive` lead to the short names, and so do up to two slips of the finger. */
function nearestOption(typed: string): string | null {
  if (typed === '' || typed.length > LONGEST_SLIP) {
    return null;
  }
  const bare = (name: string): string => name.toLowerCase().replace(/[-_ ]/g, '');
  const plain = bare(typed.replace(/^(?:so|tcp|ip|ipv6|udp)[-_]/i, ''));
  let best: string | null = null;
  let fewest = MOST_SLIPS + 1;
  for (const { name } of SOCKET_OPTIONS) {
    const slips = slipsBetween(plain, bare(name));
    // Of a name of three letters two slips leave nothing.
    if (slips < fewest && slips * 2 < name.length) {
      best = name;
      fewest = slips;
    }
  }
  return best;
}

/** Levenshtein's distance. */
function slipsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
