/** What can be called: a few methods to try things with, or the functions of a user's own module. */

/** Told once. `problem`: what the caller is told instead of a result. */
export type Done = (result: unknown, problem: Problem | null) => void;

export interface Problem {
  /** As JSON-RPC 2.0 numbers them. */
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export interface Call {
  /** 2.0 allows an object instead of a list. */
  readonly params: unknown;
  /** Runs it so many milliseconds later on the server's own loop. */
  readonly later: (ms: number, run: () => void) => void;
}

export type Method = (call: Call, done: Done) => void;

export interface Methods {
  find(name: string): Method | undefined;
  names(): readonly string[];
}

function among(known: ReadonlyMap<string, Method>): Methods {
  const names = [...known.keys()];
  return { find: (name) => known.get(name), names: () => names };
}

export const INVALID_PARAMS = -32602;
export const INTERNAL = -32603;
export const FAILED = -32000;
const MOST_SLEEP = 60_000;

/** Go's way: one argument, which is the first of the list; 2.0 may also give it by name. */
function argument({ params }: Call): unknown {
  return Array.isArray(params) ? params[0] : params;
}

function numbers(call: Call, done: Done, answer: (a: number, b: number) => unknown): void {
  const given = argument(call) as { A?: unknown; B?: unknown; a?: unknown; b?: unknown } | null | undefined;
  // Go matches names of members without regard to case.
  const a = given?.A ?? given?.a;
  const b = given?.B ?? given?.b;
  if (typeof a !== 'number' || typeof b !== 'number') {
    done(null, { code: INVALID_PARAMS, message: 'the argument is an object with the numbers A and B' });
    return;
  }
  done(answer(a, b), null);
}

export const demo: Methods = among(
  new Map<string, Method>([
    ['Arith.Add', (call, done) => numbers(call, done, (a, b) => a + b)],
    ['Arith.Multiply', (call, done) => numbers(call, done, (a, b) => a * b)],
    [
      'Arith.Divide',
      (call, done) =>
        numbers(
          call,
          (result, problem) => {
            const bad = problem === null && result === null;
            done(result, bad ? { code: FAILED, message: 'divide by zero' } : problem);
          },
          (a, b) => (b === 0 ? null : { Quo: Math.trunc(a / b), Rem: a % b }),
        ),
    ],
    ['Echo.Echo', (call, done) => done(argument(call) ?? null, null)],
    ['Time.Now', (_call, done) => done(new Date().toISOString(), null)],
    [
      'Slow.Sleep',
      (call, done) => {
        const ms = Number(
          (argument(call) as { Ms?: unknown; ms?: unknown } | null)?.Ms ??
            (argument(call) as { ms?: unknown } | null)?.ms,
        );
        if (!(ms >= 0 && ms <= MOST_SLEEP)) {
          done(null, {
            code: INVALID_PARAMS,
            message: `the argument is an object with Ms, 0 to ${MOST_SLEEP}`,
          });
          return;
        }
        call.later(ms, () => done({ Ms: ms }, null));
      },
    ],
  ]),
);

/** The functions that a module exports, by name, and those of the objects it exports, as `Object.method`. */
export function methodsOf(module: Readonly<Record<string, unknown>>): Methods {
  const methods = new Map<string, Method>();
  const add = (name: string, owner: unknown, run: (...args: unknown[]) => unknown): void => {
    methods.set(name, ({ params }, done) => {
      const args = Array.isArray(params) ? params : params === undefined ? [] : [params];
      new Promise((resolve) => resolve(run.apply(owner, args))).then(
        (result) => done(result ?? null, null),
        (error: unknown) => done(null, problemOf(error)),
      );
    });
  };
  for (const [name, value] of Object.entries(module)) {
    if (typeof value === 'function') {
      add(name, undefined, value as (...args: unknown[]) => unknown);
    } else if (typeof value === 'object' && value !== null) {
      for (const inner of namesOf(value)) {
        const method: unknown = Reflect.get(value, inner);
        if (typeof method === 'function') {
          add(
            name === 'default' ? inner : `${name}.${inner}`,
            value,
            method as (...args: unknown[]) => unknown,
          );
        }
      }
    }
  }
  return among(methods);
}

/** Own members, and the methods of its class. */
function namesOf(value: object): string[] {
  const prototype: unknown = Object.getPrototypeOf(value);
  const inherited =
    prototype === null || prototype === Object.prototype || prototype === Array.prototype
      ? []
      : Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor');
  return [...Object.keys(value), ...inherited];
}

function problemOf(error: unknown): Problem {
  const { code, message, data } = (error ?? {}) as { code?: unknown; message?: unknown; data?: unknown };
  return {
    code: Number.isInteger(code) ? (code as number) : FAILED,
    message: typeof message === 'string' ? message : String(error),
    ...(data === undefined ? {} : { data }),
  };
}
