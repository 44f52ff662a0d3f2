/** Classic BPF run on the frames of a file or a window: what the kernel does with live ones (net/core/filter.c). */
import { ASIDE, CELLS } from './filter-bpf.ts';

/** A program taken apart once; jumps name the instruction they go to. */
export interface Loaded {
  readonly codes: Uint8Array;
  readonly yes: Int32Array;
  readonly no: Int32Array;
  readonly ks: Int32Array;
}

/** What the kernel knows of a packet beside its bytes. Programs for files do not ask. */
export interface Beside {
  /** The ethertype. */
  protocol: number;
  /** sll_pkttype: 0 to us … 4 outgoing. */
  packetType: number;
  ifindex: number;
  /** Tag control information, -1 without a tag. */
  vlanTag: number;
}

const SIZE = 8;
const cells = new Int32Array(CELLS);

export function loadProgram(program: Uint8Array): Loaded {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const length = Math.floor(program.length / SIZE);
  const codes = new Uint8Array(length);
  const yes = new Int32Array(length);
  const no = new Int32Array(length);
  const ks = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    codes[i] = view.getUint16(SIZE * i, true);
    ks[i] = view.getInt32(SIZE * i + 4, true);
    yes[i] = i + 1 + program[SIZE * i + 2]!;
    no[i] = i + 1 + program[SIZE * i + 3]!;
  }
  return { codes, yes, no, ks };
}

/** Whether the program takes the frame. Any load beyond its captured end and any division by zero reject it. */
export function runFilter(
  { codes, yes, no, ks }: Loaded,
  bytes: Uint8Array,
  from: number,
  to: number,
  wireLength: number,
  beside: Beside | null = null,
): boolean {
  const captured = to - from;
  const length = codes.length;
  let a = 0;
  let x = 0;
  let pc = 0;
  // Jumps only go forward (the kernel takes no others), so this ends.
  while (pc < length) {
    const k = ks[pc]!;
    switch (codes[pc]!) {
      // ldb, ldh, ld [k]
      case 0x30:
        if (k >>> 0 >= captured) {
          const value = besides(k, beside);
          if (value < 0) {
            return false;
          }
          a = value;
        } else {
          a = bytes[from + k]!;
        }
        break;
      case 0x28:
        if (k >>> 0 > captured - 2) {
          const value = besides(k, beside);
          if (value < 0) {
            return false;
          }
          a = value;
        } else {
          a = (bytes[from + k]! << 8) | bytes[from + k + 1]!;
        }
        break;
      case 0x20:
        if (k >>> 0 > captured - 4) {
          const value = besides(k, beside);
          if (value < 0) {
            return false;
          }
          a = value;
        } else {
          a = word(bytes, from + k);
        }
        break;
      // ldb, ldh, ld [x + k]
      case 0x50: {
        const at = (x >>> 0) + (k >>> 0);
        if (at >= captured) {
          return false;
        }
        a = bytes[from + at]!;
        break;
      }
      case 0x48: {
        const at = (x >>> 0) + (k >>> 0);
        if (at > captured - 2) {
          return false;
        }
        a = (bytes[from + at]! << 8) | bytes[from + at + 1]!;
        break;
      }
      case 0x40: {
        const at = (x >>> 0) + (k >>> 0);
        if (at > captured - 4) {
          return false;
        }
        a = word(bytes, from + at);
        break;
      }
      // ldx 4*([k]&0xf)
      case 0xb1:
        if (k >>> 0 >= captured) {
          return false;
        }
        x = (bytes[from + k]! & 0xf) << 2;
        break;
      case 0x00:
        a = k;
        break;
      case 0x80:
        a = wireLength | 0;
        break;
      case 0x60:
        a = cells[k & (CELLS - 1)]!;
        break;
      case 0x01:
        x = k;
        break;
      case 0x81:
        x = wireLength | 0;
        break;
      case 0x61:
        x = cells[k & (CELLS - 1)]!;
        break;
      case 0x02:
        cells[k & (CELLS - 1)] = a;
        break;
      case 0x03:
        cells[k & (CELLS - 1)] = x;
        break;
      case 0x07:
        x = a;
        break;
      case 0x87:
        a = x;
        break;
      // jeq, jgt, jge, jset with k and with x
      case 0x15:
        pc = a === k ? yes[pc]! : no[pc]!;
        continue;
      case 0x25:
        pc = a >>> 0 > k >>> 0 ? yes[pc]! : no[pc]!;
        continue;
      case 0x35:
        pc = a >>> 0 >= k >>> 0 ? yes[pc]! : no[pc]!;
        continue;
      case 0x45:
        pc = (a & k) !== 0 ? yes[pc]! : no[pc]!;
        continue;
      case 0x1d:
        pc = a === x ? yes[pc]! : no[pc]!;
        continue;
      case 0x2d:
        pc = a >>> 0 > x >>> 0 ? yes[pc]! : no[pc]!;
        continue;
      case 0x3d:
        pc = a >>> 0 >= x >>> 0 ? yes[pc]! : no[pc]!;
        continue;
      case 0x4d:
        pc = (a & x) !== 0 ? yes[pc]! : no[pc]!;
        continue;
      case 0x05:
        pc += 1 + (k >>> 0);
        continue;
      case 0x06:
        return k !== 0;
      case 0x16:
        return a !== 0;
      default: {
        const code = codes[pc]!;
        const operand = (code & 0x08) === 0 ? k : x;
        const operation = code & 0xf0;
        const divides = operation === 0x30 || operation === 0x90;
        if ((code & 0x07) !== 0x04 || operation > 0xa0 || (divides && operand === 0)) {
          return false;
        }
        a = calculated(operation, a, operand);
      }
    }
    pc++;
  }
  return false;
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Loads far beyond the end that mean something else than bytes (SKF_AD_OFF); -1: nothing is known. */
function besides(k: number, beside: Beside | null): number {
  if (beside === null) {
    return -1;
  }
  switch (k >>> 0) {
    case ASIDE.protocol:
      return beside.protocol;
    case ASIDE.packetType:
      return beside.packetType;
    case ASIDE.ifindex:
      return beside.ifindex;
    case ASIDE.vlanTag:
      return Math.max(0, beside.vlanTag);
    case ASIDE.vlanTagPresent:
      return beside.vlanTag >= 0 ? 1 : 0;
    default:
      return -1;
  }
}

/** On 32 bits; the divisor is not zero. */
function calculated(operation: number, a: number, b: number): number {
  switch (operation) {
    case 0x00:
      return (a + b) | 0;
    case 0x10:
      return (a - b) | 0;
    case 0x20:
      return Math.imul(a, b);
    case 0x30:
      return ((a >>> 0) / (b >>> 0)) | 0;
    case 0x90:
      return ((a >>> 0) % (b >>> 0)) | 0;
    case 0x40:
      return a | b;
    case 0x50:
      return a & b;
    case 0xa0:
      return a ^ b;
    // Beyond 31 nothing is left, as in libpcap's interpreter; the kernel leaves it to the processor.
    case 0x60:
      return b >>> 0 > 31 ? 0 : a << b;
    case 0x70:
      return b >>> 0 > 31 ? 0 : (a >>> b) | 0;
    default:
      return -a | 0;
  }
}
