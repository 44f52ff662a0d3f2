/** The socket tables over netlink, destroying sockets, and changing the network. */

import { errnoName } from '../errno.ts';
import * as libc from '../libc.ts';
import {
  i32,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  SOCK_DESTROY,
  u16,
} from '../sockdiag-format.ts';
import { type Ability, ability, refusal } from './ability.ts';

const AF_NETLINK = 16;
const AF_INET = 2;
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;
const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const RTM_SETLINK = 19;
const STATE_LISTEN = 10;
const STATE_CLOSE = 7;
const ENOENT = -2;
const EPERM = -1;
const EINVAL = -22;
const EOPNOTSUPP = -95;
/** No machine has an interface of this number. */
const NO_INTERFACE = 0x7fff_fff0;

/** Sends one netlink request on a socket of its own and returns 0 or the errno of the first answer. */
function ask(protocol: number, request: Uint8Array): number {
  const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) {
    return fd;
  }
  const sent = libc.send(fd, request, request.length, 0);
  const answer = new Uint8Array(32 * 1024);
  const received = sent < 0 ? sent : libc.recv(fd, answer, answer.length, 0);
  libc.close(fd);
  if (received < 0) {
    return received;
  }
  // A refused dump ends in NLMSG_DONE with the errno inside, anything else refused in NLMSG_ERROR.
  const type = u16(answer, 4);
  return received >= 20 && (type === NLMSG_ERROR || type === NLMSG_DONE) ? i32(answer, 16) : 0;
}

function message(type: number, flags: number, bodyLength: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(16 + bodyLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST | flags, true);
  return { bytes, view };
}

/** struct inet_diag_req_v2; the cookie ~0 means "any" (INET_DIAG_NOCOOKIE). */
function inetDiag(
  type: number,
  flags: number,
  protocol: number,
  states: number,
  local?: Uint8Array,
): Uint8Array {
  const { bytes, view } = message(type, flags, 56);
  bytes[16] = AF_INET;
  bytes[17] = protocol;
  view.setUint32(20, states, true);
  if (local !== undefined) {
    bytes.set(local.subarray(2, 4), 24);
    bytes.set(local.subarray(4, 8), 28);
  }
  view.setUint32(64, 0xffff_ffff, true);
  view.setUint32(68, 0xffff_ffff, true);
  return bytes;
}

function unixDump(): Uint8Array {
  const { bytes, view } = message(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, 24);
  bytes[16] = AF_UNIX;
  view.setUint32(20, 1 << STATE_LISTEN, true);
  return bytes;
}

function tableReason(result: number, module: string): string | null {
  if (result === 0) {
    return null;
  }
  if (result === ENOENT || result === EINVAL) {
    return `this kernel was built without it or the module ${module} is not loaded; as root: modprobe ${module}`;
  }
  return `the kernel said ${errnoName(result)}: netlink sockets are forbidden here, probably by a seccomp filter of the container`;
}

export function socketTables(): Ability[] {
  const inet = (protocol: number, state: number): number =>
    ask(NETLINK_SOCK_DIAG, inetDiag(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, protocol, 1 << state));
  const table = (id: string, name: string, result: number, module: string, instead?: string): Ability => {
    const reason = tableReason(result, module);
    const why = reason === null || instead === undefined ? reason : `${reason}; ${instead}`;
    return ability(`sockets-${id}`, `read ${name} sockets from the kernel`, 'ls, limits, addr', why);
  };
  return [
    table('tcp', 'TCP', inet(6, STATE_LISTEN), 'tcp_diag'),
    table('udp', 'UDP', inet(17, STATE_CLOSE), 'udp_diag'),
    table(
      'raw',
      'RAW',
      inet(255, STATE_CLOSE),
      'raw_diag',
      'until then ls reads them from /proc/net/raw, with less detail',
    ),
    table('unix', 'UNIX', ask(NETLINK_SOCK_DIAG, unixDump()), 'unix_diag'),
  ];
}

/** A listener made for the purpose, on a loopback port of the kernel's choice; destroyed or closed at once. 1: could not be made. */
function destroyOwnListener(): number {
  const fd = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return 1;
  }
  const address = Uint8Array.of(AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  const ready =
    libc.bindTo(fd, address, 16) === 0 &&
    libc.listen(fd, 1) === 0 &&
    libc.getsockname(fd, address, libc.int32(16)) === 0;
  const result = ready
    ? ask(NETLINK_SOCK_DIAG, inetDiag(SOCK_DESTROY, NLM_F_ACK, 6, 1 << STATE_LISTEN, address))
    : 1;
  libc.close(fd);
  return result;
}

export function socketDestroy(capabilities: bigint): Ability {
  const what = 'destroy a single connection (SOCK_DESTROY)';
  const entry = (why: string | null): Ability => ability('destroy', what, 'kill --connection', why);
  // The kernel looks for the socket before it looks at rights (tcp_diag_destroy), so a tuple that nobody has tells only
  // whether it can destroy at all: ENOENT yes, EOPNOTSUPP no.
  const support = ask(NETLINK_SOCK_DIAG, inetDiag(SOCK_DESTROY, NLM_F_ACK, 6, 1 << STATE_LISTEN));
  if (support === EOPNOTSUPP) {
    return entry(
      'this kernel was built without CONFIG_INET_DIAG_DESTROY; end the process that holds the socket instead',
    );
  }
  if (support !== ENOENT && support !== 0) {
    return entry(`the kernel said ${errnoName(support)}: netlink sockets are forbidden here`);
  }
  const tried = destroyOwnListener();
  if (tried === 1) {
    const rights = changeNetwork();
    return entry(rights === 0 ? null : refusal('SOCK_DESTROY', EPERM, 'CAP_NET_ADMIN', capabilities));
  }
  return entry(tried < 0 ? refusal('SOCK_DESTROY', tried, 'CAP_NET_ADMIN', capabilities) : null);
}

/** rtnetlink checks the right before anything else (rtnetlink_rcv_msg), so an interface that cannot exist is a safe question. */
function changeNetwork(): number {
  const { bytes, view } = message(RTM_SETLINK, NLM_F_ACK, 16);
  view.setInt32(20, NO_INTERFACE, true);
  const result = ask(NETLINK_ROUTE, bytes);
  return result === EPERM ? EPERM : 0;
}

export function netAdmin(capabilities: bigint): Ability {
  const result = changeNetwork();
  return ability(
    'net-admin',
    'change interfaces and routes of this network namespace (CAP_NET_ADMIN)',
    'kill --connection, experiments in private networks',
    result === 0 ? null : refusal('rtnetlink', result, 'CAP_NET_ADMIN', capabilities),
  );
}
