/** Every fault there is, and its name. Adding one is: its file, its line here. */
import type { Fault } from './fault.ts';
import { acceptDelay } from './faults/accept-delay.ts';
import { bandwidth } from './faults/bandwidth.ts';
import { blackhole } from './faults/blackhole.ts';
import { corrupt } from './faults/corrupt.ts';
import { drop } from './faults/drop.ts';
import { duplicate } from './faults/duplicate.ts';
import { halfClose } from './faults/half-close.ts';
import { latency } from './faults/latency.ts';
import { limitData } from './faults/limit-data.ts';
import { noop } from './faults/noop.ts';
import { packetLoss } from './faults/packet-loss.ts';
import { refuse } from './faults/refuse.ts';
import { reorder } from './faults/reorder.ts';
import { reset } from './faults/reset.ts';
import { slicer } from './faults/slicer.ts';
import { slowClose } from './faults/slow-close.ts';
import { stall } from './faults/stall.ts';
import { timeout } from './faults/timeout.ts';
import { unplug } from './faults/unplug.ts';

export const faults: readonly Fault[] = [
  noop,
  latency,
  bandwidth,
  slicer,
  slowClose,
  timeout,
  blackhole,
  reset,
  limitData,
  refuse,
  acceptDelay,
  halfClose,
  stall,
  unplug,
  corrupt,
  packetLoss,
  drop,
  duplicate,
  reorder,
];

export function faultNamed(name: string): Fault | undefined {
  return faults.find((fault) => fault.name === name);
}
