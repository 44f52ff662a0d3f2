/** Seeing packets: AF_PACKET sockets, their ring, and BPF programs. */

import { errnoName } from '../errno.ts';
import * as libc from '../libc.ts';
import { type Ability, ability, holds, refusal, sysctl } from './ability.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_PACKET = 263;
const PACKET_RX_RING = 5;
const PACKET_VERSION = 10;
const TPACKET_V3 = 2;
const BPF_PROG_LOAD = 5;
const BPF_PROG_TYPE_SOCKET_FILTER = 1;
const ENOSYS = -38;

/** Both packet abilities from one socket: closing such a socket waits for the whole network stack, 10 ms and more. */
export function packets(capabilities: bigint): Ability[] {
  // Protocol 0 receives nothing, so the trial costs no packet (packet(7)).
  const fd = libc.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  const closed = fd < 0 ? refusal('socket(AF_PACKET)', fd, 'CAP_NET_RAW', capabilities) : null;
  const ring = fd < 0 ? 0 : makeRing(fd);
  if (fd >= 0) {
    libc.close(fd);
  }
  const noRing =
    ring < 0 ? `setsockopt(PACKET_RX_RING) said ${errnoName(ring)}: this kernel has no usable ring` : null;
  return [
    ability('packets', 'see packets on the wire (CAP_NET_RAW)', 'watching packets', closed),
    ability(
      'packet-ring',
      'read packets through a shared ring (TPACKET_V3)',
      'watching packets at full speed',
      closed ?? noRing,
    ),
  ];
}

function makeRing(fd: number): number {
  // struct tpacket_req3: block size, blocks, frame size, frames, retire time in ms, private bytes, features.
  const ring = new Uint8Array(Uint32Array.of(65536, 1, 2048, 32, 10, 0, 0).buffer);
  const version = libc.setsockopt(fd, SOL_PACKET, PACKET_VERSION, libc.int32(TPACKET_V3), 4);
  return version < 0 ? version : libc.setsockopt(fd, SOL_PACKET, PACKET_RX_RING, ring, ring.length);
}

/** Loads `r0 = 0; exit` as a socket filter and drops it again. 0 or -errno. */
function loadTrivialProgram(): number {
  const call = { x64: 321, arm64: 280, riscv64: 280, ia32: 357, arm: 386 }[process.arch as string];
  if (call === undefined) {
    return ENOSYS;
  }
  const program = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
  const licence = new TextEncoder().encode('MIT\0');
  const attributes = new Uint8Array(48);
  const view = new DataView(attributes.buffer);
  view.setUint32(0, BPF_PROG_TYPE_SOCKET_FILTER, true);
  view.setUint32(4, program.length / 8, true);
  view.setBigUint64(8, libc.addressOf(program), true);
  view.setBigUint64(16, libc.addressOf(licence), true);
  const fd = libc.bpf(call, BPF_PROG_LOAD, attributes, attributes.length);
  if (fd >= 0) {
    libc.close(fd);
  }
  return Math.min(fd, 0);
}

export function bpf(capabilities: bigint): Ability {
  const result = loadTrivialProgram();
  return ability(
    'bpf',
    'load BPF programs into the kernel',
    'tracing without stopping programs',
    bpfReason(result, capabilities),
  );
}

function bpfReason(result: number, capabilities: bigint): string | null {
  if (result === 0) {
    return null;
  }
  if (result === ENOSYS) {
    return 'this kernel was built without CONFIG_BPF_SYSCALL';
  }
  const setting = sysctl('kernel.unprivileged_bpf_disabled');
  if (
    !holds(capabilities, 'CAP_BPF') &&
    !holds(capabilities, 'CAP_SYS_ADMIN') &&
    setting !== null &&
    setting !== '0'
  ) {
    return `BPF_PROG_LOAD said ${errnoName(result)}: kernel.unprivileged_bpf_disabled is ${setting} and this process lacks CAP_BPF; run as root or give the program CAP_BPF`;
  }
  return refusal('BPF_PROG_LOAD', result, 'CAP_BPF', capabilities);
}
