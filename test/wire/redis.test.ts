/** Redis' clients and server beside tshark, whose RESP dissector knows RESP2. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Side } from '../../src/wire/app/decoder.ts';
import type { Value } from '../../src/wire/value.ts';
import { type Played, played, sceneNeeds } from './played.ts';
import { type ReadCapture, readCapture, type Told } from './read.ts';
import { noteDifferences, sameConversations, samePackets } from './same-packets.ts';
import { tshark } from './tshark.ts';

const missing = sceneNeeds('redis-server', 'redis-cli', 'redis-benchmark');
const LEAVES = ['resp.string', 'resp.error', 'resp.bulk_string.value', 'resp.integer'] as const;

/** Every word in a value, without its structure; nothing for null and for an empty string, which tshark leaves out too. */
function leaves(value: Value | undefined): string[] {
  if (Array.isArray(value)) {
    return value.flatMap(leaves);
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([key, held]) => [key, ...leaves(held)]);
  }
  return value === null || value === '' || value === undefined
    ? []
    : [String(value).replace(/^\(error\) /, '')];
}

function words({ kind, name, fields }: Told): string[] {
  switch (kind) {
    case 'request':
      return [...String(fields.command).split(' '), ...leaves(fields.args)];
    case 'reply':
      return leaves(fields.error ?? fields.reply);
    default:
      return [
        name,
        ...leaves(fields.channel),
        ...leaves(fields.payload),
        ...leaves(fields.keys),
        ...leaves(fields.count),
      ];
  }
}

const RESP3 = ['map', 'set', 'double', 'null', 'boolean', 'bignumber', 'verbatim', 'push'];

describe.skipIf(missing !== null)('Redis beside tshark', () => {
  let scene: Played;
  let ours: ReadCapture;
  beforeAll(async () => {
    scene = await played('redis');
    ours = readCapture(scene.file);
  });
  afterAll(() => scene?.forget());

  it('packets and conversations are the same', async () => {
    await samePackets(scene.file, ours);
    expect(await sameConversations(scene.file, ours)).toBeGreaterThan(10);
    expect((await noteDifferences(scene.file, ours)).differences).toEqual([]);
  });

  it('commands and replies: the same words, packet by packet', async () => {
    const names = ['frame.number', 'tcp.stream', 'tcp.dstport', ...LEAVES] as const;
    const rows = await tshark(scene.file, names, { filter: 'resp' });
    expect(ours.troubles).toEqual([]);
    const why = new Map<string, number>();
    let same = 0;
    for (const row of rows) {
      const frame = Number(row['frame.number'][0]);
      const side = row['tcp.dstport'][0] === '6379' ? 'client' : 'server';
      const told = ours.messages.filter((one) => one.frame === frame && one.side === side);
      const theirs = LEAVES.flatMap((name) =>
        name === 'resp.bulk_string.value'
          ? row[name].map((hex) => Buffer.from(hex, 'hex').toString())
          : row[name],
      );
      // We write commands in capitals, whoever sent them.
      const alike = (all: readonly string[]): string =>
        JSON.stringify(all.map((one) => one.toUpperCase()).sort());
      if (alike(told.flatMap(words)) === alike(theirs)) {
        same++;
        continue;
      }
      const reason = reasonFor(frame, Number(row['tcp.stream'][0]), side, told);
      why.set(reason, (why.get(reason) ?? 0) + 1);
    }
    expect(same).toBeGreaterThan(250);
    expect([...why.keys()].sort()).toEqual([
      'RESP3',
      'bytes that are no text',
      'in several packets',
      'inline',
    ]);
  });

  /** What tshark's dissector does not do. Nothing: the difference is ours. */
  function reasonFor(frame: number, stream: number, side: Side, told: readonly Told[]): string {
    const { at } = ours.packets[frame - 1]!;
    const around = ours.messages.filter(
      (one) =>
        one.stream === stream && one.side === side && one.began <= at && one.at >= at && one.began < one.at,
    );
    if (side === 'client' && told.some(({ bytes, fields }) => bytes === inlineLength(fields))) {
      return 'inline';
    }
    if (around.length > 0) {
      return 'in several packets';
    }
    if (told.some(({ fields, kind }) => kind === 'notice' || RESP3.includes(String(fields.type)))) {
      return 'RESP3';
    }
    return told.some((one) => words(one).some((word) => /\\x[0-9a-f]{2}/.test(word)))
      ? 'bytes that are no text'
      : '';
  }
});

/** How long a command is that was written as a line. */
function inlineLength({ command, args }: Told['fields']): number {
  return [String(command), ...(args as readonly string[])].join(' ').length + 2;
}
