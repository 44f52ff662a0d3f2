/** HTTP/1.1 of curl, nginx and Node beside tshark. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Played, played, sceneNeeds } from './played.ts';
import { type ReadCapture, readCapture, type Told } from './read.ts';
import { noteDifferences, sameConversations, samePackets } from './same-packets.ts';
import { tshark } from './tshark.ts';

const missing = sceneNeeds('nginx', 'curl');
// Two processors may record segments of one connection in another order than they crossed.
const options = ['-d', 'tcp.port==9000,http', '-o', 'tcp.reassemble_out_of_order:TRUE'];

describe.skipIf(missing !== null)('HTTP/1.1 beside tshark', () => {
  let scene: Played;
  let ours: ReadCapture;
  let requests: Told[];
  let replies: Told[];

  beforeAll(async () => {
    scene = await played('http1');
    ours = readCapture(scene.file);
    requests = ours.messages.filter(({ kind }) => kind === 'request');
    replies = ours.messages.filter(({ kind }) => kind === 'reply');
  });
  afterAll(() => scene?.forget());

  it('packets and conversations are the same', async () => {
    await samePackets(scene.file, ours);
    expect(await sameConversations(scene.file, ours)).toBeGreaterThan(15);
    expect((await noteDifferences(scene.file, ours)).differences).toEqual([]);
  });

  it('requests: the packet, method, path, host, version and headers', async () => {
    const names = [
      'frame.number',
      'tcp.stream',
      'http.request.method',
      'http.request.uri',
      'http.host',
    ] as const;
    const theirs = (await tshark(scene.file, names, { filter: 'http.request', options })).flatMap((row) =>
      row['http.request.method'].map((method, i) => ({
        frame: Number(row['frame.number'][0]),
        stream: Number(row['tcp.stream'][0]),
        method,
        path: row['http.request.uri'][i],
        host: row['http.host'][i],
      })),
    );
    expect(theirs.length).toBeGreaterThan(25);
    expect(
      requests.map(({ frame, stream, fields }) => ({
        frame,
        stream,
        method: fields.method,
        path: fields['path.raw'] ?? fields.path,
        host: fields['request.header.host'],
      })),
    ).toEqual(theirs);
  });

  it('replies: the packet, status, length and header', async () => {
    const names = [
      ...(['frame.number', 'tcp.stream', 'http.response.code', 'http.response.phrase'] as const),
      ...([
        'http.content_length_header',
        'http.server',
        'http.content_encoding',
        'http.transfer_encoding',
      ] as const),
    ];
    const theirs = await tshark(scene.file, names, { filter: 'http.response', options });
    expect(theirs.length).toBeGreaterThan(25);
    const header = (told: Told, name: string): string[] => {
      const value = told.fields[`response.header.${name}`];
      return value === undefined ? [] : [String(value)];
    };
    // Several replies in one packet are one line of tshark's.
    expect(
      [...byFrame(replies)].map(([frame, told]) => ({
        'frame.number': [String(frame)],
        'tcp.stream': [String(told[0]!.stream)],
        'http.response.code': told.map(({ fields }) => String(fields.status)),
        'http.response.phrase': told.map(({ fields }) => String(fields.reason)),
        'http.content_length_header': told.flatMap((one) => header(one, 'content-length')),
        'http.server': told.flatMap((one) => header(one, 'server')),
        'http.content_encoding': told.flatMap((one) => header(one, 'content-encoding')),
        'http.transfer_encoding': told.flatMap((one) => header(one, 'transfer-encoding')),
      })),
    ).toEqual(theirs);
    // The server's 400 says that HTTP was meant; what the client wrote has no method, path and version.
    expect(ours.troubles).toEqual([
      {
        frame: expect.any(Number),
        stream: replies.at(-1)!.stream,
        side: 'client',
        why: 'not a request line',
      },
    ]);
  });

  // From the packet with the request's last byte to the packet with the reply's: tshark puts messages together first as well.
  it('latencies are http.time, to the nanosecond', async () => {
    const names = ['frame.number', 'http.time'] as const;
    const theirs = await tshark(scene.file, names, { filter: 'http.response', options });
    const told = byFrame(replies);
    const untimed: unknown[] = [];
    for (const row of theirs) {
      const times = row['http.time'].map((time) => Math.round(Number(time) * 1e9));
      for (const { fields, asked, latency } of told.get(Number(row['frame.number'][0]))!) {
        const time = times.shift();
        if (time === undefined) {
          untimed.push([fields.status, asked]);
        } else {
          expect(latency).toBe(time);
        }
      }
    }
    // Of pipelined requests tshark times the first alone; 100 comes before the request is whole, and the last 400 has none.
    expect(untimed).toEqual([
      [100, null],
      [100, null],
      [404, 'GET'],
      [200, 'HEAD'],
      [400, null],
    ]);
  });

  it('bodies are the same, without chunks and unpacked', async () => {
    const names = ['frame.number', 'http.file_data'] as const;
    const theirs = await tshark(scene.file, names, { filter: 'http.file_data', options });
    const bodies = ours.messages.filter(
      ({ fields }) => typeof fields.body === 'string' && fields.body !== '',
    );
    const shown = theirs.filter((row) => row['http.file_data'].length > 0);
    expect(shown.length).toBeGreaterThan(25);
    expect(bodies.map(({ frame, fields }) => [frame, fields['body.bytes'], fields.body])).toEqual(
      shown.flatMap((row) =>
        row['http.file_data'].map((text) => [
          Number(row['frame.number'][0]),
          text.length,
          text.slice(0, 16_384),
        ]),
      ),
    );
  });
});

function byFrame(all: readonly Told[]): Map<number, Told[]> {
  const found = new Map<number, Told[]>();
  for (const one of all) {
    found.set(one.frame, [...(found.get(one.frame) ?? []), one]);
  }
  return found;
}
