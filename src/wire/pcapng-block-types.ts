/** Numbers of pcapng (draft-ietf-opsawg-pcapng sections 3.5 and 4) that reading and writing share. */

export const BLOCK = {
  section: 0x0a0d0d0a,
  interface: 1,
  oldPacket: 2,
  simplePacket: 3,
  names: 4,
  statistics: 5,
  packet: 6,
  journal: 9,
  secrets: 10,
} as const;

/** In a section header; tells its byte order. */
export const ORDER_MAGIC = 0x1a2b3c4d;

/** Where the bytes of a packet begin in a packet block. */
export const PACKET_DATA = 28;

export const END_OF_OPTIONS = 0;
export const COMMENT = 1;
export const SECTION_OPTION = { hardware: 2, os: 3, application: 4 } as const;
export const INTERFACE_OPTION = {
  name: 2,
  description: 3,
  resolution: 9,
  filter: 11,
  os: 12,
  checkLength: 13,
  timeOffset: 14,
} as const;
export const PACKET_OPTION = { flags: 2, drops: 4 } as const;
export const COUNTER_OPTION = { received: 4, dropped: 5, accepted: 6, osDropped: 7, delivered: 8 } as const;
export const NAME_RECORD = { end: 0, ipv4: 1, ipv6: 2, eui48: 3, eui64: 4 } as const;
