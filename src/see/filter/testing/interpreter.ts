/** For tests: the kernel's audit and run of inet_diag bytecode (net/ipv4/inet_diag.c), written from its description and independent of the compiler. */
import type { Socket } from '../../../session/socket.ts';
import { isMapped, parseIpv4, parseIpv6 } from '../../../wire/net/address.ts';

export interface Machine {
  deviceIndex: (name: string) => number | null;
  cgroupId: (path: string) => number | null;
}

const SIZES: Record<number, number> = {
  0: 4,
  1: 4,
  2: 8,
  3: 8,
  4: 8,
  5: 8,
  6: 4,
  9: 8,
  10: 12,
  11: 8,
  12: 8,
  13: 12,
};

function sizeOf(code: Uint8Array, at: number): number {
  const op = code[at]!;
  if (op === 7 || op === 8) {
    return code[at + 4] === 10 ? 28 : 16;
  }
  return SIZES[op] ?? Number.NaN;
}

/** Why the kernel would answer EINVAL, or null. */
export function audit(code: Uint8Array): string | null {
  const view = new DataView(code.buffer, code.byteOffset, code.length);
  const starts = new Set<number>();
  for (let at = 0; at < code.length; at += code[at + 1]!) {
    starts.add(at);
    if (code[at + 1] !== sizeOf(code, at)) {
      return `yes of the operation at ${at} is ${code[at + 1]}`;
    }
    if (at + code[at + 1]! > code.length) {
      return `the operation at ${at} is cut off`;
    }
  }
  for (const at of starts) {
    const no = view.getUint16(at + 2, true);
    const target = at + no;
    if (no < sizeOf(code, at) || no % 4 !== 0 || target > code.length + 4) {
      return `no of the operation at ${at} is ${no}`;
    }
    if (target < code.length && !starts.has(target)) {
      return `the operation at ${at} jumps between operations`;
    }
  }
  return null;
}

export function run(code: Uint8Array, socket: Socket, machine: Machine): boolean {
  const view = new DataView(code.buffer, code.byteOffset, code.length);
  let at = 0;
  while (at < code.length) {
    at += holds(view, at, socket, machine) ? view.getUint8(at + 1) : view.getUint16(at + 2, true);
  }
  return at === code.length;
}

function holds(view: DataView, at: number, socket: Socket, machine: Machine): boolean {
  const port = (): number => view.getUint16(at + 6, true);
  switch (view.getUint8(at)) {
    case 0:
      return true;
    case 1:
      return false;
    case 2:
      return socket.local.port >= port();
    case 3:
      return socket.local.port <= port();
    case 4:
      return socket.peer.port >= port();
    case 5:
      return socket.peer.port <= port();
    case 7:
      return host(view, at + 4, socket, socket.local);
    case 8:
      return host(view, at + 4, socket, socket.peer);
    case 9:
      return (
        view.getUint32(at + 4, true) ===
        (socket.device === undefined ? 0 : machine.deviceIndex(socket.device))
      );
    case 10:
      return ((socket.mark ?? 0) & view.getUint32(at + 8, true)) >>> 0 === view.getUint32(at + 4, true);
    case 11:
      return socket.local.port === port();
    case 12:
      return socket.peer.port === port();
    case 13:
      return (
        Number(view.getBigUint64(at + 4, true)) ===
        (socket.cgroup === undefined ? 0 : machine.cgroupId(socket.cgroup))
      );
    default:
      throw new Error(`operation ${view.getUint8(at)} is not in this test's language`);
  }
}

function host(view: DataView, at: number, socket: Socket, end: Socket['local']): boolean {
  const family = view.getUint8(at) === 10 ? 6 : 4;
  const prefix = view.getUint8(at + 1);
  const port = view.getInt32(at + 4, true);
  const rule = new Uint8Array(view.buffer, view.byteOffset + at + 8, family === 6 ? 16 : 4);
  if (port !== -1 && port !== end.port) {
    return false;
  }
  const address = (socket.family === 6 ? parseIpv6(end.address) : parseIpv4(end.address))!;
  if (family !== socket.family) {
    return socket.family === 6 && isMapped(address, 0) && sameBits(address.subarray(12), rule, prefix);
  }
  return sameBits(address, rule, prefix);
}

function sameBits(a: Uint8Array, b: Uint8Array, count: number): boolean {
  const text = (bytes: Uint8Array): string =>
    [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return text(a).slice(0, count) === text(b).slice(0, count);
}
