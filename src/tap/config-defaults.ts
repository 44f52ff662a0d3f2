/** What a tap is when little was said about it: shared by the words of the command line and by configuration files. */
import type { SocketWishes } from '../reactor/reactor.ts';
import type { WrittenPlace } from './place.ts';
import { plainPlace } from './place.ts';
import type { Place, TapPlan, TlsPlan } from './plan.ts';

/** A tap that may listen on a later port when the one in its plan is taken: nobody named that port. */
export interface OrderedTap extends TapPlan {
  readonly searches: boolean;
}

export interface OrderError {
  readonly error: string;
  readonly hint: string;
  /** Which of the two places is to blame. */
  readonly which: 'listen' | 'target';
}

/** What the command line and files wish for: urgent data stays where it was sent, as an ordinary byte. */
export const USUAL_WISHES: SocketWishes = { nodelay: 1, oobinline: 1 };

const ABOVE_TARGET = 10_000;
const DIAL_TIMEOUT = 10e9;
const NOWHERE: Place = { kind: 'tcp', host: '', port: 0, path: '' };

export const NO_TLS: TlsPlan = {
  mode: 'none',
  insecure: false,
  serverName: '',
  certificate: '',
  key: '',
  authority: '',
};

export function defaultPlan(name: string, listen: Place, target: Place): TapPlan {
  return {
    name,
    enabled: true,
    listen,
    target,
    front: 'none',
    proxyIn: false,
    proxyOut: 0,
    tls: NO_TLS,
    decode: 'auto',
    matches: [],
    replacements: [],
    sets: [],
    holds: [],
    faults: [],
    dialTimeout: DIAL_TIMEOUT,
    mirrorsRefusal: listen.kind !== 'udp',
    wishes: {},
  };
}

/** `name`, or `name-2`, `name-3`, … It is taken afterwards. */
export function uniqueName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let n = 2; taken.has(name); n++) {
    name = `${wanted}-${n}`;
  }
  taken.add(name);
  return name;
}

/** 10000 above; what would pass 65535 goes on at 1024, where ports need no privilege. */
export function portFor(target: number): number {
  const port = target + ABOVE_TARGET;
  return port <= 65_535 ? port : port - 65_536 + 1024;
}

/** The port to try after one that is taken, for a tap that searches. */
export function portAfter(port: number): number {
  return port >= 65_535 ? 1024 : port + 1;
}

/** `listen` null: nobody said where. `target` null: the client says where, or nobody did. */
export function orderTap(
  listen: WrittenPlace | null,
  target: WrittenPlace | null,
): { plan: OrderedTap; called: string } | OrderError {
  if (listen !== null && listen.front !== 'none') {
    return target === null ? frontTap(listen) : frontWithTarget(listen);
  }
  if (target === null) {
    return {
      error: 'a tap without a target',
      hint: 'Say where it leads: sockscope tap LISTEN TARGET, or listen on socks5://… or connect://… .',
      which: 'target',
    };
  }
  const pair = agreed(listen, target);
  if ('error' in pair) {
    return pair;
  }
  const plan = defaultPlan('', pair.listen, pair.target);
  const terminate = listen?.tls === true;
  const mode = terminate ? (target.tls ? 'both' : 'terminate') : target.tls ? 'originate' : 'none';
  return {
    plan: { ...plan, tls: { ...NO_TLS, mode }, searches: listen === null && target.kind !== 'unix' },
    called: nameFor(target),
  };
}

function frontTap(listen: WrittenPlace): { plan: OrderedTap; called: string } {
  const plan = defaultPlan('', plainPlace(listen), NOWHERE);
  return {
    plan: { ...plan, front: listen.front, mirrorsRefusal: false, searches: false },
    called: listen.front,
  };
}

function frontWithTarget(listen: WrittenPlace): OrderError {
  return {
    error: `${listen.front}:// has no target`,
    hint: 'The client says where it wants to go: leave the target out.',
    which: 'target',
  };
}

/** A side that was written without a scheme is UDP when the other one is. */
function agreed(
  listen: WrittenPlace | null,
  target: WrittenPlace,
): { listen: Place; target: Place } | OrderError {
  if (listen === null) {
    return { listen: besides(target), target: plainPlace(target) };
  }
  const kind = target.kind === 'udp' || listen.kind === 'udp' ? 'udp' : null;
  const said = [listen, target].some((place) => place.scheme !== '' && place.scheme !== 'udp');
  if (kind !== null && said) {
    return {
      error: 'UDP leads to UDP only, and one of the two is not',
      hint: 'Write udp:// before both, or before neither.',
      which: listen.kind === 'udp' ? 'target' : 'listen',
    };
  }
  const same = (place: Place): Place => (kind === null ? plainPlace(place) : { ...plainPlace(place), kind });
  return { listen: same(listen), target: same(target) };
}

function besides(target: WrittenPlace): Place {
  return target.kind === 'unix'
    ? { ...plainPlace(target), path: `${target.path}.tap` }
    : { kind: target.kind, host: '127.0.0.1', port: portFor(target.port), path: '' };
}

const LONGEST_NAME = 40;

function nameFor(target: WrittenPlace): string {
  if (target.kind !== 'unix') {
    return target.service === '' ? String(target.port) : target.service;
  }
  return target.path.slice(target.path.lastIndexOf('/') + 1).slice(0, LONGEST_NAME);
}
