import { expect, test } from 'vitest';
import { anySplitGivesTheSame, client, hear, server, survivesAnything } from './decoder.contract.ts';
import { decoder } from './hex.ts';

const numbers = (count: number) => Uint8Array.from({ length: count }, (_, i) => i);

test('the first 64 bytes of a side are shown, and at its end how many there were', () => {
  const turns = [client(numbers(40)), server('AB'), client(numbers(200))];
  const { said, troubles } = hear(decoder, turns);
  expect(troubles).toEqual([]);
  expect(said.map((one) => [one.side, one.kind, one.name, one.bytes])).toEqual([
    ['client', 'notice', 'first bytes', 64],
    ['client', 'notice', 'end', 176],
    ['server', 'notice', 'first bytes', 2],
  ]);
  expect(said[0]!.fields.hex).toMatch(/^000102.*2627000102.*1617$/);
  expect(said[0]!.fields.text).toHaveLength(64);
  expect(said[0]!.summary).toBe(
    `00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f …  ${'.'.repeat(32)} !"#$%&'${'.'.repeat(24)}`,
  );
  expect(said[1]).toMatchObject({ fields: { size: 240 }, summary: '240 B in all' });
  expect(said[2]).toMatchObject({ fields: { hex: '4142', text: 'AB', size: 2 }, summary: '41 42  AB' });
  anySplitGivesTheSame(decoder, turns);
  survivesAnything(decoder, turns);
});

test('a thousand segments each way are two notices each way', () => {
  const turns = Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? client : server)(numbers(50)));
  const { said, troubles } = hear(decoder, turns);
  expect(troubles).toEqual([]);
  expect(said.map(({ side, name }) => [side, name]).toSorted()).toEqual([
    ['client', 'end'],
    ['client', 'first bytes'],
    ['server', 'end'],
    ['server', 'first bytes'],
  ]);
});

test('exactly 64 bytes are both', () => {
  const turns = [client(numbers(64))];
  expect(hear(decoder, turns).said.map(({ name, bytes }) => [name, bytes])).toEqual([
    ['first bytes', 64],
    ['end', 0],
  ]);
  anySplitGivesTheSame(decoder, turns);
});

test('a datagram is a notice', () => {
  const { said } = hear(decoder, [client(numbers(100)), server('x')], { transport: 'udp' });
  expect(said.map(({ name, bytes }) => [name, bytes])).toEqual([
    ['datagram', 100],
    ['datagram', 1],
  ]);
  expect(said[0]!.fields).toMatchObject({ size: 100 });
  expect(String(said[0]!.fields.hex)).toHaveLength(128);
});

test('a side that says nothing is not spoken of', () => {
  expect(hear(decoder, []).said).toEqual([]);
});

test('it takes anything, after everybody else', () => {
  const hint = { transport: 'tcp', clientPort: 1, serverPort: 2, side: 'client', midStream: false } as const;
  expect(decoder.recognises(hint, numbers(9), 0, 9)).toBe(0.01);
});
