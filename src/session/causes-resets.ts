/** Whom a reset answers. */
import { type Cause, type End, has, SOON_NS, STAMPS_DIFFER_NS } from './causes-model.ts';

/**
 * A kernel that has no such connection takes the number of its RST from the acknowledgement of the segment that it answers
 * (RFC 9293 section 3.10.7.1), so the two can be told to belong together.
 */
export function answers({ sent, arrived }: End): Cause[] {
  return sent.flatMap(({ packet }) => {
    if (!has(packet, 'RST') || has(packet, 'ACK')) {
      return [];
    }
    const asked = arrived.findLast(
      ({ by, segment }) =>
        by.at <= packet.at + STAMPS_DIFFER_NS &&
        by.at >= packet.at - SOON_NS &&
        has(segment.packet, 'ACK') &&
        segment.packet.ack === packet.seq,
    );
    return asked === undefined ? [] : [{ from: asked.by, to: packet, why: 'answers' as const }];
  });
}
