/** Classic BPF run on the frames of a file: what the kernel does with live ones (net/core/filter.c). */

export interface Loaded {
  readonly codes: Int32Array;
  readonly trues: Int32Array;
  readonly falses: Int32Array;
  readonly ks: Uint32Array;
}

const CELLS = 16;
const memory = new Uint32Array(CELLS);

export function loadProgram(program: Uint8Array): Loaded {
  const view = new DataView(program.buffer, program.byteOffset, program.length);
  const length = program.length / 8;
  const codes = new Int32Array(length);
  const trues = new Int32Array(length);
  const falses = new Int32Array(length);
  const ks = new Uint32Array(length);
  for (let i = 0; i < length; i++) {
    codes[i] = view.getUint16(8 * i, true);
    trues[i] = i + 1 + program[8 * i + 2]!;
    falses[i] = i + 1 + program[8 * i + 3]!;
    ks[i] = view.getUint32(8 * i + 4, true);
  }
  return { codes, trues, falses, ks };
}

/** Whether the program takes the frame. A load beyond its end rejects it, as in the kernel. */
export function runFilter(
  { codes, trues, falses, ks }: Loaded,
  bytes: Uint8Array,
  from: number,
  to: number,
  wireLength: number,
): boolean {
  const length = to - from;
  let a = 0;
  let x = 0;
  for (let pc = 0; pc < codes.length; ) {
    const k = ks[pc]!;
    const code = codes[pc]!;
    switch (code) {
      case 0x20:
      case 0x40:
      case 0x28:
      case 0x48:
      case 0x30:
      case 0x50: {
        const size = (code & 0x18) === 0 ? 4 : (code & 0x18) === 8 ? 2 : 1;
        const at = (code & 0x60) === 0x40 ? (x + k) >>> 0 : k;
        if (at + size > length) {
          return false;
        }
        a = load(bytes, from + at, size);
        break;
      }
      case 0x00:
        a = k;
        break;
      case 0x80:
        a = wireLength;
        break;
      case 0x60:
        a = memory[k]!;
        break;
      case 0x01:
        x = k;
        break;
      case 0x61:
        x = memory[k]!;
        break;
      case 0xb1:
        if (k >= length) {
          return false;
        }
        x = (bytes[from + k]! & 15) << 2;
        break;
      case 0x02:
        memory[k] = a;
        break;
      case 0x07:
        x = a;
        break;
      case 0x05:
        pc += k;
        break;
      case 0x15:
        pc = (a === k ? trues : falses)[pc]! - 1;
        break;
      case 0x25:
        pc = (a > k ? trues : falses)[pc]! - 1;
        break;
      case 0x35:
        pc = (a >= k ? trues : falses)[pc]! - 1;
        break;
      case 0x45:
        pc = ((a & k) !== 0 ? trues : falses)[pc]! - 1;
        break;
      case 0x1d:
        pc = (a === x ? trues : falses)[pc]! - 1;
        break;
      case 0x2d:
        pc = (a > x ? trues : falses)[pc]! - 1;
        break;
      case 0x3d:
        pc = (a >= x ? trues : falses)[pc]! - 1;
        break;
      case 0x06:
        return k !== 0;
      default: {
        const operand = (code & 8) === 0 ? k : x;
        const result = arithmetic(code & 0xf0, a, operand);
        if (result < 0) {
          return false;
        }
        a = result;
      }
    }
    pc++;
  }
  return false;
}

function load(bytes: Uint8Array, at: number, size: number): number {
  if (size === 1) {
    return bytes[at]!;
  }
  if (size === 2) {
    return (bytes[at]! << 8) | bytes[at + 1]!;
  }
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** On unsigned 32 bits; -1 for a division by zero. */
function arithmetic(operation: number, a: number, b: number): number {
  switch (operation) {
    case 0x00:
      return (a + b) >>> 0;
    case 0x10:
      return (a - b) >>> 0;
    case 0x20:
      return Math.imul(a, b) >>> 0;
    case 0x30:
      return b === 0 ? -1 : Math.trunc(a / b);
    case 0x90:
      return b === 0 ? -1 : a % b;
    case 0x40:
      return (a | b) >>> 0;
    case 0x50:
      return (a & b) >>> 0;
    case 0xa0:
      return (a ^ b) >>> 0;
    // The kernel's shifts by 32 and more are undefined in C; on x86 they take five bits, as JavaScript's do.
    case 0x60:
      return (a << b) >>> 0;
    case 0x70:
      return a >>> b;
    case 0x80:
      return -a >>> 0;
    default:
      return -1;
  }
}
