/** `tap` from its options to its summary: makes the taps, shows what they tell, ends them in order. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { SockscopeError } from '../errors.ts';
import { encode } from '../session/ndjson.ts';
import type { OrderedTap } from '../tap/config-defaults.ts';
import type { TapState } from '../tap/control.ts';
import type { Wants } from '../tap/engine.ts';
import { errnoText } from '../tap/errno-text.ts';
import type { Observation } from '../tap/observation.ts';
import { placeText } from '../tap/place.ts';
import { startTaps, type Taps } from '../tap/taps.ts';
import { addressText, tapEvents } from '../tap/to-events.ts';
import { painter } from '../view/colour.ts';
import { tapSummary } from '../view/tap/summary.ts';
import { wallClock } from '../view/wire/wall-clock.ts';
import { startSession } from '../watch/session.ts';
import { isTerminal, paint, print, warn, width } from './output.ts';
import { plansOf, seedOf, type TapFlags } from './tap-flags.ts';
import { type LiveLine, liveLine } from './tap-live.ts';
import { createShower, type Shower } from './tap-show.ts';

export async function runTap(words: readonly string[], flags: TapFlags): Promise<void> {
  const seed = seedOf(flags);
  const plans = plansOf(words, flags);
  const { clock, netns, seconds, nanoseconds } = startSession();
  const colour = flags.color === true ? painter(true) : paint;
  const hex = flags.hex === true;
  const verbose = Math.min(2, flags.verbose) as 0 | 1 | 2;
  const wants: Wants = {
    connections: flags.quiet !== true,
    messages: flags.quiet !== true && flags.bytes !== true,
    bytes: flags.quiet !== true && (flags.bytes === true || hex || verbose === 2),
    reveal: flags.reveal === true,
    brief: verbose === 0 && flags.json !== true,
  };
  const options = {
    paint: colour,
    clock: wallClock(seconds, nanoseconds),
    width: isTerminal() ? width() : null,
    verbose,
    layer: flags.bytes === true ? ('bytes' as const) : ('messages' as const),
    hex,
    several: plans.length > 1,
    errnoText,
  };
  const shower: Shower = createShower(options);
  const events = tapEvents(netns);
  const show = (seen: Observation): void => {
    if (flags.json === true) {
      const line = events.line(seen);
      if (line !== null) {
        print(`${line}\n`);
      }
    } else if (flags.quiet !== true || seen.type === 'standing' || seen.type === 'lost') {
      const line = shower.line(seen);
      if (line !== '') {
        live?.clear();
        print(line);
      }
    }
  };
  let live: LiveLine | null = null;
  if (flags.json === true) {
    print(
      `${encode({
        v: 1,
        type: 'session',
        startedAt: clock.startedAt,
        host: hostname(),
        clock: { source: 'monotonic', uncertaintyNs: clock.uncertaintyNs },
      })}\n`,
    );
  }
  const taps = await startTaps({
    entry: process.platform === 'linux' ? join(__dirname, 'tap-worker.js') : null,
    tell: show,
    wants,
    patient: false,
    seed,
  });
  try {
    for (const plan of plans) {
      announce(await made(taps, plan), flags);
    }
  } catch (error) {
    await taps.end();
    throw error;
  }
  if (flags.json !== true && plans.some(({ faults }) => faults.length > 0)) {
    warn(paint.dim(`seed ${seed} (--seed ${seed} repeats the random choices)`));
  }
  if (flags.quiet === true && process.stderr.isTTY === true) {
    live = liveLine(taps);
  }
  await untilStopped();
  live?.close();
  const { taps: last, commands } = await taps.end();
  if (flags.json !== true) {
    const totals = last.reduce(
      (sum, one) => ({
        connections: sum.connections + one.connections,
        opened: sum.opened + one.opened,
        fromClient: sum.fromClient + one.fromClient,
        fromServer: sum.fromServer + one.fromServer,
      }),
      { connections: 0, opened: 0, fromClient: 0, fromServer: 0 },
    );
    print(tapSummary(totals, commands, clock.now() / 1e9, colour));
  }
}

async function made(taps: Taps, plan: OrderedTap): Promise<TapState> {
  const { searches, ...rest } = plan;
  const state = searches ? await taps.createFree(rest) : await taps.create(rest);
  if (state instanceof SockscopeError) {
    throw state;
  }
  return state;
}

/** What to type next, for what is behind the tap. */
const TRIES: Readonly<Record<number, (port: number) => string>> = {
  80: (port) => `curl http://127.0.0.1:${port}/`,
  3306: (port) => `mariadb -h 127.0.0.1 -P ${port}`,
  5432: (port) => `psql -h 127.0.0.1 -p ${port}`,
  6379: (port) => `redis-cli -p ${port}`,
  8080: (port) => `curl http://127.0.0.1:${port}/`,
};

function announce({ plan, address }: TapState, flags: TapFlags): void {
  if (flags.json === true || address === null) {
    return;
  }
  const leads = plan.front === 'none' ? placeText(plan.target) : `wherever the client says (${plan.front})`;
  const tries = address.kind === 'tcp' ? TRIES[plan.target.port] : undefined;
  const example =
    tries === undefined || address.kind === 'unix' ? '' : paint.dim(`   try: ${tries(address.port)}`);
  print(`${paint.bold(addressText(address))} → ${leads}${example}\n`);
}

function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (signal: NodeJS.Signals): void => {
      if (stopping) {
        process.exit(signal === 'SIGINT' ? 130 : 143);
      }
      stopping = true;
      resolve();
    };
    process.on('SIGINT', stop).on('SIGTERM', stop);
    // Nothing else keeps the main thread: the bytes are moved elsewhere.
  });
}
