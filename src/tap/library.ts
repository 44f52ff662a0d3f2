/** The tap of the library: in a program, in a test. `const t = await tap({ target: 6379 })`. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SockscopeError } from '../errors.ts';
import type { Heard } from '../wire/heard.ts';
import { defaultPlan, orderTap, USUAL_WISHES } from './config-defaults.ts';
import type { TapState } from './control.ts';
import type { Attributes, PlannedFault } from './fault.ts';
import { readFault } from './fault-text.ts';
import { faultNamed, faults } from './faults.ts';
import type { Observation } from './observation.ts';
import { isPlaceError, readPlace, type WrittenPlace } from './place.ts';
import type { Replacement, TapPlan } from './plan.ts';
import { readReplacement } from './rewrite.ts';
import { readSet } from './set/set.ts';
import { startTaps } from './taps.ts';

export interface TapOptions {
  /** `6379`, `localhost:5432`, `unix:/run/x.sock`, `udp://127.0.0.1:53`. */
  target: number | string;
  /** A free port of 127.0.0.1 when left out. */
  listen?: number | string;
  /** In the words of `--fault`. */
  faults?: readonly string[];
  /** In the words of `--replace` and `--set`. */
  replace?: readonly string[];
  set?: readonly string[];
  /** `auto`, `none` or a decoder's name. */
  decode?: string;
  seed?: number;
  reveal?: boolean;
  /** Accept clients although the target refuses. */
  alwaysAccept?: boolean;
  /** Everything that is observed, as it happens. */
  observe?: (observation: Observation) => void;
}

/** A fault that is in force until it is removed. */
export interface TapFault {
  readonly name: string;
  change(attributes: Attributes): Promise<void>;
  remove(): Promise<void>;
}

export interface FaultWish {
  /** Whose bytes; downstream, what the server says, when left out. */
  stream?: 'upstream' | 'downstream' | 'both';
  /** The share of connections, 0 to 1. */
  toxicity?: number;
}

export interface Tap {
  /** 0 for a UNIX socket. */
  readonly port: number;
  /** `127.0.0.1:16379`, or a path. */
  readonly address: string;
  readonly seed: number;
  /** What was said so far, the newest 10 000. */
  readonly messages: readonly Heard[];
  /** A kind and its attributes, or a text as `--fault` takes it. In force when the promise is kept. */
  fault(kind: string, attributes?: Attributes, wish?: FaultWish): Promise<TapFault>;
  /** Resolves with the first message, heard already or to come, that it is true of. */
  message(matches: (heard: Heard) => boolean): Promise<Heard>;
  /** Down: clients are refused, connections closed. */
  disable(): Promise<void>;
  enable(): Promise<void>;
  /** Connections and bytes so far. */
  counts(): Promise<Pick<TapState, 'connections' | 'opened' | 'fromClient' | 'fromServer'>>;
  /** Connections are closed; nothing is left behind. */
  close(): Promise<void>;
}

const MOST_MESSAGES = 10_000;
const NAME = 'tap';

export async function tap(options: TapOptions): Promise<Tap> {
  const seed = options.seed ?? Math.floor(Math.random() * 1e6);
  const plan = planOf(options);
  const messages: Heard[] = [];
  const waiting = new Set<(heard: Heard) => void>();
  const [seconds, nanoseconds] = process.hrtime();
  const taps = await startTaps({
    entry: threadFile(),
    patient: false,
    seed,
    zero: seconds * 1e9 + nanoseconds,
    wants: {
      connections: options.observe !== undefined,
      messages: true,
      bytes: false,
      reveal: options.reveal === true,
      brief: false,
    },
    tell(observation) {
      if (observation.type === 'message') {
        messages.push(observation.heard);
        if (messages.length > MOST_MESSAGES) {
          messages.splice(0, messages.length - MOST_MESSAGES);
        }
        for (const hear of waiting) {
          hear(observation.heard);
        }
      }
      options.observe?.(observation);
    },
  });
  const state = await taps.create(plan);
  if (state instanceof SockscopeError) {
    await taps.end();
    throw state;
  }
  let named = plan.faults.length;

  function must(result: unknown): void {
    if (result instanceof SockscopeError) {
      throw result;
    }
  }

  const { address } = state;
  return {
    port: address !== null && address.kind !== 'unix' ? address.port : 0,
    address:
      address === null ? '' : address.kind === 'unix' ? address.path : `${address.host}:${address.port}`,
    seed,
    messages,
    async fault(kind, attributes = {}, wish = {}) {
      const planned = plannedFault(kind, attributes, wish, `${kind.split(' ')[0]}-${++named}`);
      must(await taps.addFault(NAME, planned));
      return {
        name: planned.name,
        async change(changed) {
          must(
            await taps.updateFault(NAME, {
              ...planned,
              attributes: { ...planned.attributes, ...checked(planned.fault, changed) },
            }),
          );
        },
        async remove() {
          must(await taps.removeFault(NAME, planned.name));
        },
      };
    },
    message(matches) {
      const before = messages.find(matches);
      if (before !== undefined) {
        return Promise.resolve(before);
      }
      return new Promise((resolve) => {
        const hear = (heard: Heard): void => {
          if (matches(heard)) {
            waiting.delete(hear);
            resolve(heard);
          }
        };
        waiting.add(hear);
      });
    },
    async disable() {
      must(await taps.update(NAME, { enabled: false }));
    },
    async enable() {
      // On the port it has had, which may have been any free one.
      const listen = address?.kind === 'tcp' ? { ...plan.listen, port: address.port } : plan.listen;
      must(await taps.update(NAME, { enabled: true, listen }));
    },
    async counts() {
      const { taps: states } = await taps.report();
      const { connections, opened, fromClient, fromServer } = states[0]!;
      return { connections, opened, fromClient, fromServer };
    },
    async close() {
      await taps.end();
    },
  };
}

/** Beside the built library; without it (and off Linux) everything runs in the caller's own loop. */
function threadFile(): string | null {
  const file = fileURLToPath(new URL('./tap-worker.js', import.meta.url));
  return process.platform === 'linux' && existsSync(file) ? file : null;
}

function usage(message: string, hint: string): SockscopeError {
  return new SockscopeError('TAP_OPTIONS', message, hint, 2);
}

function place(text: number | string, side: 'listen' | 'target'): WrittenPlace {
  const read = readPlace(String(text), side);
  if (isPlaceError(read)) {
    throw usage(`${side}: ${read.error}.`, read.hint);
  }
  return read;
}

function planOf(options: TapOptions): TapPlan {
  const target = place(options.target, 'target');
  const free = target.kind === 'udp' ? 'udp://127.0.0.1:0' : '127.0.0.1:0';
  const listen = options.listen === undefined || options.listen === 0 ? free : options.listen;
  const ordered = orderTap(place(listen, 'listen'), target);
  if ('error' in ordered) {
    throw usage(`${ordered.error}.`, ordered.hint);
  }
  const { searches: _, ...plan } = ordered.plan;
  return {
    ...defaultPlan(NAME, plan.listen, plan.target),
    tls: plan.tls,
    decode: options.decode ?? 'auto',
    replacements: (options.replace ?? []).map(replacement),
    sets: (options.set ?? []).map(setRule),
    faults: (options.faults ?? []).map((text, index) => ({ ...textFault(text), name: `fault-${index + 1}` })),
    mirrorsRefusal: plan.mirrorsRefusal && options.alwaysAccept !== true,
    wishes: USUAL_WISHES,
  };
}

function replacement(text: string): Replacement {
  const read = readReplacement(text);
  if ('why' in read) {
    throw usage(`replace: ${read.why}, at character ${read.at + 1} of ${text}.`, "Write it like 'RE=>TEXT'.");
  }
  return read;
}

function setRule(text: string): string {
  const read = readSet(text);
  if ('why' in read) {
    throw usage(
      `set: ${read.why}, at character ${read.at + 1} of ${text}.`,
      "Example: 'http.reply.status=503'.",
    );
  }
  return text;
}

function textFault(text: string): PlannedFault {
  const read = readFault(text);
  if ('why' in read) {
    throw usage(
      `fault: ${read.why}, at character ${read.at + 1} of ${text}.`,
      "Example: 'latency 200ms down'.",
    );
  }
  return read;
}

/** A word of the list is a kind; anything longer is a text. */
function plannedFault(kind: string, attributes: Attributes, wish: FaultWish, name: string): PlannedFault {
  if (kind.includes(' ')) {
    return { ...textFault(kind), name };
  }
  return {
    name,
    fault: kind,
    attributes: checked(kind, attributes),
    stream: wish.stream ?? 'downstream',
    toxicity: wish.toxicity ?? 1,
  };
}

function checked(kind: string, attributes: Attributes): Attributes {
  const fault = faultNamed(kind);
  if (fault === undefined) {
    throw usage(`There is no fault ${kind}.`, `There are ${faults.map(({ name }) => name).join(', ')}.`);
  }
  const known = fault.attributes.map(({ name }) => name);
  const odd = Object.keys(attributes).find((name) => !known.includes(name));
  if (odd !== undefined) {
    throw usage(`${kind} has no attribute ${odd}.`, `It has ${known.join(', ') || 'none'}.`);
  }
  const whole: Record<string, number | string | boolean> = {};
  for (const { name, otherwise } of fault.attributes) {
    const value = attributes[name] ?? otherwise;
    if (value === undefined) {
      throw usage(`${kind} needs ${name}.`, `Example: fault('${kind}', { ${name}: … }).`);
    }
    whole[name] = value;
  }
  return whole;
}
