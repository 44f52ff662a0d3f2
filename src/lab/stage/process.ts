/** The stage's process: the first of its own namespaces. It does what it is told over its channel and ends with it. */
import { SockscopeError } from '../../errors.ts';
import { type Clock, startClock } from '../../kernel/clock.ts';
import type { SessionHeader } from '../../session/events.ts';
import type { Stage } from '../api.ts';
import { buildStage } from './build.ts';
import type { Surroundings } from './common.ts';
import { planStage } from './plan.ts';
import type { FromStage, Handle, Target, Told, ToStage } from './remote-protocol.ts';
import { tellExperiment } from './tell.ts';

export interface StageEntries {
  readonly actorEntry: string;
  readonly wireEntry: string;
  readonly traceEntry: string;
}

export function runStageProcess(entries: StageEntries): void {
  const tell = (message: FromStage): void => void process.send?.(message);
  const clock = startClock();
  let goOn: () => void = () => {};
  let steps = false;
  let stage: Stage | null = null;
  const things: object[] = [];

  // Nobody speaks with us any more: everything inside ends with us, because we are its first process.
  process.on('disconnect', () => process.exit(0));
  // Node would print the line of the built file as well, which is as long as the file.
  process.on('uncaughtException', (error) => {
    process.stderr.write(error.stack ?? error.message);
    process.exit(1);
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => process.exit(0));
  }

  const around: Surroundings = {
    start: startOf(clock),
    ...entries,
    onEvents: (events) => tell({ type: 'events', events }),
  };

  function step(text: string): Promise<void> {
    if (!steps) {
      return Promise.resolve();
    }
    tell({ type: 'step', text });
    return new Promise((resolve) => {
      goOn = resolve;
    });
  }

  function objectOf(target: Target): object {
    switch (target.what) {
      case 'stage':
        return stage!;
      case 'wire':
        return stage!.wire;
      case 'host':
        return stage!.host(target.name);
      case 'thing':
        return things[target.thing]!;
    }
  }

  /** What has verbs of its own stays here, and a handle goes. */
  function carried(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) {
      return value;
    }
    const kind =
      'connect' in value ? 'program' : 'stdout' in value ? 'child' : 'release' in value ? 'rule' : null;
    if (kind === null) {
      return value;
    }
    things.push(value);
    const { pid = 0, host = '' } = value as { pid?: number; host?: string };
    return { handle: things.length - 1, kind, pid, host } satisfies Handle;
  }

  async function ask({ id, of, method, args }: Extract<ToStage, { type: 'ask' }>): Promise<void> {
    try {
      const target = objectOf(of) as Readonly<Record<string, unknown>>;
      const verb = target[method];
      const value = await (typeof verb === 'function' ? verb.apply(target, args) : verb);
      tell({ type: 'answer', id, value: carried(value) });
    } catch (error) {
      tell({ type: 'refused', id, error: told(error) });
    }
  }

  process.on('message', (message: ToStage) => {
    switch (message.type) {
      case 'go':
        goOn();
        break;
      case 'experiment':
        steps = message.steps;
        tell({ type: 'header', header: headerOf(clock) });
        tellExperiment(message.name, message.wish, around, step).then(
          (outcome) => tell({ type: 'outcome', outcome }),
          (error) => tell({ type: 'failed', error: told(error) }),
        );
        break;
      case 'build':
        tell({ type: 'header', header: headerOf(clock) });
        buildStage(message.wish, around).then(
          (built) => {
            stage = built;
            const hosts = planStage(message.wish)
              .hosts.filter(({ absent }) => !absent)
              .map(({ name }) => {
                const { address, address6, addresses } = built.host(name);
                return { name, address, address6, addresses };
              });
            const { seed, tracing, missing } = built;
            tell({ type: 'built', seed, tracing, missing, hosts });
          },
          (error) => tell({ type: 'failed', error: told(error) }),
        );
        break;
      case 'ask':
        void ask(message);
        break;
    }
  });
  tell({ type: 'up' });
}

function startOf(clock: Clock): Surroundings['start'] {
  return {
    // Asked of the clock alone: whoever reads a second one may be interrupted in between, and all stamps would be off by that.
    monotonic: BigInt(-clock.fromMonotonic(0n)),
    realtime: clock.startedAt.ns,
  };
}

function headerOf(clock: Clock): SessionHeader {
  return {
    v: 1,
    type: 'session',
    startedAt: clock.startedAt,
    host: 'lab',
    clock: { source: 'monotonic', uncertaintyNs: clock.uncertaintyNs },
  };
}

function told(error: unknown): Told {
  if (error instanceof SockscopeError) {
    const { code, message, hint, exit } = error;
    return { code, message, hint, exit };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'LAB_BROKE', message, hint: 'Run it again; if it stays, it is a bug.', exit: 1 };
}
