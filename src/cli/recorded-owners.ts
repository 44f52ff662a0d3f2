/** Who held the ends of a recorded connection: `watch -w` writes it beside the connection's first packet, as a comment. */
import type { Owner } from '../wire/display/subject.ts';
import type { Flow } from '../wire/flows.ts';

const COMMENT = /^(?:client|server) (\S{3,64}) is (.{1,64}) pid (\d{1,10})$/;

export interface RecordedOwners {
  /** Comes before its packet. */
  comment(text: string): void;
  of(flow: Flow, end: 0 | 1): Owner | null;
  /** The packet has been read: what its comments said belongs to this flow from now on. */
  settle(flow: Flow | null): void;
}

export function recordedOwners(): RecordedOwners {
  const known = new WeakMap<Flow, Map<string, Owner>>();
  let fresh = new Map<string, Owner>();
  return {
    comment(text) {
      const found = COMMENT.exec(text);
      if (found !== null) {
        fresh.set(found[1]!, { program: found[2]!, pid: Number(found[3]) });
      }
    },
    of: (flow, end) => (known.get(flow) ?? fresh).get(flow.ends[end].text) ?? null,
    settle(flow) {
      if (fresh.size > 0) {
        if (flow !== null) {
          known.set(flow, fresh);
        }
        fresh = new Map();
      }
    },
  };
}
