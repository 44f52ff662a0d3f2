/** A run: its threads, its seconds, and what is found at its end, before a socket is closed. */
import { closeSync, openSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { SockscopeError } from '../../errors.ts';
import { errnoName } from '../../kernel/errno.ts';
import * as libc from '../../kernel/libc.ts';
import { processDescriptors } from '../../kernel/limits.ts';
import { ownProcess } from '../../kernel/load-cpu.ts';
import { socketsTowards } from '../../kernel/load-sockets.ts';
import type { LoadResult, LoadSecond } from '../../session/load.ts';
import type { SecondOver } from './engine.ts';
import { badAnswersOf, countsOf, latencyOf, medianOf } from './figures.ts';
import { histogram, merge } from './histogram.ts';
import { kindNamed } from './kinds.ts';
import { type LoadPlan, sharesOf } from './plan.ts';
import { strongest, whyOf } from './reason.ts';
import { add, tally } from './tally.ts';
import type { FromLoadThread, LoadThreadStart, ToLoadThread } from './thread.ts';

const WHOLE_SECOND = 0.99;
/** Kept open, so that what is to be found out at the end has descriptors even when the load took all others. */
const RESERVE = 8;

type StoppedThread = Extract<FromLoadThread, { type: 'stopped' }>;

export interface LoadRun {
  /** What was found, once everything is closed. */
  readonly result: Promise<LoadResult>;
  /** Ends it before its time. */
  stop(): void;
}

export interface LoadHouse {
  /** The built file that calls `runLoadThread`. */
  readonly entry: string;
  readonly onSecond: (second: LoadSecond) => void;
}

export function startLoad(plan: LoadPlan, house: LoadHouse): LoadRun {
  const shares = sharesOf(plan);
  const memoryBefore = ownProcess().memory;
  const reserve = Array.from({ length: RESERVE }, () => openSync('/dev/null', 'r'));
  const total = tally();
  const latencies = histogram();
  const seconds: LoadSecond[] = [];
  const parts: SecondOver[][] = [];
  const stopped: StoppedThread[] = [];
  const wakes = shares.map(() => -1);
  let stopping = false;
  let finished: (result: LoadResult) => void;
  let broke: (error: unknown) => void;
  const result = new Promise<LoadResult>((resolve, reject) => {
    finished = resolve;
    broke = reject;
  });

  const threads = shares.map((share) => {
    const workerData: LoadThreadStart = { plan, share };
    return new Worker(house.entry, { workerData });
  });
  const one = new Uint8Array(new BigUint64Array([1n]).buffer);

  function tellAll(order: ToLoadThread): void {
    threads.forEach((thread, index) => {
      thread.postMessage(order);
      if (wakes[index]! >= 0) {
        libc.write(wakes[index]!, one, one.length);
      }
    });
  }

  function stop(): void {
    if (!stopping) {
      stopping = true;
      tellAll('stop');
    }
  }

  /** A thread that waits in the kernel would keep the process from leaving. */
  const leave = (): void => tellAll('close');
  process.once('exit', leave);

  function secondCame(over: SecondOver): void {
    add(total, over.counted);
    merge(latencies, over.counted.latencies);
    const of = parts[over.second] ?? [];
    parts[over.second] = of;
    of.push(over);
    if (of.length === threads.length) {
      tellSecond(over.second);
    }
  }

  function tellSecond(number: number): void {
    const of = parts[number]!;
    const together = histogram();
    for (const { counted } of of) {
      merge(together, counted.latencies);
    }
    const sum = (field: (one: SecondOver) => number): number =>
      of.reduce((all, each) => all + field(each), 0);
    const second: LoadSecond = {
      second: number,
      lasted: Math.max(...of.map(({ lasted }) => lasted)) / 1e9,
      requests: sum(({ counted }) => counted.requests),
      errors: sum(({ counted }) => counted.errors),
      open: sum(({ open }) => open),
      latency: latencyOf(together),
    };
    seconds.push(second);
    delete parts[number];
    house.onSecond(second);
  }

  function conclude(): LoadResult {
    for (const fd of reserve.splice(0)) {
      closeSync(fd);
    }
    for (const number of parts.keys()) {
      if (parts[number] !== undefined) {
        tellSecond(number);
      }
    }
    const kind = kindNamed(plan.kind)!;
    const { target } = plan;
    const towards = target.kind === 'tcp' ? socketsTowards(target.host, target.port) : null;
    const own = processDescriptors(process.pid);
    const descriptors = { used: own?.used.value ?? null, limit: own?.limit.soft ?? null };
    const cost = ownProcess();
    const sum = (field: (one: StoppedThread) => number): number =>
      stopped.reduce((all, each) => all + field(each), 0);
    const lasted = Math.max(...stopped.map(({ lasted }) => lasted)) / 1e9;
    const whole = seconds
      .filter((each) => each.lasted >= WHOLE_SECOND)
      .map((each) => each.requests / each.lasted);
    const cpu = { user: sum((each) => each.cpu.user), system: sum((each) => each.cpu.system) };
    const connecting = sum((each) => each.connecting);
    const hanging = connecting + (total.byError.get('connect timeout') ?? 0);
    return {
      kind: plan.kind,
      target: plan.shown,
      connections: plan.connections,
      threads: threads.length,
      pipeline: plan.pipeline,
      pooled: kind.manner === 'talk' && plan.wishes.keepAlive,
      wishedRate: plan.rate === 0 ? null : plan.rate,
      seconds: lasted,
      requests: total.requests,
      rate: {
        mean: total.requests / lasted,
        least: whole.length === 0 ? null : Math.min(...whole),
        median: medianOf(whole),
        most: whole.length === 0 ? null : Math.max(...whole),
      },
      received: total.received,
      sent: total.sent,
      latency: latencyOf(latencies),
      late: plan.rate === 0 ? null : sum((each) => each.late),
      waiting: sum((each) => each.waiting),
      longestWait: Math.max(...stopped.map((each) => each.longestWait)),
      connecting,
      errors: countsOf(total.byError),
      badAnswers: badAnswersOf(kind, total.byStatus),
      sockets: {
        opened: total.opened,
        reused: total.reused,
        failed: total.failed,
        states: towards === null ? null : countsOf(towards.states),
      },
      descriptors,
      process: { threads: cost.threads, memory: cost.memory, memoryBefore },
      cpu,
      requestsPerCpuSecond:
        total.requests > 0 && cpu.user + cpu.system > 0 ? total.requests / (cpu.user + cpu.system) : null,
      why: whyOf(strongest(stopped.map(({ cause }) => cause)), { towards, descriptors, hanging }),
    };
  }

  function threadStopped(how: StoppedThread): void {
    stopped.push(how);
    // What one cannot do the others cannot either; who has made its requests waits for the others.
    if (how.cause.code === 'errno' || how.cause.code === 'protocol') {
      stop();
    }
    if (stopped.length < threads.length) {
      return;
    }
    let found: LoadResult;
    try {
      found = conclude();
    } catch (error) {
      giveUp(error);
      return;
    }
    const gone = threads.map((thread) => new Promise((resolve) => thread.once('exit', resolve)));
    tellAll('close');
    void Promise.all(gone).then(() => {
      process.off('exit', leave);
      finished(found);
    });
  }

  function giveUp(error: unknown): void {
    tellAll('close');
    for (const fd of reserve.splice(0)) {
      closeSync(fd);
    }
    process.off('exit', leave);
    broke(error);
  }

  threads.forEach((thread, index) => {
    thread.once('error', (error) => giveUp(error));
    thread.on('message', (message: FromLoadThread) => {
      switch (message.type) {
        case 'ready':
          wakes[index] = message.wakeFd;
          if (stopping) {
            libc.write(message.wakeFd, one, one.length);
          }
          break;
        case 'second':
          secondCame(message);
          break;
        case 'stopped':
          threadStopped(message);
          break;
        case 'failed':
          giveUp(noLoop(message.errno));
          break;
        default:
      }
    });
  });
  return { result, stop };
}

function noLoop(errno: number): SockscopeError {
  return new SockscopeError(
    'REACTOR',
    `The event loop could not begin: ${errnoName(errno)}.`,
    'sockscope abilities says what this process may do here.',
    3,
  );
}
