import { type Headers, PROBLEM } from '../headers.ts';

/** The frame ends before `needed`. On the wire too: then the frame is wrong, not the capture. Always false, for `return cut(…)`. */
export function cut(h: Headers, needed: number): false {
  h.problem = needed > h.from + h.wireLength ? PROBLEM.malformed : PROBLEM.truncated;
  return false;
}
