import { expect, it } from 'vitest';
import { linkCauses } from './causes.ts';
import { becauseOf } from './causes-chain.ts';
import type { Event, Packet } from './events.ts';

const connection = 'tcp/1/10.9.0.1:40000>10.9.0.2:80#1';
const packet = (
  at: number,
  id: number,
  from: 'client' | 'server',
  flags: Packet['flags'],
  seq: number,
  ack: number,
  length = 0,
): Event => ({
  type: 'packet',
  at,
  id,
  host: from,
  interface: 'lan',
  connection,
  from,
  protocol: 'tcp',
  flags: flags ?? [],
  seq,
  ack,
  window: 1000,
  length,
  frameLength: 66 + length,
  notes: [],
});
const arrives = (at: number, id: number, host: string): Event => ({
  type: 'fate',
  at,
  packet: id,
  host,
  connection,
  what: 'delivered',
});
const call = (at: number, name: string, result: number, errno?: string): Event => ({
  type: 'syscall',
  at,
  took: 1000,
  host: 'client',
  connection,
  side: 'client',
  pid: 1,
  tid: 1,
  fd: 5,
  name,
  args: [5],
  result,
  ...(errno === undefined ? {} : { errno }),
});

const MS = 1e6;
/** A server that has forgotten the connection answers what the client sends. */
const forgotten: readonly Event[] = [
  packet(0, 1, 'client', ['SYN'], 100, 0),
  arrives(1 * MS, 1, 'server'),
  packet(1 * MS, 2, 'server', ['SYN', 'ACK'], 500, 101),
  arrives(2 * MS, 2, 'client'),
  packet(2 * MS, 3, 'client', ['ACK'], 101, 501),
  arrives(3 * MS, 3, 'server'),
  call(50 * MS, 'send', 2),
  packet(50 * MS, 4, 'client', ['PSH', 'ACK'], 101, 501, 2),
  arrives(51 * MS, 4, 'server'),
  packet(51 * MS, 5, 'server', ['RST'], 501, 0),
  arrives(52 * MS, 5, 'client'),
  call(60 * MS, 'recv', -1, 'ECONNRESET'),
];

it('an ECONNRESET leads back over the RST to the send that it answers', () => {
  const chain = becauseOf(forgotten.at(-1)!, linkCauses(forgotten), 10);
  expect(chain.map(({ why, event }) => [why, event.at / MS])).toEqual([
    ['error from', 52],
    ['fate of', 51],
    ['answers', 51],
    ['fate of', 50],
    ['sent by', 50],
  ]);
});

it('a chain is as long as it is asked to be, and none begins where nothing is certain', () => {
  const causes = linkCauses(forgotten);
  expect(becauseOf(forgotten.at(-1)!, causes, 2)).toHaveLength(2);
  expect(becauseOf(forgotten[6]!, causes, 5)).toEqual([]);
});

it('a RST whose number nobody acknowledged answers nobody', () => {
  const other = forgotten.map((event) =>
    event.type === 'packet' && event.flags?.join() === 'RST' ? { ...event, seq: 777 } : event,
  );
  expect(linkCauses(other).filter(({ why }) => why === 'answers')).toEqual([]);
});
