import { describe, expect, it } from 'vitest';
import { ethernet, ipv4, tcp } from '../../../test/fixtures/frames.ts';
import { decoder as http1 } from '../../wire/app/http1.ts';
import { emptyOut } from '../../wire/bytes-out.ts';
import { LINK } from '../../wire/headers.ts';
import { createLane, type Lane } from '../../wire/lane.ts';
import { painter } from '../colour.ts';
import { BATCH_NS, FRAME_KEPT, MESSAGES, ROWS, type ScreenFeed, screenFeed } from './screen-feed.ts';
import { trimmed } from './screen-rows.ts';
import { wallClock } from './wall-clock.ts';

const encoder = new TextEncoder();

interface Bench {
  feed: ScreenFeed;
  lane: Lane;
  say(text: string): void;
  later(nanoseconds: number): void;
}

function bench(reveal = false): Bench {
  let now = 0;
  let seq = 1;
  const feed = screenFeed(
    {
      out: emptyOut(64),
      paint: painter(false),
      clock: wallClock(0, 0),
      filter: null,
      reveal,
      owner: (_, end) => (end === 0 ? { pid: 7, program: 'curl' } : null),
      device: () => '',
      limit: null,
    },
    () => now,
  );
  const lane = createLane(feed, { decoders: [http1], messages: true, checksums: false });
  return {
    feed,
    lane,
    say(text) {
      const data = encoder.encode(text);
      const parts = { sourcePort: 40_000, destinationPort: 80, seq, flags: 24 };
      const frame = ethernet({ type: 0x0800 }, ipv4({ protocol: 6 }, tcp(parts, data)));
      seq += data.length;
      lane.frame(frame, 0, frame.length, frame.length, now, LINK.ethernet);
    },
    later(nanoseconds) {
      now += nanoseconds;
    },
  };
}

const GET = 'GET /a HTTP/1.1\r\nhost: x\r\nauthorization: Bearer verysecret\r\n\r\n';

describe('the feed of the live screen', () => {
  it('hands over a packet with its connection, its message and what was said', () => {
    const { feed, say } = bench();
    say(GET);
    const batch = feed.take()!;
    expect(batch.rows).toHaveLength(1);
    expect(batch.rows[0]).toMatchObject({ number: 1, protocol: 'TCP', payload: GET.length, connection: 0 });
    expect(batch.connections[0]).toMatchObject({ id: 0, speaks: 'http', messages: 1, state: 'open' });
    expect(batch.connections[0]!.ends[0].owner).toEqual({ pid: 7, program: 'curl' });
    expect(batch.messages[0]).toMatchObject({ packet: 1, connection: 0, side: 'client' });
    expect(new TextDecoder().decode(batch.talk[0]!.bytes)).toBe(GET);
  });

  it('masks secrets in fields and names their bytes, and neither when asked to reveal', () => {
    const masked = bench();
    masked.say(GET);
    const batch = masked.feed.take()!;
    expect(JSON.stringify(batch.messages)).not.toContain('verysecret');
    expect(batch.secrets.flatMap(({ values }) => values.map((one) => new TextDecoder().decode(one)))).toEqual(
      ['Bearer verysecret'],
    );
    const open = bench(true);
    open.say(GET);
    const revealed = open.feed.take()!;
    expect(JSON.stringify(revealed.messages)).toContain('verysecret');
    expect(revealed.secrets).toEqual([]);
  });

  it('posts no more often than ten times a second, and nothing when there is nothing', () => {
    const { feed, say, later } = bench();
    expect(feed.take()).toBeNull();
    say('x');
    expect(feed.take()).not.toBeNull();
    say('y');
    later(BATCH_NS - 1);
    expect(feed.take()).toBeNull();
    later(1);
    expect(feed.take()!.rows).toHaveLength(1);
    later(BATCH_NS);
    expect(feed.take()).toBeNull();
  });

  it('counts what is beyond the bound of a batch, and the totals stay right', () => {
    const { feed, say } = bench();
    for (let i = 0; i < ROWS + 200; i++) {
      say(GET);
    }
    const batch = feed.take()!;
    expect(batch.packets).toBe(ROWS + 200);
    expect(batch.rows).toHaveLength(ROWS);
    expect(batch.missed).toEqual({ rows: 200, messages: ROWS + 200 - MESSAGES, connections: 0 });
    expect(batch.connections[0]!.ends[0].packets).toBe(ROWS + 200);
    expect(batch.connections[0]!.messages).toBe(ROWS + 200);
  });

  it('keeps no bytes of a message that was not read: nobody knows where its secrets are', () => {
    const { feed, say } = bench();
    for (let i = 0; i < MESSAGES + 5; i++) {
      say(GET);
    }
    const { rows, talk, unheard } = feed.take()!;
    const last = new TextDecoder().decode(rows.at(-1)!.frame);
    expect(last).not.toContain('verysecret');
    expect(talk).toEqual([]);
    expect(unheard.get(0)).toBe((MESSAGES + 5) * GET.length);
  });

  it('asks for the owner of an end again, a few times, and then lets it be', () => {
    const { feed, say, later } = bench();
    say('x');
    expect(feed.take()!.connections).toHaveLength(1);
    let again = 0;
    for (let i = 0; i < 20; i++) {
      later(1e9);
      again += feed.take()?.connections.length ?? 0;
    }
    expect(again).toBe(3);
  });

  it('keeps the beginning of a large frame, in a copy', () => {
    const { feed, say } = bench();
    say('z'.repeat(5000));
    expect(feed.take()!.rows[0]!.frame).toHaveLength(FRAME_KEPT);
  });

  it('cuts long texts, long lists and deep values', () => {
    const deep = { a: { b: { c: { d: { e: 1 } } } } };
    const result = trimmed({
      text: 'x'.repeat(9000),
      list: Array.from({ length: 900 }, (_, i) => i),
      deep,
      n: 5n,
    });
    expect(String(result.text).length).toBeLessThan(2100);
    expect(result.list).toHaveLength(65);
    expect(JSON.stringify(result.deep)).toBe('{"a":{"b":{"c":{"d":"…"}}}}');
    expect(result.n).toBe(5n);
  });
});
