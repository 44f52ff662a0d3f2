import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Early, youngFlows } from './young-flows.ts';

const early = (at: number, size = 1): Early => ({
  bytes: new Uint8Array(size),
  wireLength: size,
  at,
  etherType: 0x0800,
  ifindex: 1,
});

describe('beginnings that nobody has asked for yet', () => {
  it('come back in order, once, and only where the first packet was seen', () => {
    const flows = youngFlows<string>();
    flows.keep(
      'late',
      false,
      () => 'late',
      () => early(1),
    );
    flows.keep(
      'whole',
      true,
      () => 'whole',
      () => early(2),
    );
    flows.keep(
      'whole',
      false,
      () => 'whole',
      () => early(3),
    );
    expect(flows.take('late')).toEqual([]);
    expect(flows.take('whole').map(({ at }) => at)).toEqual([2, 3]);
    expect(flows.take('whole')).toEqual([]);
  });

  it('are forgotten when they are old', () => {
    const flows = youngFlows<number>();
    for (const at of [1, 2, 3]) {
      flows.keep(
        `${at}`,
        true,
        () => at,
        () => early(at),
      );
    }
    flows.forget(3);
    expect([...flows.all()].map(({ about }) => about)).toEqual([3]);
  });

  it('are bounded in number and bytes, and the newest stay', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 200, maxLength: 400 }),
        (sizes) => {
          const flows = youngFlows<number>();
          sizes.forEach((size, index) => {
            flows.keep(
              `${index}`,
              true,
              () => index,
              () => early(index, size),
            );
          });
          const kept = [...flows.all()];
          const bytes = kept
            .flatMap(({ packets }) => packets)
            .reduce((sum, one) => sum + one.bytes.length, 0);
          expect(bytes).toBeLessThanOrEqual(8 << 20);
          expect(kept.at(-1)?.about).toBe(sizes.length - 1);
          expect(kept.map(({ about }) => about)).toEqual(
            Array.from({ length: kept.length }, (_, index) => sizes.length - kept.length + index),
          );
        },
      ),
      { numRuns: 20 },
    );
  });
});
