/** The loopback shows every packet going out and coming in. A ring on one interface can ignore the first; one on all of them must filter it. */

/** linux/filter.h: loads from here up are about the packet, not from it. */
const AD = 0xffff_f000;
const AD_PKTTYPE = 4;
const AD_IFINDEX = 8;
const PACKET_OUTGOING = 4;
const LOOPBACK = 1;
const LD_W_ABS = 0x20;
const JEQ_K = 0x15;
const RET_K = 0x06;

/** The program with five instructions in front that drop what leaves by the loopback. */
export function loopbackOnce(program: Uint8Array): Uint8Array {
  const before = [
    instruction(LD_W_ABS, 0, 0, AD + AD_PKTTYPE),
    instruction(JEQ_K, 0, 3, PACKET_OUTGOING),
    instruction(LD_W_ABS, 0, 0, AD + AD_IFINDEX),
    instruction(JEQ_K, 0, 1, LOOPBACK),
    instruction(RET_K, 0, 0, 0),
  ];
  const whole = new Uint8Array(8 * before.length + program.length);
  before.forEach((bytes, index) => {
    whole.set(bytes, 8 * index);
  });
  whole.set(program, 8 * before.length);
  return whole;
}

function instruction(code: number, whenTrue: number, whenFalse: number, k: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, code, true);
  bytes[2] = whenTrue;
  bytes[3] = whenFalse;
  view.setUint32(4, k, true);
  return bytes;
}
