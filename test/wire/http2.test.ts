/** HTTP/2 of curl, nghttp, nginx and nghttpd beside tshark. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Played, played, sceneNeeds } from './played.ts';
import { type ReadCapture, readCapture, type Told } from './read.ts';
import { noteDifferences, sameConversations, samePackets } from './same-packets.ts';
import { tsharkJson } from './tshark.ts';

const missing = sceneNeeds('nginx', 'nghttpd', 'nghttp', 'curl');
const options = ['-d', 'tcp.port==8081,http2', '-d', 'tcp.port==8082,http2'];

interface Frame {
  readonly packet: number;
  readonly connection: number;
  readonly toServer: boolean;
  readonly stream: number;
  readonly type: number;
  readonly length: number;
  readonly ends: boolean;
  /** Of HEADERS: the fields in it. */
  readonly headers: Readonly<Record<string, string>>;
}

type Tree = { readonly [name: string]: Tree | readonly Tree[] | string };

const many = (value: unknown): Tree[] =>
  value === undefined ? [] : ((Array.isArray(value) ? value : [value]) as Tree[]);

/** Every HTTP/2 frame in the order of the capture. */
async function framesOf(file: string): Promise<Frame[]> {
  const packets = (await tsharkJson(file, 'http2', { options })) as { _source: { layers: Tree } }[];
  return packets.flatMap(({ _source: { layers } }) => {
    const tcp = layers.tcp as Tree;
    const units = many(layers.http2).flatMap((layer) => many(layer['http2.stream']));
    return units.map((unit) => ({
      packet: Number((layers.frame as Tree)['frame.number']),
      connection: Number(tcp['tcp.stream']),
      toServer: tcp['tcp.dstport'] === '8081' || tcp['tcp.dstport'] === '8082',
      stream: Number(unit['http2.streamid']),
      type: Number(unit['http2.type']),
      length: Number(unit['http2.length']),
      ends: many(unit['http2.flags_tree']).some((tree) => tree['http2.flags.end_stream'] === '1'),
      headers: Object.fromEntries(
        many(unit['http2.header']).map((one) => [one['http2.header.name'], one['http2.header.value']]),
      ),
    }));
  });
}

describe.skipIf(missing !== null)('HTTP/2 beside tshark', () => {
  let scene: Played;
  let ours: ReadCapture;
  let frames: Frame[];
  beforeAll(async () => {
    scene = await played('http2');
    ours = readCapture(scene.file);
    frames = await framesOf(scene.file);
  });
  afterAll(() => scene?.forget());

  it('packets and conversations are the same', async () => {
    await samePackets(scene.file, ours);
    expect(await sameConversations(scene.file, ours)).toBeGreaterThan(10);
    expect((await noteDifferences(scene.file, ours)).differences).toEqual([]);
    expect(ours.troubles).toEqual([]);
  });

  /** What one side says on each stream: where it ends, its first headers and how much DATA. */
  function told(toServer: boolean): unknown[] {
    const all = new Map<string, { packet: number; headers: Record<string, string>; body: number }>();
    const whole: unknown[] = [];
    for (const frame of frames) {
      if (frame.toServer !== toServer || (frame.type !== 0 && frame.type !== 1)) {
        continue;
      }
      const key = `${frame.connection} ${frame.stream}`;
      const one = all.get(key) ?? { packet: 0, headers: {}, body: 0 };
      all.set(key, one);
      one.headers = frame.type === 1 && Object.keys(one.headers).length === 0 ? frame.headers : one.headers;
      one.body += frame.type === 0 ? frame.length : 0;
      if (frame.ends) {
        const { headers, body } = one;
        whole.push({
          packet: frame.packet,
          connection: frame.connection,
          stream: frame.stream,
          headers,
          body,
        });
      }
    }
    return whole;
  }

  function headersOf(fields: Told['fields'], prefix: string): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(fields).flatMap(([name, value]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
      ),
    );
  }

  it('requests: the packet, the stream, all headers and the length of the body', () => {
    const theirs = told(true);
    expect(theirs.length).toBeGreaterThan(15);
    expect(
      ours.messages
        .filter(({ kind, name }) => kind === 'request' && name !== 'PING')
        .map(({ frame, stream, fields }) => ({
          packet: frame,
          connection: stream,
          stream: fields.stream,
          headers: {
            ':method': fields.method,
            ':path': fields['path.raw'] ?? fields.path,
            ':scheme': 'http',
            ':authority': fields.host,
            ...headersOf(fields, 'request.header.'),
          },
          body: fields.length,
        })),
    ).toEqual(theirs);
  });

  it('replies: the packet, the stream, the status, all headers and the length of the body', () => {
    const theirs = told(false);
    expect(theirs.length).toBeGreaterThan(15);
    expect(
      ours.messages
        .filter(({ kind, name }) => kind === 'reply' && name !== 'PING')
        .map(({ frame, stream, fields }) => ({
          packet: frame,
          connection: stream,
          stream: fields.stream,
          headers: { ':status': String(fields.status), ...headersOf(fields, 'response.header.') },
          body: fields.length,
        })),
    ).toEqual(theirs);
  });

  it('settings and resets: the packet and the stream', () => {
    const kinds: Readonly<Record<number, string>> = { 3: 'RST_STREAM', 4: 'SETTINGS', 7: 'GOAWAY' };
    const theirs = frames.flatMap(({ type, packet }) =>
      kinds[type] === undefined ? [] : [`${packet} ${kinds[type]}`],
    );
    expect(theirs.length).toBeGreaterThan(20);
    expect(
      ours.messages
        .filter(({ name }) => Object.values(kinds).includes(name))
        .map(({ frame, name }) => `${frame} ${name}`),
    ).toEqual(theirs);
  });
});
