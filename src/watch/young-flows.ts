/**
 * Packets that nobody has asked for yet. A program's SYN crosses before we hear of its connect, and a stranger's before
 * our program accepts it: the beginnings of all connections wait here for a moment.
 */

export interface Early {
  readonly bytes: Uint8Array;
  readonly wireLength: number;
  readonly at: number;
  readonly etherType: number;
  readonly ifindex: number;
}

export interface YoungFlow<About> {
  readonly about: About;
  readonly began: number;
  readonly packets: Early[];
}

export interface YoungFlows<About> {
  /** `begins`: it can be a connection's first. Others are kept only where the first one was. */
  keep(key: string, begins: boolean, about: () => About, early: () => Early): void;
  /** And is forgotten here. */
  take(key: string): readonly Early[];
  /** The youngest last. */
  all(): Iterable<YoungFlow<About>>;
  /** Those that began before are nobody's. */
  forget(before: number): void;
}

const MOST_FLOWS = 1024;
const MOST_PACKETS = 64;
const MOST_BYTES = 8 << 20;

export function youngFlows<About>(): YoungFlows<About> {
  const flows = new Map<string, YoungFlow<About>>();
  let bytes = 0;

  function drop(key: string): readonly Early[] {
    const packets = flows.get(key)?.packets ?? [];
    flows.delete(key);
    for (const early of packets) {
      bytes -= early.bytes.length;
    }
    return packets;
  }

  function dropOldest(): void {
    for (const key of flows.keys()) {
      drop(key);
      return;
    }
  }

  return {
    keep(key, begins, about, early) {
      let flow = flows.get(key);
      if (flow === undefined && !begins) {
        return;
      }
      if (flow !== undefined && flow.packets.length >= MOST_PACKETS) {
        return;
      }
      const kept = early();
      if (flow === undefined) {
        if (flows.size >= MOST_FLOWS) {
          dropOldest();
        }
        flow = { about: about(), began: kept.at, packets: [] };
        flows.set(key, flow);
      }
      flow.packets.push(kept);
      bytes += kept.bytes.length;
      while (bytes > MOST_BYTES && flows.size > 1) {
        dropOldest();
      }
    },
    take: drop,
    all: () => flows.values(),
    forget(before) {
      for (const [key, { began }] of flows) {
        if (began >= before) {
          return;
        }
        drop(key);
      }
    },
  };
}
