/** What lies between two hosts: for each ordered pair how long a frame takes, or why it does not arrive. */
import { createRandom } from '../../session/random.ts';
import type { Path } from '../api.ts';
import { percent } from './match.ts';

const MS = 1e6;
/** Entries whose turn has come are cut off once there are so many. */
const STALE = 256;

export interface Paths {
  /** Changes what is given, for one pair, for all from or to a host, or for all. */
  change(path: Path, from?: string, to?: string): void;
  /** When the frame arrives, or why not. Asked in order of `at`, once for each frame. */
  meet(from: string, to: string, at: number, bytes: number, ipLength: number): number | string;
  /** How long the way is for a frame that nothing else happens to. */
  delay(from: string, to: string): number;
}

interface Lane {
  readonly random: { readonly loss: () => number; readonly jitter: () => number };
  path: Path | null;
  /** When the last frame's turn is over. */
  freeAt: number;
  /** Frames that wait, or have waited, for their turn: when it begins, and their bytes. */
  turns: { readonly at: number; readonly bytes: number }[];
  begun: number;
  waiting: number;
  lastArrival: number;
}

export function createPaths(seed: number, start: Path): Paths {
  const changes = new Map<string, Path>([['', start]]);
  const lanes = new Map<string, Lane>();

  const keyOf = (from?: string, to?: string): string =>
    from === undefined && to === undefined ? '' : `${from ?? ''}>${to ?? ''}`;

  function laneOf(from: string, to: string): Lane {
    const key = keyOf(from, to);
    let lane = lanes.get(key);
    if (lane === undefined) {
      lane = {
        random: {
          loss: createRandom(seed, 'loss', from, to),
          jitter: createRandom(seed, 'jitter', from, to),
        },
        path: null,
        freeAt: Number.NEGATIVE_INFINITY,
        turns: [],
        begun: 0,
        waiting: 0,
        lastArrival: Number.NEGATIVE_INFINITY,
      };
      lanes.set(key, lane);
    }
    return lane;
  }

  function pathOf(lane: Lane, from: string, to: string): Path {
    lane.path ??= Object.assign(
      {},
      ...[keyOf(), keyOf(from), keyOf(undefined, to), keyOf(from, to)].map((key) => changes.get(key)),
    ) as Path;
    return lane.path;
  }

  return {
    change(path, from, to) {
      const key = keyOf(from, to);
      const given = Object.entries(path).filter(([, value]) => value !== undefined);
      changes.set(key, { ...changes.get(key), ...Object.fromEntries(given) });
      for (const lane of lanes.values()) {
        lane.path = null;
      }
    },
    meet(from, to, at, bytes, ipLength) {
      const lane = laneOf(from, to);
      const path = pathOf(lane, from, to);
      if (path.mtu !== undefined && ipLength > path.mtu) {
        return `larger than the MTU of ${path.mtu}`;
      }
      const sent =
        path.bitsPerSecond === undefined ? at : takeTurn(lane, path, path.bitsPerSecond, at, bytes);
      if (sent === null) {
        return 'queue full';
      }
      if (path.loss !== undefined && path.loss > 0 && lane.random.loss() < path.loss) {
        return 'lost (random)';
      }
      const jitter =
        path.jitterMs === undefined || path.jitterMs === 0 ? 0 : lane.random.jitter() * path.jitterMs;
      lane.lastArrival = Math.max(lane.lastArrival, sent + ((path.delayMs ?? 0) + jitter) * MS);
      return lane.lastArrival;
    },
    delay: (from, to) => (pathOf(laneOf(from, to), from, to).delayMs ?? 0) * MS,
  };
}

/** When the last bit of it has been sent; null: no room to wait. */
function takeTurn(lane: Lane, { queueBytes }: Path, rate: number, at: number, bytes: number): number | null {
  const { turns } = lane;
  while (lane.begun < turns.length && turns[lane.begun]!.at <= at) {
    lane.waiting -= turns[lane.begun]!.bytes;
    lane.begun++;
  }
  if (lane.begun > STALE) {
    turns.splice(0, lane.begun);
    lane.begun = 0;
  }
  const turn = Math.max(at, lane.freeAt);
  if (turn > at) {
    if (queueBytes !== undefined && lane.waiting + bytes > queueBytes) {
      return null;
    }
    turns.push({ at: turn, bytes });
    lane.waiting += bytes;
  }
  lane.freeAt = turn + (bytes * 8e9) / rate;
  return lane.freeAt;
}

const LIMITS: readonly (readonly [name: keyof Path, least: number, most: number])[] = [
  ['delayMs', 0, 3_600_000],
  ['jitterMs', 0, 3_600_000],
  ['bitsPerSecond', 1, Number.POSITIVE_INFINITY],
  ['queueBytes', 0, Number.POSITIVE_INFINITY],
  ['mtu', 1, Number.POSITIVE_INFINITY],
  ['loss', 0, 1],
];

/** Why there is no such path, or null. */
export function pathFault(path: Path): string | null {
  for (const [name, least, most] of LIMITS) {
    const value = path[name];
    if (value !== undefined && !(typeof value === 'number' && value >= least && value <= most)) {
      const range = most === Number.POSITIVE_INFINITY ? `at least ${least}` : `from ${least} to ${most}`;
      return `${name} is a number ${range}, not ${String(value)}`;
    }
  }
  return null;
}

/** `delay 50 ms, loss 5 %`; `nothing in the way` when there is nothing. */
export function describePath(path: Path): string {
  const { delayMs, jitterMs, bitsPerSecond, queueBytes, mtu, loss } = path;
  const parts = [
    delayMs === undefined ? '' : `delay ${delayMs} ms`,
    jitterMs === undefined ? '' : `jitter up to ${jitterMs} ms`,
    bitsPerSecond === undefined ? '' : rateText(bitsPerSecond),
    queueBytes === undefined ? '' : `a queue of ${queueBytes} bytes`,
    mtu === undefined ? '' : `an MTU of ${mtu}`,
    loss === undefined ? '' : `loss ${percent(loss)}`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'nothing in the way' : parts.join(', ');
}

function rateText(bits: number): string {
  if (bits === Number.POSITIVE_INFINITY) {
    return 'any speed';
  }
  return bits >= 1e6 ? `${bits / 1e6} Mbit/s` : bits >= 1e3 ? `${bits / 1e3} kbit/s` : `${bits} bit/s`;
}
