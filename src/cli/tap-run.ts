/** `tap` from its options to its summary: makes the taps, shows what they tell, ends them in order. */
import { join } from 'node:path';
import { SockscopeError } from '../errors.ts';
import { loadConfig } from '../tap/config.ts';
import type { OrderedTap } from '../tap/config-defaults.ts';
import type { TapState } from '../tap/control.ts';
import type { Wants } from '../tap/engine.ts';
import { HELD_MAX } from '../tap/mover.ts';
import type { Observation } from '../tap/observation.ts';
import { placeText } from '../tap/place.ts';
import { REWRITE_WINDOW } from '../tap/rewrite.ts';
import { startTaps, type Taps } from '../tap/taps.ts';
import { authorityPath, openAuthority } from '../tap/tls/ca.ts';
import { caStory } from '../tap/tls/ca-story.ts';
import { addressText } from '../tap/to-events.ts';
import { tapSummary, totalsOf } from '../view/tap/summary.ts';
import { bytes } from '../view/units.ts';
import { startSession } from '../watch/session.ts';
import { paint, print, warn } from './output.ts';
import { startApi } from './tap-api.ts';
import { checkHolds, type Face, openFace } from './tap-face.ts';
import { type Common, commonOf, plansOf, seedOf, type TapFlags } from './tap-flags.ts';
import { type LiveLine, liveLine } from './tap-live.ts';
import { createOutput } from './tap-output.ts';
import { type Leading, leadProgram } from './tap-program.ts';
import { reloadOnHangup } from './tap-reload.ts';

export async function runTap(words: readonly string[], flags: TapFlags): Promise<void> {
  if (flags.ca === true) {
    await openAuthority();
    print(`${caStory(authorityPath()).join('\n')}\n`);
    return;
  }
  const command = afterDashes();
  const ordered = command === null ? words : words.slice(0, words.length - command.length);
  const config = flags.config === undefined ? null : await loadConfig(flags.config);
  if (config instanceof SockscopeError) {
    throw config;
  }
  const seed = flags.seed === undefined && config?.seed != null ? config.seed : seedOf(flags);
  const nothingSaid = ordered.length === 0 && flags.listen === undefined && flags.remote === undefined;
  // With a configuration, a program or the control API there may be no words at all.
  const mayBeEmpty = config !== null || command !== null || flags.api !== undefined;
  const plans = [...(nothingSaid && mayBeEmpty ? [] : plansOf(ordered, flags)), ...(config?.taps ?? [])];
  const holds = plans.some((plan) => plan.holds.length > 0);
  checkHolds(holds, flags, command !== null);
  const session = startSession();
  let face: Face | null = null;
  let live: LiveLine | null = null;
  let leading: Leading | null = null;
  const output = createOutput(flags, session, {
    several: plans.length > 1 || command !== null,
    // What a program prints is its own: our lines go beside it.
    beside: command !== null,
    whoAt: (client) => leading?.whoAt(client) ?? '',
    clear: () => live?.clear(),
  });
  const wants: Wants = output.wants();
  const taps = await startTaps({
    entry: process.platform === 'linux' ? join(__dirname, 'tap-worker.js') : null,
    tell(seen: Observation) {
      leading?.seen(seen);
      output.record(seen);
      if (face?.seen(seen) !== true) {
        output.show(seen);
      }
    },
    wants,
    patient: output.patient,
    seed,
    zero: monotonic() - session.clock.now(),
  });
  if (command === null) {
    face = openFace({
      flags,
      taps,
      look: output.look,
      wants: output.wants,
      holds,
      now: () => session.clock.now(),
      async statistics() {
        const { taps: states, commands } = await taps.report();
        return tapSummary(totalsOf(states), commands, session.clock.now() / 1e9, output.colour);
      },
      write(text) {
        live?.clear();
        output.say(text);
      },
    });
  }
  // Before anything is printed: who reads that it listens may end it at once.
  const stopped = command === null ? untilStopped(face) : null;
  const api = await begin(taps, plans, flags, config?.api ?? null, seed);
  if (flags.json !== true) {
    tellBounds(command === null ? plans : [...plans, commonOf(flags)], seed);
  }
  const stopReloading = flags.config === undefined ? null : reloadOnHangup(taps, flags.config, plans);
  // Two lines at the bottom of one terminal are one too many.
  if (flags.quiet === true && process.stderr.isTTY === true && command === null && !holds) {
    live = liveLine(taps);
  }
  let done = false;
  try {
    face?.start();
    await stopped;
    if (command !== null) {
      leading = leadProgram(taps, commonOf(flags), warn);
      const { code } = await leading.run(command);
      process.exitCode = code;
    }
    done = true;
  } finally {
    face?.close();
    live?.close();
    stopReloading?.();
    await api?.close();
    const { taps: last, commands } = await taps.end();
    output.finish();
    if (flags.json !== true && done) {
      output.say(tapSummary(totalsOf(last), commands, session.clock.now() / 1e9, output.colour));
    }
  }
}

/** What is kept back, and what repeats the run. */
function tellBounds(
  plans: readonly Pick<Common, 'faults' | 'replacements' | 'sets' | 'holds'>[],
  seed: number,
): void {
  if (plans.some(({ faults }) => faults.length > 0)) {
    warn(paint.dim(`seed ${seed} (--seed ${seed} repeats the random choices)`));
  }
  if (plans.some(({ replacements }) => replacements.length > 0)) {
    warn(paint.dim(`--replace finds matches of up to ${bytes(REWRITE_WINDOW)}, across chunks`));
  }
  if (plans.some(({ faults, sets, holds }) => faults.length + sets.length + holds.length > 0)) {
    warn(
      paint.dim(`at most ${bytes(HELD_MAX)} wait in each direction of a connection; then its sender waits`),
    );
  }
}

/** The words behind `--`; null without them. */
function afterDashes(): readonly string[] | null {
  const at = process.argv.indexOf('--');
  const rest = at < 0 ? [] : process.argv.slice(at + 1);
  return rest.length === 0 ? null : rest;
}

async function begin(
  taps: Taps,
  plans: readonly OrderedTap[],
  flags: TapFlags,
  place: Parameters<typeof startApi>[2],
  seed: number,
): Promise<Awaited<ReturnType<typeof startApi>>> {
  try {
    for (const plan of plans) {
      announce(await made(taps, plan), flags);
    }
    return await startApi(taps, flags, place, seed);
  } catch (error) {
    await taps.end();
    throw error;
  }
}

function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e9 + nanoseconds;
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
  53: (port) => `dig @127.0.0.1 -p ${port} localhost`,
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
  const tries = address.kind === 'unix' ? undefined : TRIES[plan.target.port];
  const example =
    tries === undefined || address.kind === 'unix' ? '' : paint.dim(`   try: ${tries(address.port)}`);
  print(`${paint.bold(addressText(address))} → ${leads}${example}\n`);
}

const ONE_WISH_MS = 200;

function untilStopped(face: Face | null): Promise<void> {
  return new Promise((resolve) => {
    let stopping = false;
    let since = 0;
    const stop = (signal: NodeJS.Signals): void => {
      // Ctrl-C in an editor reaches all of the terminal's programs.
      if (signal === 'SIGINT' && face?.away === true) {
        return;
      }
      if (stopping) {
        // timeout(1) signals its child and then its group: one wish, told twice.
        if (performance.now() - since > ONE_WISH_MS) {
          process.exit(signal === 'SIGINT' ? 130 : 143);
        }
        return;
      }
      since = performance.now();
      stopping = true;
      resolve();
    };
    process.on('SIGINT', stop).on('SIGTERM', stop);
    void face?.ended.then(resolve);
  });
}
