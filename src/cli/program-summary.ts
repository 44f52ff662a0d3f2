/** What came out in the end of traced programs, as lines of text. */
import { duration, several } from '../view/units.ts';
import type { ProgramSummary } from '../watch/syscalls/program-session.ts';

export function summaryLines(summary: ProgramSummary, ending: string): string[] {
  const lines = [ending];
  for (const { name, calls, tookNs, errors } of summary.calls) {
    const failed = [...errors].map(([errno, times]) => `${times}× ${errno}`).join(', ');
    const total = `${name.padEnd(14)} ${several(calls, 'call').padStart(12)}  ${duration(tookNs / 1000).padStart(9)}`;
    lines.push(`  ${total}${failed === '' ? '' : `  ${failed}`}`);
  }
  for (const { id, client, server } of summary.connections.slice(0, MOST_LISTED)) {
    const ends = [client === null ? '' : `client ${client}`, server === null ? '' : `server ${server}`];
    const known = ends.filter((end) => end !== '').join(', ');
    lines.push(`  ${id.replace(/^(\w+)\/\d+\//, '$1 ')}  ${known === '' ? 'state not seen' : known}`);
  }
  if (summary.connections.length > MOST_LISTED) {
    lines.push(`  and ${several(summary.connections.length - MOST_LISTED, 'connection')} more`);
  }
  return lines;
}

const MOST_LISTED = 50;
