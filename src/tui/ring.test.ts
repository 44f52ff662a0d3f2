import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ring } from './ring.ts';

describe('a ring', () => {
  it('keeps the last ones under their positions, whatever was pushed and shifted', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.boolean(), { maxLength: 80 }),
        (limit, pushes) => {
          const ring = new Ring<number>(limit);
          let model: number[] = [];
          let next = 0;
          for (const push of pushes) {
            if (push) {
              ring.push(next++);
              model = [...model, next - 1].slice(-limit);
            } else {
              expect(ring.shift()).toBe(model.shift());
            }
          }
          expect([...ring]).toEqual(model);
          expect(ring.end).toBe(next);
          expect([...ring.copy()]).toEqual(model);
          for (let position = 0; position < next; position++) {
            expect(ring.at(position)).toBe(model.includes(position) ? position : undefined);
          }
        },
      ),
    );
  });

  it('says what fell off', () => {
    const ring = new Ring<string>(1);
    expect(ring.push('a')).toBeUndefined();
    expect(ring.push('b')).toBe('a');
  });
});
