/** Everything that can run out, nearest to its end first. Pure: the figures come from outside (limits-read.ts). */
import type { Figures, Limit, LimitsReport, Scope } from './limit.ts';
import { leaksOf } from './limits-leaks.ts';
import { machineWide } from './limits-machine.ts';
import { processFiles } from './limits-processes.ts';
import { perSocket } from './limits-sockets.ts';

export function limitsOf(figures: Figures, scope: Scope = {}): LimitsReport {
  const limits = [
    ...processFiles(figures),
    ...perSocket(figures.sockets, figures.machine, scope),
    ...machineWide(figures.machine),
  ];
  return { limits: limits.sort(byNearness), leaks: leaksOf(figures.sockets, scope), notes: [] };
}

/** Fullest first; unknown ones last, and otherwise in a stable order. */
function byNearness(a: Limit, b: Limit): number {
  return (b.fraction ?? -1) - (a.fraction ?? -1) || (b.used ?? 0) - (a.used ?? 0) || (a.id < b.id ? -1 : 1);
}
