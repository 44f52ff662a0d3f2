/** The built program beside tcpdump, which records the same packets, and tshark, which reads them. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Played, played, sceneNeeds } from './played.ts';
import { readCapture } from './read.ts';
import { tshark } from './tshark.ts';

const missing = sceneNeeds('curl');
const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const NUMBERS = [
  ...(['frame.number', 'frame.len', 'ip.src', 'ip.dst', 'tcp.srcport', 'tcp.dstport', 'tcp.stream'] as const),
  ...(['tcp.seq', 'tcp.len', 'tcp.window_size', 'udp.srcport', 'udp.stream'] as const),
];

describe.skipIf(missing !== null)('the program beside tcpdump and tshark', () => {
  let scene: Played;
  beforeAll(async () => {
    scene = await played('program');
  });
  afterAll(() => scene?.forget());

  async function open(file: string, ...words: string[]): Promise<string[]> {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [program, 'open', file, ...words],
      {
        maxBuffer: 1 << 26,
      },
    );
    expect(stderr).toBe('');
    return stdout.split('\n').slice(0, -1);
  }

  it('watch -w records what tcpdump records: the same bytes, headers and messages', async () => {
    const names = ['frame.len', 'ip.id', 'tcp.seq_raw', 'tcp.ack_raw', 'tcp.flags', 'tcp.payload'] as const;
    const theirs = await tshark(scene.file, names, { filter: 'tcp' });
    expect(theirs.length).toBeGreaterThan(30);
    expect(await tshark(`${scene.file}.ours.pcapng`, names, { filter: 'tcp' })).toEqual(theirs);
    const told = (file: string): unknown[] =>
      readCapture(file).messages.map(({ summary, fields }) => [summary, fields]);
    expect(told(`${scene.file}.ours.pcapng`)).toEqual(told(scene.file));
  });

  it('open --fields prints the columns that tshark prints', async () => {
    const theirs = await tshark(scene.file, NUMBERS);
    const lines = await open(scene.file, '--fields', NUMBERS.join(','));
    expect(lines).toEqual(theirs.map((row) => NUMBERS.map((name) => row[name][0] ?? '').join('\t')));
  });

  it('a display filter selects the packets that tshark selects', async () => {
    for (const filter of [
      'tcp.flags.syn == 1',
      'tcp.len > 1000',
      'udp',
      'tcp.stream == 1 and tcp.len > 0',
      'tcp.dstport == 8080',
    ]) {
      const theirs = await tshark(scene.file, ['frame.number'], { filter });
      expect(theirs.length).toBeGreaterThan(0);
      expect(await open(scene.file, '--fields', 'frame.number', filter)).toEqual(
        theirs.map((row) => row['frame.number'][0]),
      );
    }
  });

  it('open --messages --json says of requests and replies what tshark says', async () => {
    const names = ['http.request.method', 'http.request.uri', 'http.response.code'] as const;
    const theirs = await tshark(scene.file, names, { filter: 'http' });
    const lines = (await open(scene.file, '--messages', '--json')).map((line) => JSON.parse(line));
    const mine = lines.filter(({ type, protocol }) => type === 'message' && protocol === 'http');
    expect(
      mine.map(({ from, fields }) =>
        from === 'client' ? [fields.method, fields.path] : [String(fields.status)],
      ),
    ).toEqual(theirs.map((row) => names.flatMap((name) => row[name])));
    expect(theirs).toHaveLength(6);
  });
});
