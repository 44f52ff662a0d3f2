/** What can be said about a packet beyond its own bytes. In the hot path a packet's notes are one number, a bit for each. */
export const PACKET_NOTES = [
  'retransmission',
  'fast-retransmission',
  'spurious-retransmission',
  'out-of-order',
  'overlap',
  'dup-ack',
  'gap-before',
  'acks-unseen',
  'zero-window',
  'window-probe',
  'window-probe-ack',
  'window-full',
  'window-update',
  'out-of-window',
  'keep-alive',
  'keep-alive-ack',
  'reset',
  'mid-stream',
  'tuple-reused',
  'bad-checksum',
  'malformed',
  'truncated',
  'fragment',
] as const;
export type PacketNote = (typeof PACKET_NOTES)[number];

/** note → its bit. */
export const NOTE = Object.fromEntries(PACKET_NOTES.map((name, index) => [name, 1 << index])) as Readonly<
  Record<PacketNote, number>
>;

export function noteNames(bits: number): PacketNote[] {
  return bits === 0 ? [] : PACKET_NOTES.filter((_, index) => (bits & (1 << index)) !== 0);
}
