/** CRC-32C (Castagnoli; RFC 3720, appendix B.4): what guards a header of the PROXY protocol. */

const POLYNOMIAL = 0x82f63b78;

const TABLE = new Uint32Array(256).map((_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) {
    value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  }
  return value;
});

/** Over bytes[from, to), where the four bytes at `blank` count as zeros; -1: none do. */
export function crc32c(bytes: Uint8Array, from: number, to: number, blank: number): number {
  let value = 0xffffffff;
  for (let at = from; at < to; at++) {
    const byte = blank >= 0 && at >= blank && at < blank + 4 ? 0 : bytes[at]!;
    value = TABLE[(value ^ byte) & 255]! ^ (value >>> 8);
  }
  return (value ^ 0xffffffff) >>> 0;
}
