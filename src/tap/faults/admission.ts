import type { Admission } from '../fault.ts';

/** Nothing is in the way of the connection. */
export const GO_ON: Admission = { delay: 0, outcome: 'go on' };
