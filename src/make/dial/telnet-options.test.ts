import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createOptionStates,
  DO,
  DONT,
  type OptionStates,
  type Request,
  WILL,
  WONT,
} from './telnet-options.ts';

const OPTIONS = [1, 3, 24, 31];
const some = fc.subarray(OPTIONS).map((options) => new Set(options));
const agreeable = fc.record({ us: some, him: some });
const wish = fc.record({
  side: fc.constantFrom(0, 1),
  whose: fc.constantFrom('us' as const, 'him' as const),
  option: fc.constantFrom(...OPTIONS),
  on: fc.boolean(),
  /** How much of what is under way arrives before the next wish. */
  deliver: fc.integer({ min: 0, max: 4 }),
});

describe('telnet options by RFC 1143', () => {
  it('two sides that wish for anything at any time stop talking and agree', () => {
    fc.assert(
      fc.property(agreeable, agreeable, fc.array(wish, { maxLength: 40 }), (here, there, wishes) => {
        const sides: [OptionStates, OptionStates] = [createOptionStates(here), createOptionStates(there)];
        const wires: [Request[], Request[]] = [[], []];
        let said = 0;
        const say = (from: 0 | 1, request: Request | null): void => {
          if (request !== null) {
            said += 1;
            wires[from].push(request);
          }
        };
        const deliver = (from: 0 | 1): void => {
          const request = wires[from].shift();
          if (request !== undefined) {
            const to = from === 0 ? 1 : 0;
            say(to, sides[to].received(request.verb, request.option));
          }
        };
        for (const { side, whose, option, on, deliver: count } of wishes) {
          say(side as 0 | 1, sides[side as 0 | 1].wish(whose, option, on));
          for (let index = 0; index < count; index++) {
            deliver((index % 2) as 0 | 1);
          }
        }
        for (let turns = 0; wires[0].length + wires[1].length > 0; turns++) {
          expect(turns).toBeLessThan(1000);
          deliver(0);
          deliver(1);
        }
        // Each wish is worth at most a request, its answer, and the same once more for a changed mind.
        expect(said).toBeLessThanOrEqual(4 * wishes.length);
        for (const option of OPTIONS) {
          expect(sides[0].holds('us', option)).toBe(sides[1].holds('him', option));
          expect(sides[0].holds('him', option)).toBe(sides[1].holds('us', option));
        }
      }),
    );
  });

  it('any peer at all gets at most one answer for each request, and none that repeats what holds', () => {
    const verbs = fc.constantFrom(DO, DONT, WILL, WONT);
    fc.assert(
      fc.property(
        agreeable,
        fc.array(fc.tuple(verbs, fc.nat(255)), { maxLength: 200 }),
        (agrees, requests) => {
          const states = createOptionStates(agrees);
          for (const [verb, option] of requests) {
            const whose = verb === DO || verb === DONT ? 'us' : 'him';
            const before = states.holds(whose, option);
            const answer = states.received(verb, option);
            const after = states.holds(whose, option);
            expect(after).toBe((verb === DO || verb === WILL) && agrees[whose].has(option));
            if (before === after && answer !== null) {
              // Only a refusal is said although nothing changed.
              expect([DONT, WONT]).toContain(answer.verb);
              expect([DO, WILL]).toContain(verb);
            }
            expect(answer === null || answer.option === option).toBe(true);
          }
        },
      ),
    );
  });

  it('what nobody knows is refused', () => {
    const states = createOptionStates({ us: new Set(), him: new Set() });
    expect(states.received(WILL, 200)).toEqual({ verb: DONT, option: 200 });
    expect(states.received(DO, 200)).toEqual({ verb: WONT, option: 200 });
    expect(states.received(WONT, 200)).toBe(null);
  });
});
