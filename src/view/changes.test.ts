import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Socket, SocketState } from '../session/socket.ts';
import { firstSight, GONE_LIMIT, HIGHLIGHT_MS, nextSight } from './changes.ts';

function row(cookie: string, state: SocketState = 'ESTABLISHED', recvQueue = 0): Socket {
  return {
    netns: 0,
    protocol: 'tcp',
    family: 4,
    state,
    local: { address: '127.0.0.1', port: 80 },
    peer: { address: '127.0.0.1', port: 1000 },
    recvQueue,
    sendQueue: 0,
    uid: 0,
    inode: 1,
    cookie,
    owners: [],
    ownerGap: 'none',
  };
}

describe('changes', () => {
  it('nothing is new at first sight', () => {
    expect(firstSight([row('a')]).marks.size).toBe(0);
  });

  it('names what is new, what is gone and which part changed', () => {
    const first = firstSight([row('a'), row('b'), row('c')]);
    const second = nextSight(first, [row('a', 'CLOSE-WAIT'), row('b', 'ESTABLISHED', 7), row('d')], 0);
    expect(second.marks.get('a')).toMatchObject({ kind: 'changed', state: true, queues: false });
    expect(second.marks.get('b')).toMatchObject({ kind: 'changed', state: false, queues: true });
    expect(second.marks.get('c')?.kind).toBe('gone');
    expect(second.marks.get('d')?.kind).toBe('new');
    expect(second.gone.map(({ cookie }) => cookie)).toEqual(['c']);
  });

  it('a highlight ends, and a vanished row with it', () => {
    const first = firstSight([row('a')]);
    const second = nextSight(first, [row('b')], 0);
    const held = nextSight(second, [row('b')], HIGHLIGHT_MS - 1);
    expect([...held.marks.keys()].sort()).toEqual(['a', 'b']);
    const after = nextSight(held, [row('b')], HIGHLIGHT_MS);
    expect(after.marks.size).toBe(0);
    expect(after.gone).toEqual([]);
  });

  it('a new row that changes stays new; a row that comes back is new, not gone', () => {
    const second = nextSight(firstSight([]), [row('a')], 0);
    expect(nextSight(second, [row('a', 'CLOSE-WAIT')], 1).marks.get('a')?.kind).toBe('new');
    const gone = nextSight(second, [], 1);
    const back = nextSight(gone, [row('a')], 2);
    expect(back.marks.get('a')?.kind).toBe('new');
    expect(back.gone).toEqual([]);
  });

  it('keeps a bounded number of vanished rows', () => {
    const many = Array.from({ length: GONE_LIMIT + 50 }, (_, index) => row(String(index)));
    expect(nextSight(firstSight(many), [], 0).gone).toHaveLength(GONE_LIMIT);
  });

  it('whatever the readings: a row is shown once, gone rows are absent, and marks point at shown rows', () => {
    const cookies = fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { maxLength: 10 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cookies, fc.integer({ min: 0, max: 3000 })), { maxLength: 12 }),
        (readings) => {
          let now = 0;
          let changes = firstSight([]);
          for (const [present, pause] of readings) {
            now += pause;
            changes = nextSight(
              changes,
              present.map((n) => row(String(n), 'ESTABLISHED', n * pause)),
              now,
            );
            const gone = changes.gone.map(({ cookie }) => cookie);
            const shown = [...changes.present.keys(), ...gone];
            expect(new Set(shown).size).toBe(shown.length);
            for (const [cookie, mark] of changes.marks) {
              expect(shown).toContain(cookie);
              expect(mark.kind === 'gone').toBe(gone.includes(cookie));
              expect(mark.until).toBeGreaterThan(now);
            }
            for (const cookie of gone) {
              expect(changes.marks.get(cookie)?.kind).toBe('gone');
            }
          }
        },
      ),
    );
  });
});
