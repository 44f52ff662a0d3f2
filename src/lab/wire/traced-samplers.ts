/** The two witnesses together, for the wire's thread: looks at the socket tables, and the kernel's own trace where root allows. */
import { openStateTrace, type StateTrace, type TracedChange } from '../../kernel/state-trace.ts';
import type { RawEvent, WireThreadData } from '../stage/protocol.ts';
import type { createSamplers } from './sampler.ts';
import { createMerge } from './sampler-merge.ts';
import type { Samplers } from './samplers.ts';

export interface Witnesses {
  readonly samplers: Samplers;
  readonly tracing: { readonly on: true } | { readonly on: false; readonly why: string };
}

export function createWitnesses(
  looks: ReturnType<typeof createSamplers>,
  { start, trace: wanted, hosts }: Pick<WireThreadData, 'start' | 'trace' | 'hosts'>,
): Witnesses {
  if (!wanted) {
    return { samplers: looks, tracing: { on: false, why: 'not asked for' } };
  }
  const trace = openStateTrace(start);
  if ('why' in trace) {
    return { samplers: looks, tracing: { on: false, why: trace.why } };
  }
  return { samplers: traced(looks, trace, hosts), tracing: { on: true } };
}

function traced(
  looks: ReturnType<typeof createSamplers>,
  trace: StateTrace,
  hosts: Readonly<Record<string, string>>,
): Samplers {
  /** Those that are switched on. */
  const present = new Set<string>();
  const merge = createMerge((address) => {
    const host = hosts[address];
    return host !== undefined && present.has(host) ? host : null;
  });
  const changes: TracedChange[] = [];
  const seen: RawEvent[] = [];
  let lost = 0;

  /** The look comes first: what the trace says then reaches further. */
  function together(at: number, looked: readonly string[], out: RawEvent[]): void {
    trace.read(changes);
    merge.take(changes, seen, looked, at, out);
    changes.length = 0;
    seen.length = 0;
    const now = trace.lost();
    if (now > lost) {
      const why = 'the kernel traced changes of state faster than they were read';
      out.push({ type: 'lost', at, source: 'states', count: now - lost, why });
      lost = now;
    }
  }

  return {
    ...looks,
    add(sampled) {
      present.add(sampled.host);
      looks.add(sampled);
    },
    remove(host) {
      present.delete(host);
      looks.remove(host);
    },
    sample(host, at, out) {
      together(at, looks.sample(host, at, seen) ? [host] : [], out);
    },
    sampleAll(at, out, force) {
      together(at, looks.sampleAll(at, seen, force), out);
    },
  };
}
