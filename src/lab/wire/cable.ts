/**
 * The wire without its devices: a switch for each segment, rules, paths, and what is under way. It is told when a frame arrives and asked
 * which are due; the moments are the caller's. The same seed and the same frames make the same decisions.
 */
import { dissect } from '../../wire/dissect.ts';
import { emptyHeaders } from '../../wire/headers.ts';
import type { Act, Match, Path } from '../api.ts';
import type { RawEvent, WirePort } from '../stage/protocol.ts';
import { createDeadlines } from './deadlines.ts';
import { fateOf, type Leg } from './leg.ts';
import { createPaths } from './paths.ts';
import { type CableRule, createRule, judge } from './rules.ts';
import { isChatter, macText } from './switch.ts';

/** Frames under way or held, and their bytes; what comes beyond is dropped. */
export const MOST_WAITING = 65_536;
export const MOST_WAITING_BYTES = 64 << 20;

/** Who sends what was put in. */
export const NO_HOST = 'wire';

export interface Cable {
  add(port: WirePort): void;
  remove(host: string): void;
  path(path: Path, from?: string, to?: string): void;
  /** The rule's id, or a sentence. */
  rule(act: Act, match: Match): number | string;
  rules: ReadonlyMap<number, CableRule>;
  /** Lets go of what it holds first. */
  unrule(id: number, at: number, out: RawEvent[]): void;
  /** Oldest first; how many it was. */
  release(id: number, count: number, at: number, out: RawEvent[]): number;
  cut(host: string): void;
  plug(host: string): void;
  off(host: string): void;
  /** A frame that came out of the device; the bytes are the cable's from now on. The host that sent it, null when nobody is told of it. */
  arrive(at: number, ifindex: number, frame: Uint8Array, out: RawEvent[]): string | null;
  inject(at: number, frame: Uint8Array, out: RawEvent[]): void;
  /** When the next frame is due; Infinity when none is. */
  readonly next: number;
  /** The next frame that is due: the caller writes it, and tells its fate. What has come to nothing by now is told here. */
  take(now: number, out: RawEvent[]): Leg | null;
  /** Frames and bytes under way or held, and how many frames found no room. */
  readonly waiting: { readonly frames: number; readonly bytes: number; readonly refused: number };
}

export function createCable({ seed, path }: { readonly seed: number; readonly path: Path }): Cable {
  const ports = new Map<number, WirePort>();
  const paths = createPaths(seed, path);
  const rules = new Map<number, CableRule>();
  const cut = new Set<string>();
  const off = new Set<string>();
  /** Whose address it was, of those that were taken away. */
  const gone = new Map<string, string>();
  const due = createDeadlines<Leg>();
  const headers = emptyHeaders();
  const waiting = { frames: 0, bytes: 0, refused: 0 };
  let packets = 0;
  let ruleIds = 0;

  function read(frame: Uint8Array): void {
    headers.bytes = frame;
    headers.from = 0;
    headers.to = frame.length;
    headers.wireLength = frame.length;
    dissect(headers);
  }

  function receivers(frame: Uint8Array, source: WirePort | null): WirePort[] {
    const all = [...ports.values()].filter(
      (port) => port !== source && (source === null || port.segment === source.segment),
    );
    const mac = macText(frame);
    return (frame[0]! & 1) === 1 ? all : all.filter((port) => port.mac === mac);
  }

  function send(at: number, source: WirePort | null, frame: Uint8Array, out: RawEvent[]): string | null {
    const host = source?.host ?? NO_HOST;
    read(frame);
    const to = receivers(frame, source);
    if (isChatter(headers)) {
      chatter(at, host, to, frame);
      return null;
    }
    const packet = ++packets;
    const segment = source?.segment ?? to[0]?.segment ?? '';
    out.push({ type: 'packet', at, id: packet, host, segment, frame });
    const ipLength = headers.netEnd > 0 ? headers.netEnd - headers.netAt : frame.length - 14;
    for (const port of to) {
      const leg: Leg = { packet, from: host, to: port, frame, ipLength, notes: [], late: 0, copies: 0 };
      if (cut.has(host)) {
        out.push(fateOf(leg, at, 'dropped', `the cable of ${host} is cut`));
      } else {
        setOut(leg, at, rules.values(), out);
      }
    }
    if (to.length === 0) {
      const away = gone.get(macText(frame));
      const nobody = (frame[0]! & 1) === 1 ? 'nobody else is there' : 'nobody has this address';
      const why = away === undefined ? nobody : `${away} is switched off`;
      out.push({ type: 'fate', at, packet, host: away ?? 'nobody', what: 'dropped', why });
    }
    return host;
  }

  /** What kernels say to themselves at times of their own: no rule counts it and no chance is spent on it, so that runs stay alike. */
  function chatter(at: number, host: string, to: readonly WirePort[], frame: Uint8Array): void {
    for (const port of cut.has(host) ? [] : to) {
      const leg = { packet: 0, from: host, to: port, frame, ipLength: 0, notes: [], late: 0, copies: 0 };
      if (room(leg)) {
        due.put(at + paths.delay(host, port.host), leg);
      }
    }
  }

  function room({ frame }: Leg): boolean {
    if (waiting.frames >= MOST_WAITING || waiting.bytes + frame.length > MOST_WAITING_BYTES) {
      waiting.refused++;
      return false;
    }
    waiting.frames++;
    waiting.bytes += frame.length;
    return true;
  }

  function leave({ frame }: Leg): void {
    waiting.frames--;
    waiting.bytes -= frame.length;
  }

  const TOO_MUCH = 'too much is under way';

  /** `headers` are the leg's. */
  function setOut(leg: Leg, at: number, which: Iterable<CableRule>, out: RawEvent[]): void {
    const verdict = judge(which, leg, headers);
    if (verdict.what === 'drop') {
      out.push(fateOf(leg, at, 'dropped', verdict.why));
    } else if (verdict.what === 'pass') {
      travel(leg, at, out);
    } else if (room(leg)) {
      verdict.by.held.push({ leg, since: at });
      out.push(fateOf(leg, at, 'held', verdict.why));
    } else {
      out.push(fateOf(leg, at, 'dropped', TOO_MUCH));
    }
    for (; leg.copies > 0; leg.copies--) {
      travel({ ...leg, notes: [...leg.notes, 'a copy'], copies: 0 }, at, out);
    }
  }

  function travel(leg: Leg, at: number, out: RawEvent[]): void {
    const arrival = paths.meet(leg.from, leg.to.host, at, leg.frame.length, leg.ipLength);
    if (typeof arrival === 'string') {
      out.push(fateOf(leg, at, 'dropped', arrival));
    } else if (room(leg)) {
      due.put(arrival + leg.late, leg);
    } else {
      out.push(fateOf(leg, at, 'dropped', TOO_MUCH));
    }
  }

  function release(id: number, count: number, at: number, out: RawEvent[]): number {
    const freed = rules.get(id)?.held.splice(0, count) ?? [];
    for (const { leg, since } of freed) {
      leave(leg);
      leg.notes.push(`held ${Math.round((at - since) / 1e6)} ms`);
      read(leg.frame);
      setOut(
        leg,
        at,
        [...rules.values()].filter((rule) => rule.id > id),
        out,
      );
    }
    return freed.length;
  }

  /** Why it cannot be handed over, or null. */
  function lostOn({ to }: Leg): string | null {
    if (cut.has(to.host)) {
      return `the cable of ${to.host} is cut`;
    }
    return off.has(to.host) || ports.get(to.ifindex) !== to ? `${to.host} is switched off` : null;
  }

  return {
    rules,
    waiting,
    add(port) {
      ports.set(port.ifindex, port);
      off.delete(port.host);
      gone.delete(port.mac);
    },
    remove(host) {
      for (const port of [...ports.values()].filter((one) => one.host === host)) {
        ports.delete(port.ifindex);
        gone.set(port.mac, port.host);
      }
    },
    path: paths.change,
    rule(act, match) {
      const rule = createRule(ruleIds + 1, act, match, seed);
      if (typeof rule === 'string') {
        return rule;
      }
      ruleIds = rule.id;
      rules.set(rule.id, rule);
      return rule.id;
    },
    unrule(id, at, out) {
      release(id, Number.POSITIVE_INFINITY, at, out);
      rules.delete(id);
    },
    release,
    cut: (host) => void cut.add(host),
    plug: (host) => void cut.delete(host),
    off: (host) => void off.add(host),
    arrive(at, ifindex, frame, out) {
      const port = ports.get(ifindex);
      return port === undefined || off.has(port.host) ? null : send(at, port, frame, out);
    },
    inject: (at, frame, out) => void send(at, null, frame, out),
    get next() {
      return due.next;
    },
    take(now, out) {
      for (let leg = due.take(now); leg !== null; leg = due.take(now)) {
        leave(leg);
        const why = lostOn(leg);
        if (why === null) {
          return leg;
        }
        if (leg.packet > 0) {
          out.push(fateOf(leg, now, 'dropped', why));
        }
      }
      return null;
    },
  };
}
