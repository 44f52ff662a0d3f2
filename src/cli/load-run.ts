/** What `sockscope load` does. */
import { join } from 'node:path';
import type * as Inside from '../make/load/inside.ts';
import type { LoadKind } from '../make/load/kind.ts';
import type { LoadPlan } from '../make/load/plan.ts';
import { type LoadRun, startLoad } from '../make/load/run.ts';
import type { LoadResult, LoadSecond } from '../session/load.ts';
import { loadComparison } from '../view/make/load-compare.ts';
import { loadLine, loadLive } from '../view/make/load-live.ts';
import { loadSummary } from '../view/make/load-summary.ts';
import { several } from '../view/units.ts';
import { type LoadFlags, readKind, readPlan } from './load-flags.ts';
import { allowed, OWN, readTarget } from './load-target.ts';
import { optionLines, optionsAsMade } from './options-made.ts';
import { isTerminal, paint, print, width } from './output.ts';

/** Of a shell whose program was ended by SIGINT. */
const INTERRUPTED = 130;
const FAILED = 1;
/** What is left of the last second is no line of its own when it is hardly anything. */
const SHORTEST_LINE = 0.05;

/** `entry`: the built file of load-worker.ts. */
export async function load(
  name: string,
  typed: string | undefined,
  flags: LoadFlags,
  entry: string = join(__dirname, 'load-worker.js'),
): Promise<void> {
  const kind = readKind(name);
  const own = kind.manner === 'open-close' && flags.really !== true;
  const target = own && typed === undefined ? OWN : await readTarget(kind, typed);
  if (!own) {
    allowed(kind, target, flags);
  }
  const plan = readPlan(kind, target, flags);
  // It starts processes, which the other kinds need not load.
  const inside = own ? await import('../make/load/inside.ts') : null;
  if (inside?.isInside() === false) {
    process.exitCode = await inside.goInside();
    return;
  }
  if (inside === null) {
    await run(kind, plan, flags, entry);
  } else {
    await runInside(inside, kind, plan, flags, entry);
  }
}

function run(kind: LoadKind, plan: LoadPlan, flags: LoadFlags, entry: string): Promise<void> {
  if (flags.json !== true) {
    for (const line of optionLines(optionsAsMade(plan.sockopt, plan.target.kind))) {
      print(`${paint.dim(line)}\n`);
    }
  }
  return flags.compare === true ? compare(plan, flags, entry) : once(kind, plan, flags, entry);
}

async function runInside(
  { openOwnNetwork, OWN_PORTS }: typeof Inside,
  kind: LoadKind,
  plan: LoadPlan,
  flags: LoadFlags,
  entry: string,
): Promise<void> {
  const address = { kind: 'tcp', host: '127.0.0.1', port: portOf(plan) } as const;
  const network = await openOwnNetwork(entry, { listen: address, closeBy: plan.closeBy });
  try {
    if (flags.json !== true) {
      const ports = several(OWN_PORTS.to - OWN_PORTS.from + 1, 'local port');
      print(
        `${paint.dim(`in a network namespace of its own with ${ports}; TIME_WAIT lasts as towards another machine`)}\n`,
      );
    }
    await run(kind, { ...plan, target: address, shown: `127.0.0.1:${address.port}` }, flags, entry);
  } finally {
    await network.close();
  }
}

function portOf({ target }: LoadPlan): number {
  return target.kind === 'unix' ? 0 : target.port;
}

async function once(kind: LoadKind, plan: LoadPlan, flags: LoadFlags, entry: string): Promise<void> {
  const result = await measured(plan, flags, entry);
  show(result, flags);
  // The port bomb is meant to go off.
  const meant = kind.manner === 'open-close' && result.why.code === 'ports';
  if (!meant && !isFine(result)) {
    process.exitCode = FAILED;
  }
}

function show(result: LoadResult, { json, latency = false }: LoadFlags): void {
  if (json === true) {
    printJson({ type: 'result', ...result });
  } else {
    print(`${loadSummary(result, paint, latency).join('\n')}\n`);
  }
}

/** Errors on the way are figures; a run that ended before its time, or in which nothing was answered, is none. */
function isFine({ why, requests }: LoadResult): boolean {
  return requests > 0 && (why.code === 'time' || why.code === 'count' || why.code === 'interrupted');
}

async function compare(plan: LoadPlan, flags: LoadFlags, entry: string): Promise<void> {
  const pooled = await measured(withKeepAlive(plan, true), flags, entry);
  if (pooled.why.code === 'interrupted') {
    show(pooled, flags);
    process.exitCode = INTERRUPTED;
    return;
  }
  const unpooled = await measured(withKeepAlive(plan, false), flags, entry);
  if (flags.json === true) {
    printJson({ type: 'result', ...pooled });
    printJson({ type: 'result', ...unpooled });
  } else {
    print(`${loadComparison(pooled, unpooled, paint).join('\n')}\n`);
  }
  if (!isFine(pooled) || !isFine(unpooled)) {
    process.exitCode = FAILED;
  }
}

function withKeepAlive(plan: LoadPlan, keepAlive: boolean): LoadPlan {
  return { ...plan, wishes: { ...plan.wishes, keepAlive } };
}

async function measured(plan: LoadPlan, { json, live }: LoadFlags, entry: string): Promise<LoadResult> {
  const seconds: LoadSecond[] = [];
  let drawn = 0;
  const erase = (): void => {
    if (drawn > 0) {
      print(`\x1b[${drawn}A\x1b[J`);
      drawn = 0;
    }
  };
  const going = startLoad(plan, {
    entry,
    onSecond(second) {
      if (json === true) {
        printJson({ type: 'second', ...second });
      } else if (!live || second.lasted < SHORTEST_LINE) {
        return;
      } else if (isTerminal()) {
        seconds.push(second);
        erase();
        const lines = loadLive(seconds, width(), paint);
        print(`${lines.join('\n')}\n`);
        drawn = lines.length;
      } else {
        print(`${loadLine(second)}\n`);
      }
    },
  });
  const release = stopOnSignal(going);
  try {
    return await going.result;
  } finally {
    release();
    erase();
  }
}

function stopOnSignal(going: LoadRun): () => void {
  let asked = false;
  const interrupt = (): void => {
    if (asked) {
      process.exit(INTERRUPTED);
    }
    asked = true;
    going.stop();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return () => {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  };
}

function printJson(value: object): void {
  print(`${JSON.stringify({ v: 1, ...value })}\n`);
}
