import { describe, expect, it } from 'vitest';
import { counting, datagramTrial, linkFor, trial } from './chain-fixture.ts';
import type { Attributes } from './fault.ts';
import { faultNamed, faults } from './faults.ts';

describe('the list of faults', () => {
  it('names are unique, and each is found by its name', () => {
    expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length);
    for (const fault of faults) {
      expect(faultNamed(fault.name)).toBe(fault);
    }
    expect(faultNamed('toString')).toBe(undefined);
  });

  it.each(faults.map((fault) => [fault.name, fault] as const))(
    '%s says what it is and does something',
    (_name, fault) => {
      expect(fault.about).toMatch(/^[A-Z].*\.$/);
      expect(fault.stream ?? fault.datagram ?? fault.admit).toBeDefined();
      for (const attribute of fault.attributes) {
        expect(attribute.name.endsWith('Ms') || attribute.name.endsWith('Us')).toBe(
          attribute.kind === 'duration',
        );
        if (attribute.words !== undefined && attribute.otherwise !== undefined) {
          expect(attribute.words).toContain(attribute.otherwise);
        }
      }
    },
  );

  it.each(faults.map((fault) => [fault.name, fault] as const))(
    '%s bears strange attributes',
    (_name, fault) => {
      for (const strange of [Number.NaN, -5, Number.POSITIVE_INFINITY, 0.5, 1e300, 'x', true]) {
        const attributes: Attributes = Object.fromEntries(
          fault.attributes.map(({ name }) => [name, strange]),
        );
        if (fault.stream !== undefined) {
          const t = trial([fault.stream(attributes, linkFor())]);
          t.data(counting(30));
          t.chain.end();
          t.clock.ns += 1e9;
          t.chain.timer();
          expect(t.passed.length).toBeLessThanOrEqual(30);
          expect(t.chain.held).toBeLessThanOrEqual(30);
        }
        if (fault.datagram !== undefined) {
          const t = datagramTrial([fault.datagram(attributes, linkFor())]);
          t.send(1);
          t.chain.timer();
          expect(t.passed.length).toBeLessThanOrEqual(2);
        }
        const found = fault.admit?.(attributes, linkFor(), 'accepted');
        expect(found?.delay ?? 0).not.toBeNaN();
      }
    },
  );
});
