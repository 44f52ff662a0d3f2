/** For a recording that nobody looks at meanwhile: finds the first packet of each connection, where its owners are written down, and nothing else. */
import { dissect, dissectNetwork } from '../wire/dissect.ts';
import { type Flow, FlowTable, MAX_FLOWS } from '../wire/flows.ts';
import { emptyHeaders } from '../wire/headers.ts';
import type { Frame } from './live.ts';
import type { FlowOwners } from './owners.ts';

const TCP = 6;
const UDP = 17;
const SYN = 2;
const SYN_ACK = 18;

export interface Commenter {
  /** The comments of this frame's packet, when it is the first of its connection and an owner is known. */
  of(frame: Frame, linkType: number, cooked: boolean): string[] | undefined;
}

export function createCommenter(owners: FlowOwners): Commenter {
  const h = emptyHeaders();
  const table = new FlowTable(MAX_FLOWS);
  return {
    of(frame, linkType, cooked) {
      h.bytes = frame.bytes;
      h.from = frame.from;
      h.to = frame.to;
      h.wireLength = frame.wireLength;
      h.linkType = linkType;
      if (cooked) {
        dissectNetwork(h, frame.protocol);
      } else {
        dissect(h);
      }
      if ((h.protocol !== TCP && h.protocol !== UDP) || h.payloadAt < 0) {
        return undefined;
      }
      const known = table.find(h);
      const anew = h.protocol === TCP && (h.flags & SYN_ACK) === SYN;
      if (known !== null && !anew) {
        return undefined;
      }
      if (known !== null) {
        table.remove(known);
      } else if (table.full) {
        table.remove(table.leastMissed()!);
      }
      return ownerComments(table.add(h), owners);
    },
  };
}

/** `client 127.0.0.1:40000 is curl pid 12`, for each end that somebody here holds. */
export function ownerComments(flow: Flow, owners: FlowOwners): string[] | undefined {
  const texts = ([flow.clientEnd, (1 - flow.clientEnd) as 0 | 1] as const).flatMap((end) => {
    const owner = owners.of(flow, end);
    const side = end === flow.clientEnd ? 'client' : 'server';
    return owner === null ? [] : [`${side} ${flow.ends[end].text} is ${owner.program} pid ${owner.pid}`];
  });
  return texts.length === 0 ? undefined : texts;
}
