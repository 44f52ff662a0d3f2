/** tcpdump's words run on the frames of a file: compiled once for each link type in it. */
import { filterLookups } from '../watch/lookups.ts';
import { compileFilter } from '../wire/filter.ts';
import { type Loaded, loadProgram, runFilter } from '../wire/filter-run.ts';

export function captureFilterFor(
  words: string,
): (linkType: number, bytes: Uint8Array, from: number, to: number, wireLength: number) => boolean {
  const programs = new Map<number, Loaded | null>();
  return (linkType, bytes, from, to, wireLength) => {
    let loaded = programs.get(linkType);
    if (loaded === undefined) {
      const compiled = compileFilter(words, { linkType, lookups: filterLookups });
      loaded = 'program' in compiled ? loadProgram(compiled.program) : null;
      programs.set(linkType, loaded);
    }
    return loaded !== null && runFilter(loaded, bytes, from, to, wireLength);
  };
}
