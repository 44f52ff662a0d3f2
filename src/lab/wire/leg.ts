/** One frame on its way to one host. */
import type { Fate } from '../../session/events.ts';
import type { WirePort } from '../stage/protocol.ts';

export interface Leg {
  /** The packet's id; 0 for a frame that nobody is told of. */
  readonly packet: number;
  readonly from: string;
  readonly to: WirePort;
  frame: Uint8Array;
  /** By the packet's own length field; the frame without its link header where it is no IP packet. */
  readonly ipLength: number;
  /** What was done to it, in words. */
  readonly notes: string[];
  /** Nanoseconds that a rule adds to its way. */
  late: number;
  copies: number;
}

export function fateOf({ packet, to, notes }: Leg, at: number, what: Fate['what'], why?: string): Fate {
  const all = why === undefined ? notes : [...notes, why];
  return {
    type: 'fate',
    at,
    packet,
    host: to.host,
    what,
    ...(all.length === 0 ? {} : { why: all.join(', ') }),
  };
}
