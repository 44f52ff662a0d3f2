import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { rolldown } from 'rolldown';
import { describe, expect, it } from 'vitest';
import { countedIn, createConsumer, createProducer, createRing, PATIENCE_MS } from './observations.ts';

const impatient = { patient: false, wake() {} };

function numbered(number: number, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(4, length)).fill(number & 0xff);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

function numberOf(bytes: Uint8Array, from: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(from);
}

/** A worker that has createProducer and createRing's memory, and runs `body`. */
async function workerWith(shared: SharedArrayBuffer, body: string): Promise<Worker> {
  const input = fileURLToPath(new URL('./observations.ts', import.meta.url));
  const bundle = await rolldown({ input });
  const { output } = await bundle.generate({ format: 'cjs' });
  const code = `(function (exports) {${output[0].code}})(globalThis.ours = {});
    const { workerData: shared, parentPort } = require('node:worker_threads');
    const { createProducer } = globalThis.ours;
    ${body}`;
  return new Worker(code, { eval: true, workerData: shared, execArgv: [] });
}

const exited = (worker: Worker): Promise<void> =>
  new Promise((resolve, reject) => {
    worker.once('exit', () => resolve());
    worker.once('error', reject);
  });

describe('the ring of observations, in one thread', () => {
  it('gives what was put, in order, whatever the sequence of puts and takes', () => {
    const step = fc.oneof(
      fc.record({ put: fc.integer({ min: 0, max: 90 }) }),
      fc.record({ put: fc.integer({ min: 0, max: 600 }) }),
      fc.record({ take: fc.integer({ min: 0, max: 6 }) }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(64, 128, 512),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.array(step, { maxLength: 120 }),
        (capacity, start, steps) => {
          const shared = createRing(capacity);
          // Positions anywhere, also just before they wrap at 2^32.
          new Int32Array(shared).fill(start & ~3, 0, 2);
          const producer = createProducer(shared, impatient);
          const consumer = createConsumer(shared);
          const inside: Uint8Array[] = [];
          let lost = 0;
          let number = 0;
          for (const one of steps) {
            if ('put' in one) {
              const bytes = new Uint8Array(one.put + 7).map((_, index) => index * 31 + number);
              number++;
              if (producer.put(bytes, 3, one.put + 3)) {
                inside.push(bytes.slice(3, one.put + 3));
              } else {
                lost++;
              }
              const used = inside.reduce((sum, record) => sum + 4 + ((record.length + 3) & ~3), 0);
              expect(used).toBeLessThanOrEqual(capacity);
            } else {
              const expected = inside.splice(0, one.take);
              const got: Uint8Array[] = [];
              const taken = consumer.take((bytes, from, to) => {
                got.push(Uint8Array.from(bytes.subarray(from, to)));
              }, one.take);
              expect(taken).toBe(expected.length);
              expect(got).toEqual(expected);
            }
          }
          expect(producer.lost).toBe(lost);
          expect(consumer.lost()).toBe(lost);
          expect(consumer.lost()).toBe(0);
          expect(producer.counted).toBe(number - lost);
          expect(countedIn(shared)).toBe(number - lost);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('takes a record as large as the ring, and counts a larger one as lost without waiting', () => {
    const shared = createRing(256);
    const producer = createProducer(shared, { patient: true, wake() {} });
    const consumer = createConsumer(shared);
    const began = performance.now();
    expect(producer.put(numbered(1, 253), 0, 253)).toBe(false);
    expect(performance.now() - began).toBeLessThan(PATIENCE_MS);
    expect(producer.put(numbered(2, 252), 0, 252)).toBe(true);
    const lengths: number[] = [];
    consumer.take((_, from, to) => lengths.push(to - from));
    expect(lengths).toEqual([252]);
    expect(consumer.lost()).toBe(1);
  });

  it('wakes the consumer once per filling, not once per record', () => {
    const shared = createRing(4096);
    let wakes = 0;
    const producer = createProducer(shared, {
      patient: false,
      wake() {
        wakes++;
      },
    });
    const consumer = createConsumer(shared);
    const bytes = numbered(1, 8);
    for (let round = 1; round <= 3; round++) {
      for (let n = 0; n < 10; n++) {
        producer.put(bytes, 0, 8);
      }
      expect(wakes).toBe(round);
      expect(consumer.take(() => {}, 4)).toBe(4);
      producer.put(bytes, 0, 8);
      expect(wakes).toBe(round);
      expect(consumer.take(() => {})).toBe(7);
    }
  });

  it('a patient producer that nobody relieves gives up after its time, and counts', () => {
    const shared = createRing(64);
    const producer = createProducer(shared, { patient: true, wake() {} });
    expect(producer.put(numbered(1, 60), 0, 60)).toBe(true);
    const began = performance.now();
    expect(producer.put(numbered(2, 60), 0, 60)).toBe(false);
    expect(performance.now() - began).toBeGreaterThanOrEqual(PATIENCE_MS - 1);
    expect(producer.lost).toBe(1);
  });

  it('a callback that throws ends the take; its record is not handed over again', () => {
    const shared = createRing(256);
    const producer = createProducer(shared, impatient);
    const consumer = createConsumer(shared);
    producer.put(numbered(1, 8), 0, 8);
    producer.put(numbered(2, 8), 0, 8);
    expect(() =>
      consumer.take(() => {
        throw new Error('broken');
      }),
    ).toThrow('broken');
    const got: number[] = [];
    consumer.take((bytes, from) => got.push(numberOf(bytes, from)));
    expect(got).toEqual([2]);
  });

  it('lets what is put inside a callback come in the same take', () => {
    const shared = createRing(256);
    const producer = createProducer(shared, impatient);
    const consumer = createConsumer(shared);
    producer.put(numbered(1, 8), 0, 8);
    const got: number[] = [];
    consumer.take((bytes, from) => {
      const number = numberOf(bytes, from);
      got.push(number);
      if (number < 5) {
        producer.put(numbered(number + 1, 8), 0, 8);
      }
    });
    expect(got).toEqual([1, 2, 3, 4, 5]);
  });

  it('memory too small for a ring is refused', () => {
    expect(() => createConsumer(new SharedArrayBuffer(100))).toThrow(RangeError);
  });

  it('moves more than two million records of 64 bytes a second', () => {
    const shared = createRing(1 << 20);
    const producer = createProducer(shared, impatient);
    const consumer = createConsumer(shared);
    const bytes = numbered(7, 64);
    const each = () => {};
    const round = (): number => {
      const began = performance.now();
      for (let n = 0; n < 40; n++) {
        for (let record = 0; record < 10_000; record++) {
          producer.put(bytes, 0, 64);
        }
        consumer.take(each);
      }
      return 400_000 / ((performance.now() - began) / 1000);
    };
    const best = Math.max(round(), round(), round());
    expect(producer.lost).toBe(0);
    expect(best).toBeGreaterThan(2_000_000);
  });
});

describe('the ring of observations, between threads', () => {
  it('loses nothing with a patient producer in another thread, though the ring is small', async () => {
    const shared = createRing(1024);
    const worker = await workerWith(
      shared,
      `const bytes = new Uint8Array(300);
       const view = new DataView(bytes.buffer);
       const producer = createProducer(shared, { patient: true, wake() { parentPort.postMessage('more'); } });
       for (let n = 0; n < 5000; n++) {
         view.setUint32(0, n);
         producer.put(bytes, 0, 4 + n % 290);
       }`,
    );
    const consumer = createConsumer(shared);
    let next = 0;
    const take = () =>
      consumer.take((bytes, from, to) => {
        expect(to - from).toBe(4 + (next % 290));
        expect(numberOf(bytes, from)).toBe(next++);
      });
    worker.on('message', take);
    await exited(worker);
    take();
    expect(next).toBe(5_000);
    expect(consumer.lost()).toBe(0);
  });

  it('keeps what was counted when the worker is terminated in the middle of its puts', async () => {
    const shared = createRing(1 << 16);
    const worker = await workerWith(
      shared,
      `const bytes = new Uint8Array(64);
       const view = new DataView(bytes.buffer);
       const producer = createProducer(shared, { patient: true, wake() {} });
       for (let n = 0; ; n++) {
         view.setUint32(0, n);
         producer.put(bytes, 0, 64);
         if (n === 500) parentPort.postMessage('running');
       }`,
    );
    const consumer = createConsumer(shared);
    let next = 0;
    const take = () =>
      consumer.take((bytes, from) => {
        expect(numberOf(bytes, from)).toBe(next++);
      });
    await new Promise((resolve) => worker.once('message', resolve));
    take();
    await worker.terminate();
    take();
    const counted = countedIn(shared);
    expect(counted).toBeGreaterThan(500);
    // The thread may end between a record's becoming visible and its being counted; never the other way round.
    expect([counted, counted + 1]).toContain(next);
    expect(take()).toBe(0);
  });

  it('keeps what was counted when the worker ends right after its last put', async () => {
    const shared = createRing(1 << 16);
    const worker = await workerWith(
      shared,
      `const producer = createProducer(shared, { patient: false, wake() {} });
       for (let n = 0; n < 700; n++) producer.put(new Uint8Array(64), 0, 64);
       process.exit();`,
    );
    await exited(worker);
    expect(countedIn(shared)).toBe(700);
    expect(createConsumer(shared).take(() => {})).toBe(700);
  });
});
