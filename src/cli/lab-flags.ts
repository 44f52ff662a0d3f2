/** What was typed after `lab`, checked: which words go together, and what `--set` sets. */
import { SockscopeError } from '../errors.ts';
import type { Sysctls } from '../lab/api.ts';
import type { Experiment, Knobs } from '../lab/experiment.ts';

export interface LabFlags {
  readonly twin?: boolean;
  readonly predict?: string;
  /** False with --no-ask. */
  readonly ask?: boolean;
  readonly explainOnly?: boolean;
  readonly grep?: string;
  readonly steps?: boolean;
  readonly speed?: string;
  readonly set?: readonly string[];
  readonly seed?: string;
  readonly json?: boolean;
  readonly write?: string;
}

export function usage(code: string, message: string, hint: string): SockscopeError {
  return new SockscopeError(code, message, hint, 2);
}

const MOST_SEED = 2 ** 32;
const MOST_SPEED = 1000;
const LEAST_SPEED = 0.001;

export function seedOf({ seed = '1' }: LabFlags): number {
  const number = Number(seed);
  if (!/^\d+$/.test(seed) || number >= MOST_SEED) {
    throw usage('SEED', `--seed takes a whole number below ${MOST_SEED}, not ${seed}.`, 'Example: --seed 42');
  }
  return number;
}

/** Null: drawn while it happens. */
export function speedOf({ speed }: LabFlags): number | null {
  if (speed === undefined) {
    return null;
  }
  const factor = Number(speed);
  const fits = factor === 0 || (factor >= LEAST_SPEED && factor <= MOST_SPEED);
  if (!/^(\d+\.?\d*|\.\d+)$/.test(speed) || !fits) {
    throw usage(
      'LAB_SPEED',
      `--speed takes 0, or a factor from ${LEAST_SPEED} to ${MOST_SPEED}, not ${speed}.`,
      'Example: --speed 0.1 draws ten times slower than it was; 0 draws at once.',
    );
  }
  return factor;
}

/** Options that mean nothing without one experiment, as they are typed. */
export function checkTogether(names: readonly string[], flags: LabFlags): void {
  const alone: readonly [keyof LabFlags, string][] = [
    ['twin', '--twin'],
    ['predict', '--predict'],
    ['explainOnly', '--explain-only'],
    ['steps', '--steps'],
    ['speed', '--speed'],
    ['write', '--write'],
  ];
  const given = alone.find(([flag]) => flags[flag] !== undefined)?.[1];
  const catalogue = names.length === 0;
  const all = names.includes('all');
  if (catalogue && (given ?? (flags.set === undefined ? undefined : '--set')) !== undefined) {
    throw usage(
      'LAB_NAME',
      `${given ?? '--set'} goes with an experiment's name.`,
      'Example: sockscope lab close-wait; `sockscope lab` lists them.',
    );
  }
  if (all && names.length > 1) {
    throw usage('LAB_ALL', '`all` already names every experiment.', 'Use --grep WORD to run some of them.');
  }
  if (all && given !== undefined) {
    throw usage(
      'LAB_ALL',
      `${given} does not go with \`all\`, which runs every experiment and every twin.`,
      'Name one experiment, or leave it out.',
    );
  }
  if (!catalogue && !all && flags.grep !== undefined) {
    throw usage('LAB_GREP', '--grep goes with the catalogue or with `all`.', 'Leave the names out.');
  }
  const several = names.length > 1;
  if (several && (flags.predict !== undefined || flags.write !== undefined)) {
    const which = flags.predict === undefined ? '--write' : '--predict';
    throw usage('LAB_SEVERAL', `${which} is for one experiment at a time.`, 'Name one.');
  }
  const pairs: readonly [keyof LabFlags, keyof LabFlags, string][] = [
    ['steps', 'json', '--steps waits for a person, and --json is for a program.'],
    ['steps', 'speed', '--steps draws each step while you wait, and --speed draws afterwards.'],
    ['speed', 'json', '--speed is for the drawing, and --json does not draw.'],
    ['twin', 'predict', 'The question is about the fault, not about its twin.'],
    ['explainOnly', 'predict', '--explain-only tells the answer.'],
    ['explainOnly', 'steps', '--explain-only runs nothing.'],
    ['explainOnly', 'speed', '--explain-only runs nothing.'],
    ['explainOnly', 'write', '--explain-only runs nothing.'],
  ];
  for (const [one, other, why] of pairs) {
    if (flags[one] !== undefined && flags[other] !== undefined) {
      throw usage('LAB_TOGETHER', why, 'Leave one of them out.');
    }
  }
  if (flags.json === true && flags.write === '-') {
    throw usage(
      'WRITE_OUTPUT',
      'Standard output cannot take both the recording and the lines of --json.',
      'Record into a file.',
    );
  }
}

export interface Settings {
  readonly knobs: Knobs;
  readonly sysctl: Sysctls;
}

const SYSCTL = /^[a-z0-9_]+([./-][\w-]+)*$/i;

/** Splits `--set` into each experiment's knobs and the hosts' sysctls: what one of the experiments has as a knob is no sysctl. */
export function settingsOf(
  typed: readonly string[],
  experiments: readonly Experiment[],
): (experiment: Experiment) => Settings {
  const pairs = typed.map(pairOf);
  const isKnob = (name: string): boolean => experiments.some(({ knobs }) => Object.hasOwn(knobs, name));
  const sysctl = Object.fromEntries(
    pairs
      .filter(([name]) => !isKnob(name))
      .map(([name, value]) => {
        if (!SYSCTL.test(name)) {
          throw setError(`${name}=${value}`);
        }
        // proc(5) writes them with slashes, sysctl(8) takes both.
        return [name.replaceAll('/', '.'), wholeNumber(value) ?? value];
      }),
  );
  // Wrong values are refused before the first experiment runs.
  const knobsOf = new Map(
    experiments.map((experiment) => [
      experiment,
      Object.fromEntries(
        pairs
          .filter(([name]) => Object.hasOwn(experiment.knobs, name))
          .map(([name, value]) => [name, knobValue(experiment, name, value)]),
      ),
    ]),
  );
  return (experiment) => ({ sysctl, knobs: knobsOf.get(experiment) ?? {} });
}

function pairOf(text: string): readonly [name: string, value: string] {
  const at = text.indexOf('=');
  const name = text.slice(0, Math.max(0, at)).trim();
  const value = text.slice(at + 1).trim();
  if (name === '' || value === '') {
    throw setError(text);
  }
  return [name, value];
}

function setError(text: string): SockscopeError {
  return usage(
    'LAB_SET',
    `--set takes NAME=VALUE, not ${JSON.stringify(text)}.`,
    'Examples: --set tcp_retries2=5, --set net.ipv4.ip_local_port_range="40000 40009"',
  );
}

function wholeNumber(text: string): number | null {
  const number = Number(text);
  return /^-?(0|[1-9]\d*)$/.test(text) && Number.isSafeInteger(number) && !Object.is(number, -0)
    ? number
    : null;
}

const TRUTH: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false,
};

function knobValue({ name: experiment, knobs }: Experiment, name: string, text: string): number | boolean {
  const number = /^-?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
  const truth = Object.hasOwn(TRUTH, text.toLowerCase()) ? TRUTH[text.toLowerCase()] : undefined;
  const value = typeof knobs[name] === 'boolean' ? truth : number;
  if (value === undefined || Number.isNaN(value)) {
    const wanted = typeof knobs[name] === 'boolean' ? 'true or false' : 'a number';
    throw usage(
      'LAB_SET',
      `${name} of ${experiment} is ${wanted}, not ${JSON.stringify(text)}.`,
      `Example: --set ${name}=${String(knobs[name])}`,
    );
  }
  return value;
}
