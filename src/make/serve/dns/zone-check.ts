/** What a zone must be before it can be served: the errors and warnings of BIND's named-checkzone, as far as these types go. */
import { isWithin, keyOf, type Name, parentOf, ROOT, shortName, upwards, WILDCARD } from './name.ts';
import { A, AAAA, BY_CODE, CNAME, dataKey, MX, NS, SOA, SRV, targetOf, type ZoneRecord } from './record.ts';
import type { Fault, Placed } from './zone-file.ts';

/** A zone as plain data; threads are given it. */
export interface ZoneData {
  readonly origin: Name;
  readonly records: readonly ZoneRecord[];
}

export interface Checked {
  /** Null when there are faults. */
  readonly zone: ZoneData | null;
  readonly faults: readonly Fault[];
  readonly warnings: readonly Fault[];
}

export function checkZone(file: string, placed: readonly Placed[]): Checked {
  const faults: Fault[] = [];
  const warnings: Fault[] = [];
  const fault = (at: Placed, sentence: string): void => {
    faults.push({ file: at.file, line: at.line, column: 1, sentence });
  };
  const warn = (at: Placed, sentence: string): void => {
    warnings.push({ file: at.file, line: at.line, column: 1, sentence });
  };
  const first = placed.find(({ record }) => record.type === SOA);
  if (first === undefined) {
    faults.push({ file, line: 0, column: 0, sentence: 'the zone has no SOA record, with which it begins' });
    return { zone: null, faults, warnings };
  }
  if (first !== placed[0]) {
    warn(first, 'the SOA record is not the first one of the zone');
  }
  const origin = keyOf(first.record.name);
  const records: ZoneRecord[] = [];
  const sets = new Map<Name, Map<number, Placed[]>>();
  for (const one of placed) {
    const kept = keep(one, origin, sets, fault, warn);
    if (kept !== null) {
      records.push(kept);
    }
  }
  checkNames(first, origin, sets, fault, warn);
  return { zone: faults.length > 0 ? null : { origin: first.record.name, records }, faults, warnings };
}

type Sets = Map<Name, Map<number, Placed[]>>;
type Tell = (at: Placed, sentence: string) => void;

/** The record as it is served, or null when it is left out. */
function keep(one: Placed, origin: Name, sets: Sets, fault: Tell, warn: Tell): ZoneRecord | null {
  const { record } = one;
  const key = keyOf(record.name);
  if (!isWithin(key, origin)) {
    warn(one, `${shortName(record.name)} is not in the zone ${shortName(origin)}, and is left out`);
    return null;
  }
  if (record.type === SOA && key !== origin) {
    fault(one, `the zone is ${shortName(origin)}, and ${shortName(record.name)} has an SOA record too`);
    return null;
  }
  const types = sets.get(key) ?? new Map<number, Placed[]>();
  sets.set(key, types);
  const set = types.get(record.type) ?? [];
  types.set(record.type, set);
  if (set.some((other) => dataKey(other.record.data) === dataKey(record.data))) {
    return null;
  }
  const before = set[0];
  set.push(one);
  if (before === undefined) {
    return record;
  }
  if (record.type === SOA || record.type === CNAME) {
    fault(one, `${shortName(record.name)} has a second ${typeWord(record.type)} record, and one is allowed`);
  }
  // RFC 2181 section 5.2: one time for the whole set.
  if (before.record.ttl !== record.ttl) {
    warn(
      one,
      `${typeWord(record.type)} records of ${shortName(record.name)} have different times to live; ${before.record.ttl} is used`,
    );
  }
  return { ...record, ttl: before.record.ttl };
}

function checkNames(soa: Placed, origin: Name, sets: Sets, fault: Tell, warn: Tell): void {
  if (!sets.get(origin)?.has(NS)) {
    fault(soa, `the zone ${shortName(origin)} has no NS record of its own`);
  }
  for (const [key, types] of sets) {
    const alias = types.get(CNAME)?.[0];
    const other = [...types.keys()].filter((type) => type !== CNAME);
    if (alias !== undefined && other.length > 0) {
      fault(
        alias,
        `${shortName(alias.record.name)} is a CNAME and has ${other.map(typeWord).join(', ')} beside it (RFC 1034 section 3.6.2)`,
      );
    }
    for (const type of [NS, MX, SRV]) {
      for (const one of types.get(type) ?? []) {
        checkTarget(one, key, origin, sets, fault, warn);
      }
    }
  }
}

/** NS, MX and SRV lead to names that have addresses, not to aliases (RFC 2181 section 10.3). */
function checkTarget(one: Placed, owner: Name, origin: Name, sets: Sets, fault: Tell, warn: Tell): void {
  const { record } = one;
  const target = keyOf(targetOf(record.data) ?? ROOT);
  if (target === ROOT || !isWithin(target, origin)) {
    return;
  }
  const cut = cutAbove(target, origin, sets);
  // Below a delegation its addresses are glue, which only its own name servers need.
  if (cut !== null && (record.type !== NS || cut !== owner)) {
    return;
  }
  const found = sets.get(target) ?? (cut === null ? wildcardFor(target, sets) : undefined);
  const what = `${typeWord(record.type)} of ${shortName(record.name)} leads to ${shortName(target)}`;
  const tell = record.type === NS ? fault : warn;
  if (found?.has(CNAME)) {
    tell(one, `${what}, which is a CNAME`);
  } else if (!found?.has(A) && !found?.has(AAAA)) {
    tell(one, `${what}, which has no address in this zone`);
  }
}

function cutAbove(key: Name, origin: Name, sets: Sets): Name | null {
  for (let at = key; at !== origin; at = parentOf(at)) {
    if (sets.get(at)?.has(NS)) {
      return at;
    }
  }
  return null;
}

function wildcardFor(key: Name, sets: Sets): Map<number, Placed[]> | undefined {
  for (const above of upwards(key)) {
    const found = above === key ? undefined : sets.get(WILDCARD + above);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

function typeWord(type: number): string {
  return BY_CODE.get(type)![0];
}
