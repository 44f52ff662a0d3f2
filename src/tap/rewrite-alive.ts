/** Where in a text the first match could begin that more bytes may complete, lengthen or undo. */
import type { Automaton } from './rewrite-nfa.ts';

/** One per pattern: its lists are used again and again. */
export class Alive {
  private readonly automaton: Automaton;
  private states: Int32Array;
  private since: Int32Array;
  private nextStates: Int32Array;
  private nextSince: Int32Array;
  /** Per state: the step in which it was entered last. */
  private readonly entered: Int32Array;
  private readonly stack: Int32Array;
  private step = 0;

  constructor(automaton: Automaton) {
    const size = automaton.takes.length + 1;
    let edges = 1;
    for (const to of automaton.leads) {
      edges += to.length;
    }
    this.automaton = automaton;
    this.states = new Int32Array(size);
    this.since = new Int32Array(size);
    this.nextStates = new Int32Array(size);
    this.nextSince = new Int32Array(size);
    this.entered = new Int32Array(size);
    this.stack = new Int32Array(edges + size);
  }

  /** The first such place from `from` on; the text's length when there is none. */
  from(text: string, from: number): number {
    const { automaton } = this;
    const { first, takes, leads, start } = automaton;
    let count = 0;
    if (this.step > 0x3fffffff) {
      this.step = 0;
      this.entered.fill(0);
    }
    for (let at = from; at < text.length; at++) {
      const byte = text.charCodeAt(at);
      if (first[byte] === 0 && count === 0) {
        continue;
      }
      // What began earlier is entered first: of two ways into a state the older one counts.
      if (first[byte] === 1) {
        this.step++;
        for (let i = 0; i < count; i++) {
          this.entered[this.states[i]!] = this.step;
        }
        count = this.enter(start, at, this.states, this.since, count);
      }
      this.step++;
      let next = 0;
      for (let i = 0; i < count; i++) {
        const state = this.states[i]!;
        const set = takes[state]!;
        if (set !== null && set[byte] === 1) {
          next = this.enter(leads[state]![0]!, this.since[i]!, this.nextStates, this.nextSince, next);
        }
      }
      const { states, since } = this;
      this.states = this.nextStates;
      this.since = this.nextSince;
      this.nextStates = states;
      this.nextSince = since;
      count = next;
    }
    let earliest = text.length;
    for (let i = 0; i < count; i++) {
      // A match that is complete here stands, unless what comes next has a say in it.
      if (this.states[i] !== automaton.accept || automaton.asserts) {
        earliest = Math.min(earliest, this.since[i]!);
      }
    }
    return earliest;
  }

  /** Adds the states that take bytes, reached from `state` without one; the accepting state is kept too, for what ends there. */
  private enter(state: number, began: number, states: Int32Array, since: Int32Array, count: number): number {
    const { takes, leads, accept } = this.automaton;
    const { stack, entered, step } = this;
    let depth = 0;
    let total = count;
    stack[depth++] = state;
    while (depth > 0) {
      const one = stack[--depth]!;
      if (entered[one] === step) {
        continue;
      }
      entered[one] = step;
      if (takes[one] !== null || one === accept) {
        states[total] = one;
        since[total++] = began;
      }
      if (takes[one] === null) {
        const to = leads[one]!;
        for (let i = 0; i < to.length; i++) {
          stack[depth++] = to[i]!;
        }
      }
    }
    return total;
  }
}
