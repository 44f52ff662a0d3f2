/** What each kernel thinks: looks at the sockets and counters of the hosts, and what is new since the last look. */
import { close } from '../../kernel/libc.ts';
import type { RawEvent, Sampled } from '../stage/protocol.ts';
import { createCounters, type HostCounters } from './counters.ts';
import { compare, createTable, type Table } from './sampler-diff.ts';
import { type Memory, type Row, readRows } from './sampler-rows.ts';

export interface Samplers {
  add(sampled: Sampled): void;
  /** Closes the descriptors too: they keep the host's namespace alive. */
  remove(host: string): void;
  /** Looks at one host, unless its table is so large that it must wait for its turn. True when it was looked at. */
  sample(host: string, at: number, out: RawEvent[]): boolean;
  /** Looks at every host; with `force` also at those that would have to wait. The hosts that were looked at. */
  sampleAll(at: number, out: RawEvent[], force?: boolean): string[];
  /** Differences since `add`; zeros left out. */
  counters(host: string): Record<string, number>;
  /** Tells the counters that changed, each host's at most every 50 ms unless forced. */
  countersDue(at: number, out: RawEvent[], force?: boolean): void;
}

interface Subject {
  readonly sampled: Sampled;
  readonly table: Table;
  readonly memory: Memory;
  readonly counters: HostCounters;
  /** No look before this moment. */
  notBefore: number;
  countersAt: number;
  /** When it was last said that looks are left out. */
  complainedAt: number;
  refused: boolean;
  longInARow: number;
}

const COUNTERS_EVERY = 50e6;
/** A look that takes longer is followed by a pause, so that looking takes less than a fifth of the time. */
const LONG = 1e6;
const PAUSE = 4.5;
const FEW = 100;
/** Fewer long looks in a row were looks that something else interrupted, or the first ones. */
const IN_EARNEST = 3;
const COMPLAIN_EVERY = 1e9;

const milliseconds = (ns: number): string => (ns / 1e6).toFixed(1);

export function createSamplers(): Samplers {
  const subjects = new Map<string, Subject>();
  const rows: Row[] = [];

  function look(subject: Subject, at: number, out: RawEvent[]): boolean {
    const { sampled, table } = subject;
    const before = process.hrtime();
    rows.length = 0;
    const refusal = readRows(sampled.diag, rows, subject.memory);
    if (refusal < 0) {
      // Half a table would tell of sockets that closed and did not.
      if (!subject.refused) {
        subject.refused = true;
        const why = `the kernel refused its socket table (errno ${-refusal})`;
        out.push({ type: 'lost', at, source: `states of ${sampled.host}`, count: null, why });
      }
      return false;
    }
    subject.refused = false;
    compare(table, rows, sampled.host, at, out);
    const [seconds, nanoseconds] = process.hrtime(before);
    const took = seconds * 1e9 + nanoseconds;
    subject.longInARow = took > LONG ? subject.longInARow + 1 : 0;
    // A look at a few sockets that takes long was interrupted: it says nothing of the next one.
    if (subject.longInARow >= IN_EARNEST && rows.length > FEW) {
      subject.notBefore = at + took * (1 + PAUSE);
      complain(subject, at, took, out);
    }
    return true;
  }

  function complain(subject: Subject, at: number, took: number, out: RawEvent[]): void {
    if (at - subject.complainedAt >= COMPLAIN_EVERY) {
      subject.complainedAt = at;
      const { host } = subject.sampled;
      const why = `one look at its ${rows.length} sockets takes ${milliseconds(took)} ms, so there is one every ${milliseconds(took * (1 + PAUSE))} ms at most`;
      out.push({ type: 'lost', at, source: `states of ${host}`, count: null, why });
    }
  }

  return {
    add(sampled) {
      subjects.set(sampled.host, {
        sampled,
        table: createTable(),
        memory: new Map(),
        counters: createCounters(sampled.host, [sampled.netstat, sampled.snmp]),
        notBefore: -Infinity,
        countersAt: -Infinity,
        complainedAt: -Infinity,
        refused: false,
        longInARow: 0,
      });
    },
    remove(host) {
      const subject = subjects.get(host);
      if (subject !== undefined) {
        subjects.delete(host);
        close(subject.sampled.diag);
        close(subject.sampled.netstat);
        close(subject.sampled.snmp);
      }
    },
    sample(host, at, out) {
      const subject = subjects.get(host);
      return subject !== undefined && at >= subject.notBefore && look(subject, at, out);
    },
    sampleAll(at, out, force = false) {
      return [...subjects.values()]
        .filter((subject) => (force || at >= subject.notBefore) && look(subject, at, out))
        .map(({ sampled }) => sampled.host);
    },
    counters: (host) => subjects.get(host)?.counters.differences() ?? {},
    countersDue(at, out, force = false) {
      for (const subject of subjects.values()) {
        if (force || at - subject.countersAt >= COUNTERS_EVERY) {
          subject.countersAt = at;
          subject.counters.tell(at, out);
        }
      }
    },
  };
}
