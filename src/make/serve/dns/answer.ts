/** The answer that the zones give to one question: RFC 1034 section 4.3.2, wildcards as RFC 4592, "no" as RFC 2308. */
import { keyOf, type Name, parentOf, ROOT, WILDCARD } from './name.ts';
import { A, AAAA, CNAME, MX, minimumOf, NS, SRV, targetOf } from './record.ts';
import { type Node, type RecordSet, type Zone, type Zones, zoneAbove } from './zone.ts';

export const NOERROR = 0;
export const NXDOMAIN = 3;
export const REFUSED = 5;
export const ANY = 255;
const DS = 43;
/** Aliases followed for one question. */
const MOST_ALIASES = 16;

export interface Answer {
  rcode: number;
  /** AA: about the first name of the answer (RFC 1035 section 4.1.1). */
  authoritative: boolean;
  /** Below a delegation: who knows more is in the authority section. */
  referral: boolean;
  /** An alias led out of our zones to this name: the rest is for somebody else to find out. */
  leads: Name | null;
  readonly answers: RecordSet[];
  readonly authority: RecordSet[];
  readonly additional: RecordSet[];
}

/** `whole`: all records for ANY; otherwise one set of them, which is enough (RFC 8482 section 4.1). */
export function answerTo(zones: Zones, name: Name, type: number, whole: boolean): Answer | null {
  const answer: Answer = {
    rcode: NOERROR,
    authoritative: true,
    referral: false,
    leads: null,
    answers: [],
    authority: [],
    additional: [],
  };
  const seen = new Set<Name>();
  let asked: Name | null = name;
  while (asked !== null && seen.size <= MOST_ALIASES) {
    const key = keyOf(asked);
    const zone = seen.has(key) ? null : zoneFor(zones, key, type);
    if (zone === null) {
      // Not when it has come round in a circle.
      answer.leads = seen.has(key) ? null : asked;
      break;
    }
    seen.add(key);
    asked = step(zone, asked, key, type, whole, answer);
  }
  if (seen.size === 0) {
    return null;
  }
  addAddresses(zones, answer);
  return answer;
}

/** DS is answered by the zone above the cut (RFC 4035 section 3.1.4.1). */
function zoneFor(zones: Zones, key: Name, type: number): Zone | null {
  const zone = zoneAbove(key, zones);
  return type === DS && zone?.origin === key && key !== ROOT
    ? (zoneAbove(parentOf(key), zones) ?? zone)
    : zone;
}

/** One name. What it is an alias of, or null when that was all. */
function step(zone: Zone, name: Name, key: Name, type: number, whole: boolean, answer: Answer): Name | null {
  const { node, cut } = find(zone, key, type);
  if (cut !== null) {
    answer.authority.push(cut);
    answer.referral = true;
    answer.authoritative = answer.answers.length > 0;
    return null;
  }
  if (node === null) {
    answer.rcode = NXDOMAIN;
    answer.authority.push(negative(zone));
    return null;
  }
  const exact = zone.nodes.get(key) === node;
  const owned = (set: RecordSet): RecordSet => (exact ? set : { ...set, name });
  const alias = node.get(CNAME);
  if (alias !== undefined && type !== CNAME && type !== ANY) {
    answer.answers.push(owned(alias));
    return targetOf(alias.data[0]!);
  }
  const sets = type === ANY ? [...node.values()] : [node.get(type)];
  for (const set of whole ? sets : sets.slice(0, 1)) {
    if (set !== undefined) {
      answer.answers.push(owned(set));
    }
  }
  if (sets[0] === undefined) {
    answer.authority.push(negative(zone));
  }
  return null;
}

/** The name's node, a wildcard's in its place, or none; or the delegation that stands above it, the highest one. */
function find(zone: Zone, key: Name, type: number): { node: Node | null; cut: RecordSet | null } {
  const path: Name[] = [];
  for (let at = key; at !== zone.origin; at = parentOf(at)) {
    path.push(at);
  }
  let encloser = zone.origin;
  for (let i = path.length - 1; i >= 0; i--) {
    const node = zone.nodes.get(path[i]!);
    if (node === undefined) {
      return { node: zone.nodes.get(WILDCARD + encloser) ?? null, cut: null };
    }
    const cut = node.get(NS);
    if (cut !== undefined && !(i === 0 && type === DS)) {
      return { node: null, cut };
    }
    encloser = path[i]!;
  }
  return { node: zone.nodes.get(key)!, cut: null };
}

function negative({ soa }: Zone): RecordSet {
  return { ...soa, ttl: Math.min(soa.ttl, minimumOf(soa.data[0]!)) };
}

function addAddresses(zones: Zones, answer: Answer): void {
  const there = new Set(answer.answers.map(({ name, type }) => `${type} ${keyOf(name)}`));
  for (const set of [...answer.answers, ...answer.authority]) {
    if (set.type !== MX && set.type !== NS && set.type !== SRV) {
      continue;
    }
    for (const data of set.data) {
      const target = keyOf(targetOf(data) ?? ROOT);
      const node = zoneAbove(target, zones)?.nodes.get(target);
      for (const type of [A, AAAA]) {
        const found = node?.get(type);
        if (found !== undefined && !there.has(`${type} ${target}`)) {
          there.add(`${type} ${target}`);
          answer.additional.push(found);
        }
      }
    }
  }
}
