/**
 * Which telnet options hold, by the Q method of RFC 1143: an answer is sent only where a request changes something, so two sides never
 * answer each other for ever. Pure: what comes in is a verb, what goes out are verbs.
 */

export const DONT = 254;
export const DO = 253;
export const WONT = 252;
export const WILL = 251;

export type Verb = typeof DO | typeof DONT | typeof WILL | typeof WONT;

/** `us`: what we do, which the peer asks for with DO; `him`: what the peer does and says with WILL. */
export type Whose = 'us' | 'him';

/** RFC 1143 section 7. `opposite`: while an answer is awaited, we have already changed our mind once. */
type State = 'no' | 'yes' | 'want-no' | 'want-no-opposite' | 'want-yes' | 'want-yes-opposite';

export interface Request {
  readonly verb: Verb;
  readonly option: number;
}

export interface OptionStates {
  /** What the peer said; the answer, if there is to be one. */
  received(verb: Verb, option: number): Request | null;
  /** Wishes it on or off; what to send for it, if anything. */
  wish(whose: Whose, option: number, on: boolean): Request | null;
  holds(whose: Whose, option: number): boolean;
}

export interface Agreeable {
  readonly us: ReadonlySet<number>;
  readonly him: ReadonlySet<number>;
}

interface Step {
  readonly to: State;
  readonly says: boolean | null;
}

const stay = (to: State): Step => ({ to, says: null });

/** The peer says that it is on: WILL of him, DO of us. */
function heardOn(state: State, agrees: boolean): Step {
  switch (state) {
    case 'no':
      return agrees ? { to: 'yes', says: true } : { to: 'no', says: false };
    case 'want-no':
      return stay('no');
    case 'want-yes-opposite':
      return { to: 'want-no', says: false };
    default:
      return stay('yes');
  }
}

function heardOff(state: State): Step {
  switch (state) {
    case 'yes':
      return { to: 'no', says: false };
    case 'want-no-opposite':
      return { to: 'want-yes', says: true };
    default:
      return stay('no');
  }
}

function wishOn(state: State): Step {
  switch (state) {
    case 'no':
      return { to: 'want-yes', says: true };
    case 'want-no':
      return stay('want-no-opposite');
    case 'want-yes-opposite':
      return stay('want-yes');
    default:
      return stay(state);
  }
}

function wishOff(state: State): Step {
  switch (state) {
    case 'yes':
      return { to: 'want-no', says: false };
    case 'want-yes':
      return stay('want-yes-opposite');
    case 'want-no-opposite':
      return stay('want-no');
    default:
      return stay(state);
  }
}

function verbOf(whose: Whose, on: boolean): Verb {
  return whose === 'us' ? (on ? WILL : WONT) : on ? DO : DONT;
}

export function createOptionStates(agreeable: Agreeable): OptionStates {
  const states = { us: new Map<number, State>(), him: new Map<number, State>() };
  const stateOf = (whose: Whose, option: number): State => states[whose].get(option) ?? 'no';

  function take(whose: Whose, option: number, { to, says }: Step): Request | null {
    if (to === 'no') {
      states[whose].delete(option);
    } else {
      states[whose].set(option, to);
    }
    return says === null ? null : { verb: verbOf(whose, says), option };
  }

  return {
    received(verb, option) {
      const whose = verb === DO || verb === DONT ? 'us' : 'him';
      const state = stateOf(whose, option);
      const on = verb === DO || verb === WILL;
      return take(whose, option, on ? heardOn(state, agreeable[whose].has(option)) : heardOff(state));
    },
    wish(whose, option, on) {
      const state = stateOf(whose, option);
      return take(whose, option, on ? wishOn(state) : wishOff(state));
    },
    holds: (whose, option) => stateOf(whose, option) === 'yes',
  };
}
