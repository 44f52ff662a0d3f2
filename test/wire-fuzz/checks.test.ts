/** The checks of the fuzz tests find what they are there for. */
import { describe, expect, it } from 'vitest';
import type { Decoder, Message } from '../../src/wire/app/decoder.ts';
import type { Values } from '../../src/wire/value.ts';
import { checkMessage } from './checks.ts';
import { fuzz } from './run.ts';

const fields: Values = { command: 'AUTH', password: 'very-s3cret', 'header.a': 'b' };

function checked(more: Partial<Message>, summary = 'AUTH', times = 1): () => void {
  const decoder = {
    name: 'fake',
    secrets: ['password'],
    speaks: { fake: ['command', 'password', 'header.*'] },
    summary: () => summary,
  } as unknown as Decoder;
  const message: Message = {
    protocol: 'fake',
    kind: 'request',
    name: 'AUTH',
    bytes: 1,
    fields: () => fields,
    ...more,
  };
  return () =>
    checkMessage({ side: 'client', decoder, message, at: 0, began: 0, asked: null, endsAt: 0 }, () => times);
}

describe('a message', () => {
  it('that is as it should be passes', () => {
    expect(checked({})).not.toThrow();
  });

  it.each<[string, RegExp, () => void]>([
    [
      'with its secret in the summary',
      /secret password .* is in the summary/,
      checked({}, 'AUTH very-s3cret'),
    ],
    ['with its secret in its name', /is in the name/, checked({ name: 'AUTH very-s3cret' })],
    [
      'with its secret in another field',
      /is in header.a/,
      checked({ fields: () => ({ ...fields, 'header.a': ['x', 'very-s3cret!'] }) }),
    ],
    ['with a summary of two lines', /summary of 3 characters/, checked({}, 'a\nb')],
    ['with a summary that is too long', /summary of 301/, checked({}, 'a'.repeat(301))],
    ['with an escape in its name', /control characters/, checked({ name: '\x1b[2J' })],
    ['with fewer than no bytes', /-1 bytes/, checked({ bytes: -1 })],
    ['with a field nobody announced', /does not say/, checked({ fields: () => ({ other: 1 }) })],
    ['of a protocol nobody announced', /does not say/, checked({ protocol: 'other' })],
    [
      'with bytes in a field',
      /no plain value/,
      checked({ fields: () => ({ command: new Uint8Array(1) as never }) }),
    ],
    [
      'with a text that is not cut',
      /a text of/,
      checked({ fields: () => ({ command: 'a'.repeat(20_000) }) }),
    ],
  ])('%s is found', (_, message, check) => {
    expect(check).toThrow(message);
  });

  it('may show a secret that was said elsewhere too', () => {
    expect(checked({}, 'AUTH very-s3cret', 2)).not.toThrow();
  });
});

describe('a batch', () => {
  it('with a piece that is slow each time is found', () => {
    const slow = {
      name: 'slow',
      allowed: 5,
      batch(_: unknown, clock: { start(): void; stop(): void }) {
        clock.start();
        // The processor's time: others may have the cores.
        for (const since = process.cpuUsage(); process.cpuUsage(since).user < 12_000; ) {}
        clock.stop();
        return 1;
      },
    };
    expect(() => fuzz(slow, 1)).toThrow(/slow: seed \d+, batch 0: piece 0 took/);
  });

  it('that breaks something says which it was', () => {
    const broken = {
      name: 'broken',
      batch() {
        throw new Error('x');
      },
    };
    expect(() => fuzz(broken, 1)).toThrow(/broken: seed \d+, batch 0: x/);
  });
});
