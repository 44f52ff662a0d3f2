/** A zone to look names up in: every name of it, also those that only stand above others. */
import { keyOf, type Name, parentOf, upwards } from './name.ts';
import { type Piece, SOA } from './record.ts';
import type { ZoneData } from './zone-check.ts';

export interface RecordSet {
  readonly name: Name;
  readonly type: number;
  readonly ttl: number;
  readonly data: readonly (readonly Piece[])[];
}

/** By type; empty for a name that only has others below it (RFC 4592 section 2.2.2). */
export type Node = ReadonlyMap<number, RecordSet>;

export interface Zone {
  /** A key. */
  readonly origin: Name;
  readonly nodes: ReadonlyMap<Name, Node>;
  readonly soa: RecordSet;
}

export function zoneOf({ origin, records }: ZoneData): Zone {
  const apex = keyOf(origin);
  const nodes = new Map<Name, Map<number, RecordSet & { data: (readonly Piece[])[] }>>();
  for (const { name, type, ttl, data } of records) {
    const key = keyOf(name);
    for (let at = key; !nodes.has(at); at = parentOf(at)) {
      nodes.set(at, new Map());
      if (at === apex) {
        break;
      }
    }
    const node = nodes.get(key)!;
    const set = node.get(type);
    if (set === undefined) {
      node.set(type, { name, type, ttl, data: [data] });
    } else {
      set.data.push(data);
    }
  }
  return { origin: apex, nodes, soa: nodes.get(apex)!.get(SOA)! };
}

export type Zones = ReadonlyMap<Name, Zone>;

/** The zone that is nearest above the name. */
export function zoneAbove(key: Name, zones: Zones): Zone | null {
  for (const above of upwards(key)) {
    const zone = zones.get(above);
    if (zone !== undefined) {
      return zone;
    }
  }
  return null;
}
