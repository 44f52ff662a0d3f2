/** Builds a stage inside this process, which is the first of its own namespaces: hosts, the wire between them, the session of it all. */
import { SockscopeError } from '../../errors.ts';
import { clockFrom } from '../../kernel/clock.ts';
import { errnoMeaning, errnoName } from '../../kernel/errno.ts';
import { namespaceOfDescriptor } from '../../kernel/program-owner.ts';
import { createBegun } from '../../session/begun.ts';
import type { Event } from '../../session/events.ts';
import { createTimeline } from '../../session/timeline.ts';
import type { Host, Stage, StageWish } from '../api.ts';
import { createSeen } from '../seen.ts';
import type { Common, Surroundings } from './common.ts';
import { createHost, type RunningHost } from './host.ts';
import { createIdentify } from './identify.ts';
import { createIntake } from './intake.ts';
import { buildMachine, makeHome, type Refused } from './machine.ts';
import { type Plan, planStage } from './plan.ts';
import type { Tracing } from './protocol.ts';
import { createWaits, hasReached } from './waits.ts';
import { startWire } from './wire-link.ts';
import { createWireVerbs } from './wire-verbs.ts';

/** As long as the merge of the two witnesses waits (wire/sampler-merge.ts). */
const REMNANT_MS = 3;

export async function buildStage(wish: StageWish, around: Surroundings): Promise<Stage> {
  const plan = planStage(wish);
  const home = makeHome();
  const clock = clockFrom({
    before: around.start.monotonic,
    realtime: around.start.realtime,
    after: around.start.monotonic,
  });
  const seed = wish.seed ?? 1;
  const timeline = createTimeline();
  const seen = createSeen(timeline);
  const waits = createWaits(seen);
  const begunBy = createBegun();
  let closed = false;
  const identify = createIdentify(namespaceOfDescriptor(home.namespace));

  function publish(events: readonly Event[]): void {
    if (closed) {
      return;
    }
    for (const event of events) {
      const before = begunBy(event);
      if (before === null || !timeline.replace(before, event)) {
        timeline.add(event);
      }
    }
    around.onEvents(events);
    waits.look();
  }

  const intake = createIntake(clock.now, identify, publish);
  const wire = startWire({
    entry: around.wireEntry,
    start: around.start,
    seed,
    path: wish.wire ?? {},
    trace: wish.trace ?? true,
    hosts: ownersOf(plan),
    onEvents: intake.add,
    onBroken: (why) =>
      waits.broke(
        new SockscopeError('LAB_BROKE', `The wire broke: ${why}.`, 'This is a bug, please report it.', 1),
      ),
  });
  const common: Common = {
    home,
    plan,
    wire,
    around,
    now: clock.now,
    tell: (event) => publish([event]),
    take: (events) => {
      intake.add(events);
      wire.look();
    },
  };

  const hosts = new Map<string, RunningHost>();
  const missing = new Set<string>();
  let tracing: Tracing;
  try {
    tracing = await wire.ready;
    for (const planned of plan.hosts.filter(({ absent }) => !absent)) {
      const machine = buildMachine(home, plan, planned);
      if ('step' in machine) {
        throw notBuilt(machine);
      }
      for (const name of machine.missing) {
        missing.add(name);
      }
      await wire.order({ do: 'add', ports: machine.ports, sampled: machine.sampled });
      hosts.set(planned.name, createHost(common, planned, machine));
    }
  } catch (error) {
    await wire.finish().catch(() => {});
    throw error;
  }

  async function settled(): Promise<void> {
    await wire.order({ do: 'sample' });
    if (tracing.on) {
      // What the trace called closed may be a remnant; the look after that knows.
      await new Promise((resolve) => setTimeout(resolve, REMNANT_MS));
      await wire.order({ do: 'sample' });
    }
    intake.flush();
  }

  return {
    seed,
    tracing,
    missing: [...missing],
    host: (name) => hostNamed(hosts, name),
    wire: createWireVerbs(common),
    seen,
    say: async (text) => {
      // What came before it stands before it.
      await settled();
      publish([{ type: 'step', at: clock.now(), text }]);
    },
    until: waits.until,
    reached: (host, state, timeoutMs) => {
      hostNamed(hosts, host);
      return waits.until(`a socket of ${host} in ${state}`, hasReached(host, state), timeoutMs);
    },
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    settled,
    async close() {
      await settled().catch(() => {});
      // The end of the stage is not part of its session.
      closed = true;
      await Promise.all([...hosts.values()].map((host) => host.end()));
      await wire.finish().catch(() => {});
      intake.close();
    },
  };
}

function ownersOf(plan: Plan): Record<string, string> {
  return Object.fromEntries(
    plan.hosts.flatMap(({ name, devices }) =>
      devices.flatMap(({ addresses, address6 }) => [...addresses, address6].map((at) => [at, name])),
    ),
  );
}

function hostNamed(hosts: ReadonlyMap<string, RunningHost>, name: string): Host {
  const host = hosts.get(name);
  if (host === undefined) {
    throw new SockscopeError(
      'LAB_HOST',
      `There is no host ${name} on this stage.`,
      `Its hosts are ${[...hosts.keys()].join(', ')}.`,
      2,
    );
  }
  return host.host;
}

function notBuilt({ step, errno, setting }: Refused): SockscopeError {
  const name = errnoName(errno);
  const what = `The stage could not be built: ${step} was refused with ${name} (${errnoMeaning(name)}).`;
  if (setting && (name === 'EINVAL' || name === 'ERANGE')) {
    return new SockscopeError('LAB_SETTING', what, 'Give it a value that this kernel takes.', 2);
  }
  const hint =
    name === 'ENOSPC'
      ? 'A limit of the machine has been reached: see sysctl user.max_net_namespaces.'
      : 'Containers often forbid this; run on the machine itself, or as root.';
  return new SockscopeError('STAGE_FAILED', what, hint, 3);
}
