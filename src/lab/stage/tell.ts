/** Tells one experiment's story on a stage of its own, and looks whether what must be seen was seen. */
import { SockscopeError } from '../../errors.ts';
import { linkCauses } from '../../session/causes.ts';
import { becauseOf } from '../../session/causes-chain.ts';
import type { Event } from '../../session/events.ts';
import type { Check, Knobs, Lab } from '../experiment.ts';
import { experiments } from '../experiments.ts';
import type { Outcome, RunWish } from '../run-types.ts';
import { buildStage } from './build.ts';
import type { Surroundings } from './common.ts';

/** No story takes so long; one that does has got stuck. */
const LONGEST_STORY_MS = 60_000;

export type ToldWish = Omit<RunWish, 'signal'>;

/** From an errno to the call that began it is five; more is another story. */
const LONGEST_CHAIN = 6;

const isOver = (event: Event): boolean => event.type !== 'syscall' || event.took !== null;

class Skipped extends Error {}

export async function tellExperiment(
  name: string,
  wish: ToldWish,
  around: Surroundings,
  step: (text: string) => Promise<void>,
): Promise<Outcome> {
  const began = performance.now();
  const experiment = await named(name);
  const knobs: Knobs = Object.assign(
    {},
    experiment.knobs,
    wish.twin ? experiment.twin.knobs : {},
    wish.knobs,
  );
  const plain = {
    name,
    twin: wish.twin,
    checks: [],
    counter: [],
    missing: [] as readonly string[],
    tracing: { on: false, why: 'no stage was built' } as Outcome['tracing'],
  };
  const took = (): number => performance.now() - began;
  const stageWish = experiment.stage?.(knobs) ?? {};
  // A stage that cannot be built is not the story's fault, and says by itself what to do.
  const stage = await buildStage(
    { ...stageWish, seed: wish.seed, trace: wish.trace, sysctl: { ...stageWish.sysctl, ...wish.sysctl } },
    around,
  );
  try {
    const { tracing } = stage;
    if (stage.missing.length > 0) {
      const why = `this kernel has no setting ${stage.missing.join(', ')} of a network namespace.`;
      return { ...plain, how: 'skipped', why, missing: stage.missing, tookMs: took() };
    }
    const result = await inTime(experiment.story(labOf(stage, step), knobs));
    await stage.settled();
    const { seen } = stage;
    const checks = (wish.twin ? experiment.twin : experiment).expect(result, seen);
    const counter = judged(() => (wish.twin ? experiment : experiment.twin).expect(result, seen));
    const moment = wish.twin ? undefined : experiment.moment?.(result, seen);
    return {
      ...plain,
      tracing,
      how: checks.length > 0 && checks.every(({ ok }) => ok) ? 'passed' : 'failed',
      checks,
      counter,
      ...(moment === undefined
        ? {}
        : { moment, because: becauseOf(moment, linkCauses(seen.events.filter(isOver)), LONGEST_CHAIN) }),
      tookMs: took(),
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const hint = error instanceof SockscopeError ? ` ${error.hint}` : '';
    return error instanceof Skipped
      ? { ...plain, how: 'skipped', why, tookMs: took() }
      : { ...plain, how: 'broken', why: why + hint, tookMs: took() };
  } finally {
    await stage.close();
  }
}

async function named(name: string) {
  for (const load of experiments) {
    const { experiment } = await load();
    if (experiment.name === name) {
      return experiment;
    }
  }
  throw new Error(`there is no experiment ${name}`);
}

/** The other telling's checks may stumble over what did not happen in this one. */
function judged(expect: () => Check[]): Check[] {
  try {
    return expect();
  } catch (error) {
    return [{ claim: 'what was seen can be judged', ok: false, seen: String(error) }];
  }
}

function labOf(stage: Awaited<ReturnType<typeof buildStage>>, step: (text: string) => Promise<void>): Lab {
  return {
    stage,
    get client() {
      return stage.host('client');
    },
    get server() {
      return stage.host('server');
    },
    host: (name) => stage.host(name),
    async say(text) {
      await stage.say(text);
      await step(text);
    },
    waits: (promise, ms) => Promise.race([promise.then(() => false), stage.pass(ms).then(() => true)]),
    skip(why): never {
      throw new Skipped(why);
    },
  };
}

function inTime<T>(story: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`the story got stuck: it was not told after ${LONGEST_STORY_MS / 1000} s`)),
      LONGEST_STORY_MS,
    );
  });
  return Promise.race([story, late]).finally(() => clearTimeout(timer));
}
