/** psql, pgbench and PostgreSQL beside tshark. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Played, played, sceneNeeds } from './played.ts';
import { type ReadCapture, readCapture, type Told } from './read.ts';
import { noteDifferences, sameConversations, samePackets } from './same-packets.ts';
import { tshark } from './tshark.ts';

const missing = sceneNeeds('psql', 'pgbench', 'postgres');

describe.skipIf(missing !== null)('PostgreSQL beside tshark', () => {
  let scene: Played;
  let ours: ReadCapture;
  beforeAll(async () => {
    scene = await played('postgres');
    ours = readCapture(scene.file);
  });
  afterAll(() => scene?.forget());
  const of = (kind: Told['kind']): Told[] => ours.messages.filter((one) => one.kind === kind);
  const frame = (row: { 'frame.number': string[] }): number => Number(row['frame.number'][0]);

  it('packets and conversations are the same', async () => {
    await samePackets(scene.file, ours);
    expect(await sameConversations(scene.file, ours)).toBeGreaterThan(8);
    expect((await noteDifferences(scene.file, ours)).differences).toEqual([]);
    expect(ours.troubles).toEqual([]);
  });

  it('queries: the packet and the text', async () => {
    const names = ['frame.number', 'pgsql.query', 'pgsql.type'] as const;
    const rows = await tshark(scene.file, names, { filter: 'pgsql.query' });
    const theirs = rows.flatMap((row) => row['pgsql.query'].map((query) => [frame(row), query]));
    // tshark reads ASCII: each byte beyond it becomes U+FFFD.
    const ascii = (text: unknown): string =>
      Buffer.from(String(text)).reduce(
        (all, byte) => all + (byte < 128 ? String.fromCharCode(byte) : '\ufffd'),
        '',
      );
    expect(theirs.length).toBeGreaterThan(150);
    // A statement that was prepared before is known by its text to us also where it is executed.
    const prepared = of('request').filter(
      ({ fields, name }) => name !== 'Parse' && String(fields.statement ?? '') !== '',
    );
    expect(prepared.length).toBeGreaterThan(10);
    expect(
      of('request')
        .filter((one) => one.fields.query !== undefined && !prepared.includes(one))
        .map((one) => [one.frame, ascii(one.fields['query.raw'] ?? one.fields.query)]),
    ).toEqual(theirs);
  });

  it('parameters and rows: the packet and the values', async () => {
    const names = ['frame.number', 'tcp.dstport', 'pgsql.val.data'] as const;
    const rows = await tshark(scene.file, names, { filter: 'pgsql.val.data' });
    const cells = (values: unknown): string[] => (values as (string | null)[]).flatMap((one) => one ?? []);
    let parameters = 0;
    let columns = 0;
    for (const row of rows) {
      const theirs = row['pgsql.val.data'].map((hex) => Buffer.from(hex, 'hex').toString());
      const told = ours.messages.filter((one) => one.frame === frame(row));
      if (row['tcp.dstport'][0] === '5432') {
        expect(told.flatMap(({ fields }) => cells(fields.parameters ?? []))).toEqual(theirs);
        parameters += theirs.length;
      } else if (told.every(({ fields }) => Number(fields.count ?? 0) <= 3)) {
        const mine = told.flatMap(({ fields }) => ((fields.rows ?? []) as unknown[]).flatMap(cells));
        // Of a long value we keep the beginning.
        expect(mine.map((one) => one.slice(0, 1000))).toEqual(
          theirs.filter((one) => one !== '').map((one) => one.slice(0, 1000)),
        );
        columns += theirs.length;
      }
    }
    expect(parameters).toBeGreaterThan(100);
    expect(columns).toBeGreaterThan(20);
  });

  it('tags: the packet and the text', async () => {
    const names = ['frame.number', 'tcp.stream', 'pgsql.tag'] as const;
    const rows = await tshark(scene.file, names, { filter: 'pgsql.tag' });
    const theirs = rows.flatMap((row) => row['pgsql.tag'].map((tag) => [frame(row), tag]));
    expect(theirs.length).toBeGreaterThan(150);
    expect(
      ours.messages
        .filter(({ fields }) => fields.tag !== undefined)
        .map((one) => [one.frame, one.fields.tag]),
    ).toEqual(theirs);
  });

  it('errors and notices: code, message, severity, place', async () => {
    const parts = [
      'severity',
      'code',
      'message',
      'detail',
      'hint',
      'position',
      'where',
      'file',
      'line',
      'routine',
    ];
    const names = ['frame.number', 'tcp.stream', ...parts.map((part) => `pgsql.${part}`)];
    const rows = await tshark(scene.file, names, { filter: 'pgsql.code' });
    const text = (value: unknown): string[] => (value === undefined ? [] : [String(value)]);
    const mine = ours.messages
      .filter(({ fields }) => fields['error.code'] !== undefined || fields['notice.code'] !== undefined)
      .map(({ stream, fields }) => [
        stream,
        ...parts.map((part) => text(fields[`error.${part}`] ?? fields[`notice.${part}`])),
      ]);
    expect(mine.length).toBeGreaterThan(7);
    expect(mine).toEqual(
      rows.map((row) => [
        Number(row['tcp.stream']![0]),
        ...parts.map((part) => row[`pgsql.${part}`]!.slice(0, 1)),
      ]),
    );
  });
});
