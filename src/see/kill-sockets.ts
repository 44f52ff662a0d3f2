/** Destroys sockets and lets their programs live (SOCK_DESTROY): one connection by its two ends, or all that a filter matches. */
import { SockscopeError } from '../errors.ts';
import { destroySocket } from '../kernel/destroy.ts';
import type { Protocol, Socket } from '../session/socket.ts';
import { evaluate, filterError, parseFilter } from './filter/index.ts';
import { type ConnectionPlan, type DoomedSocket, planConnections } from './kill-connections.ts';
import { matchesPlace, parsePlace } from './kill-targets.ts';
import { readSockets } from './sockets.ts';

export interface KillSocketsOptions {
  /** The two ends, as `127.0.0.1:40000` or `:8080`. */
  connection?: readonly [from: string, to: string];
  /** Any filter of `ls`. */
  filter?: string;
  /** Sockets that listen, too. */
  listeners?: boolean;
  dryRun?: boolean;
  /** Which of them to take; default all. Called before anything is destroyed. */
  choose?: (plan: ConnectionPlan) => Promise<readonly DoomedSocket[]>;
}

export type SocketOutcome =
  | 'destroyed'
  | 'gone before'
  | 'not permitted'
  | 'failed'
  | 'left alone'
  | 'would be destroyed';

export interface SocketResult extends DoomedSocket {
  outcome: SocketOutcome;
  reason: string | null;
}

export interface KillSocketsReport {
  plan: ConnectionPlan;
  results: SocketResult[];
  /** One sentence when nothing matched. */
  missed: string | null;
  exit: 0 | 1 | 3;
}

const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp', 'udplite', 'unix'];
const EPERM = 1;
const ENOENT = 2;
const EOPNOTSUPP = 95;

export async function killSockets(options: KillSocketsOptions): Promise<KillSocketsReport> {
  const { wanted, preferred, words } = wish(options);
  const { sockets } = readSockets({ protocols: PROTOCOLS, owners: 'always' });
  const found = sockets.filter(wanted);
  const matching = [...found.filter(preferred), ...found.filter((s) => !preferred(s))];
  const plan = planConnections(matching, sockets, options);
  if (plan.doomed.length === 0) {
    return { plan, results: [], missed: `no connection matches ${words}`, exit: 1 };
  }
  if (options.dryRun) {
    const results = plan.doomed.map((one) => ({
      ...one,
      outcome: 'would be destroyed' as const,
      reason: null,
    }));
    return { plan, results, missed: null, exit: 0 };
  }
  const chosen = await (options.choose?.(plan) ?? plan.doomed);
  const results = plan.doomed.map((one) =>
    chosen.includes(one) ? destroyOne(one) : { ...one, outcome: 'left alone' as const, reason: null },
  );
  const denied = results.some(({ outcome }) => outcome === 'not permitted');
  const failed = results.some(({ outcome }) => outcome === 'failed' || outcome === 'left alone');
  return { plan, results, missed: null, exit: denied ? 3 : failed ? 1 : 0 };
}

interface Wish {
  wanted: (socket: Socket) => boolean;
  /** Of two ends on this machine, the one to destroy. */
  preferred: (socket: Socket) => boolean;
  words: string;
}

function wish(options: KillSocketsOptions): Wish {
  if (options.connection !== undefined) {
    const [from, to] = options.connection;
    const [a, b] = [parsePlace(from), parsePlace(to)];
    const joins = (s: Socket): boolean => matchesPlace(a, s.local) && matchesPlace(b, s.peer);
    const mirrored = (s: Socket): boolean => matchesPlace(a, s.peer) && matchesPlace(b, s.local);
    return {
      wanted: (s) => s.protocol !== 'unix' && (joins(s) || mirrored(s)),
      preferred: joins,
      words: `${from} → ${to}`,
    };
  }
  const parsed = parseFilter(options.filter ?? '');
  if (!parsed.ok) {
    throw filterError(parsed);
  }
  if (parsed.filter === null) {
    throw new SockscopeError(
      'NO_FILTER',
      'No filter says which connections to destroy.',
      'Write one, such as `--connections :8080` or `--connections state close-wait`.',
      2,
    );
  }
  return { wanted: evaluate(parsed.filter), preferred: () => true, words: options.filter ?? '' };
}

function destroyOne(one: DoomedSocket): SocketResult {
  const { protocol, family, local, peer, cookie, device } = one.socket;
  if ((family !== 4 && family !== 6) || protocol === 'unix' || protocol === 'raw') {
    return { ...one, outcome: 'failed', reason: 'the kernel destroys only TCP and UDP sockets' };
  }
  const error = -destroySocket({
    family,
    protocol,
    local,
    peer,
    cookie,
    ...(device === undefined ? {} : { device }),
  });
  switch (error) {
    case 0:
      return { ...one, outcome: 'destroyed', reason: null };
    case ENOENT:
      return { ...one, outcome: 'gone before', reason: 'it ended by itself' };
    case EPERM:
      return {
        ...one,
        outcome: 'not permitted',
        reason: 'destroying sockets needs CAP_NET_ADMIN in their network namespace: run as root',
      };
    case EOPNOTSUPP:
      return {
        ...one,
        outcome: 'not permitted',
        reason: 'this kernel was built without CONFIG_INET_DIAG_DESTROY',
      };
    default:
      return { ...one, outcome: 'failed', reason: `the kernel answered errno ${error}` };
  }
}
