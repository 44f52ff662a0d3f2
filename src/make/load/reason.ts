/** Why it ended, found out while its sockets are still there. */
import { errnoMeaning, errnoName } from '../../kernel/errno.ts';
import type { Towards } from '../../kernel/load-sockets.ts';
import { ephemeralPorts } from '../../kernel/port-range.ts';
import type { LoadWhy } from '../../session/load.ts';
import type { Cause } from './desk.ts';

const EMFILE = 'EMFILE';

export interface Evidence {
  readonly towards: Towards | null;
  readonly descriptors: { readonly used: number | null; readonly limit: number | null };
  /** Connects that nobody answered: those on their way, and those given up. */
  readonly hanging: number;
}

/** The cause that says most: with several threads one stops first, and the others are told to. */
export function strongest(causes: readonly Cause[]): Cause {
  const rank = ({ code }: Cause): number =>
    ['errno', 'protocol', 'interrupted', 'time', 'count'].indexOf(code);
  return [...causes].sort((a, b) => rank(a) - rank(b))[0] ?? { code: 'time' };
}

export function whyOf(cause: Cause, { towards, descriptors, hanging }: Evidence): LoadWhy {
  const listener = towards?.listener ?? null;
  // sk_acceptq_is_full: one more than listen(2) asked for fits.
  if (hanging > 0 && listener !== null && listener.used > listener.limit) {
    return { code: 'accept-queue', used: listener.used, limit: listener.limit, hanging };
  }
  if (cause.code !== 'errno') {
    return cause;
  }
  const errno = errnoName(cause.errno);
  switch (errno) {
    case 'EADDRNOTAVAIL': {
      const states = towards?.states ?? new Map<string, number>();
      const timeWait = states.get('TIME_WAIT') ?? 0;
      const established = states.get('ESTABLISHED') ?? 0;
      const all = [...states.values()].reduce((sum, count) => sum + count, 0);
      // Without a socket towards it, it is not the ports: the address itself is none that can be reached from here.
      if (all === 0) {
        break;
      }
      return {
        code: 'ports',
        timeWait,
        established,
        other: all - timeWait - established,
        ...ephemeralPorts(),
      };
    }
    case EMFILE:
    case 'ENFILE':
      return {
        code: 'descriptors',
        errno,
        // Those of the run itself are closed again by now.
        used: (errno === EMFILE ? descriptors.limit : descriptors.used) ?? 0,
        limit: errno === EMFILE ? descriptors.limit : null,
      };
    case 'ECONNREFUSED':
      return { code: 'refused' };
    default:
  }
  return { code: 'errno', errno, meaning: errnoMeaning(cause.errno) };
}
