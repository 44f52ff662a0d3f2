import type { Painter } from './colour.ts';

/** Green listens, plain talks, yellow is on its way out, red is somebody's forgotten close. */
export function stateColour(paint: Painter, state: string): string {
  switch (state) {
    case 'LISTEN':
      return paint.green(state);
    case 'CLOSE-WAIT':
      return paint.red(state);
    case 'SYN-SENT':
    case 'SYN-RECV':
      return paint.cyan(state);
    case 'FIN-WAIT-1':
    case 'FIN-WAIT-2':
    case 'CLOSING':
    case 'LAST-ACK':
      return paint.yellow(state);
    case 'TIME-WAIT':
    case 'UNCONN':
      return paint.dim(state);
    default:
      return state;
  }
}
