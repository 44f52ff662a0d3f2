import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Verdict } from '../tap/control.ts';
import type { Held } from '../tap/observation.ts';
import { createHolding } from './tap-hold.ts';
import { readOrder, takeOrders } from './tap-orders.ts';

describe('an order on standard input', () => {
  it('lets go, drops, or says what is sent instead', () => {
    expect(readOrder('{"release":3,"verdict":"go"}')).toEqual({ release: 3, verdict: { verdict: 'go' } });
    expect(readOrder('{"release":3,"verdict":"edit","base64":"AP8="}')).toEqual({
      release: 3,
      verdict: { verdict: 'edit', bytes: new Uint8Array([0, 255]) },
    });
  });

  it.each([
    ['{', /no JSON/],
    ['[]', /orders nothing/],
    ['null', /orders nothing/],
    ['{"release":"3","verdict":"go"}', /a number/],
    ['{"release":1.5,"verdict":"go"}', /a number/],
    ['{"release":3}', /no verdict null/],
    ['{"release":3,"verdict":"edit"}', /needs "base64"/],
    ['{"release":3,"verdict":"edit","base64":"not base64"}', /needs "base64"/],
  ])('that is wrong is told so: %s', (line, message) => {
    expect(readOrder(line)).toEqual({
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/\S/),
    });
  });
});

describe('orders', () => {
  function start() {
    const released: [number, Verdict['verdict']][] = [];
    const rows: Record<string, unknown>[] = [];
    const holding = createHolding((id, { verdict }) => released.push([id, verdict]));
    for (const id of [1, 2]) {
      holding.seen({
        type: 'held',
        id,
        at: 0,
        tap: 't',
        connection: id,
        bytes: new Uint8Array(1),
        heard: {} as Held['heard'],
      });
    }
    const input = new PassThrough();
    takeOrders(input as unknown as NodeJS.ReadStream, { holding, tell: (row) => rows.push(row) });
    return { input, released, rows };
  }

  it('are read across pieces, and a wrong one does not spoil the next', async () => {
    const { input, released, rows } = start();
    input.write('{"rel');
    input.write(
      'ease":1,"verdict":"drop"}\n\noops\n{"release":1,"verdict":"go"}\n{"release":2,"verdict":"go"}',
    );
    input.end();
    await new Promise((resolve) => input.once('end', resolve));
    expect(released).toEqual([
      [1, 'drop'],
      [2, 'go'],
    ]);
    expect(rows).toMatchObject([
      { type: 'error', line: 'oops' },
      { type: 'error', message: 'Nothing is held under 1.' },
      { type: 'unheld' },
    ]);
  });

  it('that never end are thrown away up to their end', async () => {
    const { input, released, rows } = start();
    const piece = 'x'.repeat(1024 * 1024);
    for (let i = 0; i < 20; i++) {
      input.write(piece);
    }
    input.end('\n{"release":2,"verdict":"drop"}\n');
    await new Promise((resolve) => input.once('end', resolve));
    expect(rows.map(({ type, message }) => message ?? type)).toEqual(['This line is too long.', 'unheld']);
    expect(released).toEqual([
      [2, 'drop'],
      [1, 'go'],
    ]);
  });
});
