/** What is said of packets on a wire that loses, doubles and reorders, beside tshark. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PacketNote } from '../../src/wire/notes.ts';
import { type Played, played, sceneNeeds } from './played.ts';
import { type ReadCapture, readCapture, type Seen } from './read.ts';
import { noteDifferences, sameConversations, samePackets } from './same-packets.ts';

const missing = sceneNeeds('python3', 'nsenter', 'editcap');

const FIN = 1;
const SYN = 2;
const ACK = 16;

/** What a scene has at least of each. */
const SEEN: readonly (readonly [PacketNote, number])[] = [
  ...([
    ['retransmission', 15],
    ['fast-retransmission', 5],
    ['spurious-retransmission', 2],
    ['out-of-order', 5],
  ] as const),
  ...([
    ['dup-ack', 50],
    ['gap-before', 8],
    ['window-full', 3],
    ['window-update', 5],
    ['zero-window', 1],
  ] as const),
  ...([
    ['keep-alive', 3],
    ['keep-alive-ack', 1],
  ] as const),
];

describe.skipIf(missing !== null)('a lossy wire beside tshark', () => {
  let scene: Played;
  let ours: ReadCapture;
  beforeAll(async () => {
    scene = await played('lossy');
    ours = readCapture(scene.file);
  });
  afterAll(() => scene?.forget());

  it('addresses, ports, relative numbers, flags, windows and conversations are the same', async () => {
    await samePackets(scene.file, ours);
    expect(await sameConversations(scene.file, ours)).toBe(5);
    expect(ours.packets.length).toBeGreaterThan(1000);
  });

  it('every note is made on the same packets', async () => {
    const { differences, same } = await noteDifferences(scene.file, ours);
    expect(differences).toEqual([]);
    for (const [note, atLeast] of SEEN) {
      expect([note, Math.min(same.get(note) ?? 0, atLeast)]).toEqual([note, atLeast]);
    }
  });

  // As after a capture that could not keep up.
  it('with every 40th packet missing', async () => {
    const thinned = `${scene.file}.thinned.pcap`;
    const gone = ours.packets.filter(({ frame }) => frame % 40 === 0).map(({ frame }) => String(frame));
    await promisify(execFile)('editcap', ['-F', 'nsecpcap', scene.file, thinned, ...gone]);
    const seen = readCapture(thinned);
    await samePackets(thinned, seen);
    const { differences, same } = await noteDifferences(thinned, seen);
    // tshark keeps one edge of what was seen, and it goes astray at holes and at what fills them. Ours is held against the truth.
    expect(differences.filter(({ note }) => note !== 'acks-unseen')).toEqual([]);
    expect(same.get('gap-before')).toBeGreaterThan(20);
    const unseen = ackedUnseen(seen.packets);
    expect(unseen.length).toBeGreaterThan(3);
    expect(
      seen.packets.filter(({ notes }) => notes.includes('acks-unseen')).map(({ frame }) => frame),
    ).toEqual(unseen);
    expect(seen.lost).toBeGreaterThan(1000);
  });
});

/** What was seen of one end, number by number: SYN, bytes and FIN. And how far acknowledgements of it were judged. */
interface Numbers {
  readonly seen: Uint8Array;
  judged: number;
}

/** Frames whose acknowledgement covers, for the first time, something that no packet before them had. */
function ackedUnseen(packets: readonly Seen[]): number[] {
  const ends = new Map<string, Numbers>();
  return packets
    .filter(({ stream, source, seq, payload, flags, ack }) => {
      const own = ends.get(`${stream} ${source}`) ?? { seen: new Uint8Array(1 << 20), judged: seq };
      ends.set(`${stream} ${source}`, own);
      own.seen.fill(1, seq, seq + payload + ((flags & (SYN | FIN)) === 0 ? 0 : 1));
      const other = [...ends].find(
        ([key]) => key.startsWith(`${stream} `) && key !== `${stream} ${source}`,
      )?.[1];
      if (other === undefined || (flags & ACK) === 0 || ack <= other.judged) {
        return false;
      }
      const unseen = other.seen.subarray(other.judged, ack).includes(0);
      other.judged = ack;
      return unseen;
    })
    .map(({ frame }) => frame);
}
