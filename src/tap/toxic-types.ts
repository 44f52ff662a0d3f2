/**
 * Toxiproxy's names and units for faults that are ours too. Each stands for the fault under that name; what the fault can do
 * beyond its twin is asked for with our attributes beside theirs.
 */
import type { Attribute, Fault } from './fault.ts';

export interface TwinAttribute {
  readonly theirs: string;
  readonly ours: string;
  /** Ours is theirs times this. */
  readonly times: number;
  /** Toxiproxy keeps whole numbers here, except in shares (0 to 1). */
  readonly kind: 'whole' | 'share';
}

export interface ToxicType {
  /** As clients write it. */
  readonly name: string;
  readonly fault: Fault;
  readonly twins: readonly TwinAttribute[];
  /** Attributes under our own names. */
  readonly own: readonly Attribute[];
}

interface Twin {
  readonly type: string;
  readonly fault: string;
  readonly attributes: readonly TwinAttribute[];
}

function whole(theirs: string, ours: string, times = 1): TwinAttribute {
  return { theirs, ours, times, kind: 'whole' };
}

function share(theirs: string, ours: string): TwinAttribute {
  return { theirs, ours, times: 1, kind: 'share' };
}

/** In the order in which Toxiproxy answers them. Its KB are 1000 bytes. */
const TWINS: readonly Twin[] = [
  { type: 'noop', fault: 'noop', attributes: [] },
  {
    type: 'latency',
    fault: 'latency',
    attributes: [whole('latency', 'delayMs'), whole('jitter', 'jitterMs')],
  },
  { type: 'bandwidth', fault: 'bandwidth', attributes: [whole('rate', 'rateBytes', 1000)] },
  { type: 'slow_close', fault: 'slow-close', attributes: [whole('delay', 'delayMs')] },
  { type: 'timeout', fault: 'timeout', attributes: [whole('timeout', 'timeoutMs')] },
  { type: 'reset_peer', fault: 'reset', attributes: [whole('timeout', 'afterMs')] },
  {
    type: 'slicer',
    fault: 'slicer',
    attributes: [
      whole('average_size', 'averageSize'),
      whole('size_variation', 'sizeVariation'),
      whole('delay', 'delayUs'),
    ],
  },
  { type: 'limit_data', fault: 'limit-data', attributes: [whole('bytes', 'bytes')] },
  {
    type: 'packet_loss',
    fault: 'packet-loss',
    attributes: [share('loss_rate', 'share'), share('correlation', 'correlation')],
  },
];

export interface ToxicTypes {
  /** By Toxiproxy's name or ours. */
  find(name: string): ToxicType | undefined;
  /** What clients call this fault. */
  of(fault: string): ToxicType | undefined;
}

export function toxicTypes(faults: readonly Fault[]): ToxicTypes {
  const byFault = new Map<string, ToxicType>();
  const byName = new Map<string, ToxicType>();
  for (const fault of faults) {
    const twin = TWINS.find((one) => one.fault === fault.name);
    const twins = twin?.attributes ?? [];
    const own = fault.attributes.filter(({ name }) => !twins.some(({ ours }) => ours === name));
    const type = { name: twin?.type ?? fault.name, fault, twins, own };
    byFault.set(fault.name, type);
    byName.set(fault.name, type);
    byName.set(type.name, type);
  }
  return {
    find: (name) => byName.get(name),
    of: (fault) => byFault.get(fault),
  };
}
