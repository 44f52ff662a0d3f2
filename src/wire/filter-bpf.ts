/** Classic BPF: instruction codes (linux/filter.h, linux/bpf_common.h) and what the kernel can say about a packet beside its bytes. */

export const BPF = {
  LD: 0x00,
  LDX: 0x01,
  ST: 0x02,
  ALU: 0x04,
  JMP: 0x05,
  RET: 0x06,
  TAX: 0x07,
  WORD: 0x00,
  HALF: 0x08,
  BYTE: 0x10,
  IMM: 0x00,
  ABS: 0x20,
  IND: 0x40,
  MEM: 0x60,
  LEN: 0x80,
  MSH: 0xa0,
  ADD: 0x00,
  SUB: 0x10,
  MUL: 0x20,
  DIV: 0x30,
  OR: 0x40,
  AND: 0x50,
  LSH: 0x60,
  RSH: 0x70,
  NEG: 0x80,
  MOD: 0x90,
  XOR: 0xa0,
  JA: 0x00,
  JEQ: 0x10,
  JGT: 0x20,
  JGE: 0x30,
  JSET: 0x40,
  X: 0x08,
} as const;

/** Absolute loads from here on are no bytes of the packet (SKF_AD_OFF). */
export const ANCILLARY = 0xffff_f000;

export const ASIDE = {
  protocol: ANCILLARY + 0,
  packetType: ANCILLARY + 4,
  ifindex: ANCILLARY + 8,
  vlanTag: ANCILLARY + 44,
  vlanTagPresent: ANCILLARY + 48,
} as const;

/** sll_pkttype of a packet this machine sent (PACKET_OUTGOING). */
export const OUTGOING = 4;

export const CELLS = 16;
export const MOST_INSTRUCTIONS = 4096;
