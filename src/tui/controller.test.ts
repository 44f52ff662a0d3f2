import { describe, expect, it } from 'vitest';
import { SockscopeError } from '../errors.ts';
import type { Reading } from '../see/sockets.ts';
import type { Socket } from '../session/socket.ts';
import { type Controller, createController, type Timing } from './controller.ts';
import { screenLines } from './lines.ts';
import type { WatchOptions } from './options.ts';
import { lineWidth } from './spans.ts';
import { makeSocket } from './testing.ts';

/** A clock that tests move, with at most one thing due on it. */
function clock(): Timing & { advance(ms: number): void; due(): number | null } {
  let now = 0;
  let next: { at: number; run: () => void } | null = null;
  return {
    now: () => now,
    later(ms, run) {
      const mine = { at: now + ms, run };
      next = mine;
      return () => {
        if (next === mine) {
          next = null;
        }
      };
    },
    due: () => (next === null ? null : next.at - now),
    advance(ms) {
      const end = now + ms;
      while (next !== null && next.at <= end) {
        const { at, run } = next;
        next = null;
        now = at;
        run();
      }
      now = end;
    },
  };
}

const LISTENER = makeSocket({
  cookie: '1',
  state: 'LISTEN',
  peer: { address: '0.0.0.0', port: 0 },
  accept: { used: 0, limit: 128 },
  owners: [{ pid: 4242, fd: 3, name: 'node' }],
});
const CLIENT = makeSocket({ cookie: '2' });

function screen(
  sockets: () => Socket[],
  options: Partial<WatchOptions> = {},
  size = { columns: 100, rows: 20 },
): {
  controller: Controller;
  time: ReturnType<typeof clock>;
  text: () => string;
  press: (...keys: string[]) => void;
} {
  const time = clock();
  const read = (): Reading => ({ sockets: sockets(), notes: ['owner of 1 socket not visible'] });
  const controller = createController({ read, ...options }, time, size);
  controller.refresh();
  const text = (): string =>
    screenLines(controller.model())
      .map((line) => line.map((piece) => piece.text).join(''))
      .join('\n');
  return { controller, time, text, press: (...keys) => keys.forEach(controller.press) };
}

describe('the live screen', () => {
  it('reads again after the interval', () => {
    let readings = 0;
    const { time } = screen(() => [makeSocket({ recvQueue: ++readings })], { intervalMs: 500 });
    time.advance(1600);
    expect(readings).toBe(4);
  });

  it('slows down when a reading takes longer than a quarter of the interval, and says so', () => {
    const time = clock();
    const read = (): Reading => {
      time.advance(400);
      return { sockets: [CLIENT], notes: [] };
    };
    const controller = createController({ read, intervalMs: 1000 }, time, { columns: 100, rows: 20 });
    controller.refresh();
    expect(time.due()).toBe(1200);
    const [title] = screenLines(controller.model());
    expect(title?.map(({ text }) => text).join('')).toMatch(
      /every 1\.6 s {2}slowed down: a reading takes 400 ms/,
    );
  });

  it('builds only the rows that are on screen', () => {
    const many = Array.from({ length: 5000 }, (_, index) =>
      makeSocket({ cookie: String(index), inode: index }),
    );
    const { controller, press } = screen(() => many);
    press('end', 'page-up');
    const model = controller.model();
    const touched = new Set<string | symbol>();
    const list = new Proxy(model.table.list, {
      get(target, key, receiver) {
        touched.add(key);
        return Reflect.get(target, key, receiver);
      },
    });
    screenLines({ ...model, table: { ...model.table, list } });
    expect(touched.size).toBeGreaterThan(5);
    expect(touched.size).toBeLessThan(20);
  });

  it('fills any terminal exactly, in every state it can be in', () => {
    const states: string[][] = [
      [],
      ['?'],
      ['/'],
      ['/', 'f', 'o', 'o', ' ', '('],
      ['enter'],
      ['K'],
      ['x'],
      ['j', 'K'],
      ['enter', 'K'],
    ];
    for (const keys of states) {
      for (const columns of [1, 7, 20, 40, 80, 200]) {
        for (const rows of [1, 2, 3, 5, 10, 24, 60]) {
          const { controller, press } = screen(
            () => [LISTENER, CLIENT],
            { killProcess: () => '', destroy: () => '' },
            { columns, rows },
          );
          press(...keys);
          const lines = screenLines(controller.model());
          expect(lines.length, `${keys} ${columns}×${rows}`).toBe(rows);
          expect(Math.max(...lines.map(lineWidth)), `${keys} ${columns}×${rows}`).toBeLessThanOrEqual(
            columns,
          );
        }
      }
    }
  });

  it('a reading that fails is told, and the last table stays', () => {
    let broken = false;
    const { time, text } = screen(() => {
      if (broken) {
        throw new SockscopeError('X', 'The kernel said no.', 'Ask it later.', 3);
      }
      return [CLIENT];
    });
    broken = true;
    time.advance(1000);
    expect(text()).toContain('The kernel said no. Ask it later.');
    expect(text()).toContain('127.0.0.1:50000');
    broken = false;
    time.advance(10_000);
    expect(text()).not.toContain('The kernel said no.');
  });

  it('no note about what is not visible is dropped in silence', () => {
    const read = (): Reading => ({
      sockets: [CLIENT],
      notes: ['first thing', 'second thing', 'third thing'],
    });
    expect(screen(() => [], { read }, { columns: 80, rows: 24 }).text()).toContain('third thing');
    expect(screen(() => [], { read }, { columns: 80, rows: 16 }).text()).toContain(
      '2 more notes: `sockscope ls` prints them',
    );
    expect(screen(() => [], { read }, { columns: 80, rows: 9 }).text()).toContain(
      '3 notes: `sockscope ls` prints them',
    );
  });

  it('a bug is not swallowed', () => {
    expect(() => screen(() => [undefined as unknown as Socket])).toThrow(TypeError);
  });

  it('another filter does not make every row new', () => {
    const { controller, time, press } = screen(() => [], {
      read: (filter) => ({
        sockets: filter === null ? [LISTENER, CLIENT] : [makeSocket({ cookie: '9' })],
        notes: [],
      }),
    });
    press('/', ...':80');
    time.advance(1);
    expect(controller.model().table.total).toBe(1);
    expect(controller.model().table.changes.marks.size).toBe(0);
  });

  it('a word on its way to another is not applied letter by letter; Enter takes it as it stands', () => {
    const { controller, press } = screen(() => [LISTENER, CLIENT]);
    press('/', ...':8080 and )');
    expect(controller.model().filter).toMatchObject({ text: ':8080', problem: { at: 10 } });
    press('ctrl-u', 'n', 'o');
    expect(controller.model().filter.text).toBe('');
    press('enter');
    expect(controller.model().filter).toMatchObject({ text: 'no', typed: null });
  });

  it('Enter on a filter that makes no sense closes the line and keeps the last good one', () => {
    const { controller, press } = screen(() => [LISTENER, CLIENT]);
    press('/', ...':8080 )', 'enter');
    expect(controller.model().filter).toMatchObject({ text: ':8080', typed: null, problem: null });
  });

  it('a filter that makes no sense at the start is a usage error', () => {
    expect(() => screen(() => [], { filterText: 'sport (' })).toThrow(SockscopeError);
  });

  it('ends a process only after yes, and only while it still holds the socket', async () => {
    const killed: number[] = [];
    let rows = [LISTENER, CLIENT];
    const { press, text } = screen(() => rows, {
      killProcess: (pid) => {
        killed.push(pid);
        return `pid ${pid} ended.`;
      },
    });
    press('K');
    expect(text()).toContain('End node (pid 4242), listening on 127.0.0.1:8080?');
    expect(text()).toContain('1 connection to it in this table would be lost.');
    press('n');
    expect(killed).toEqual([]);
    press('K');
    rows = [{ ...LISTENER, owners: [{ pid: 5555, fd: 3, name: 'other' }] }];
    press('y');
    expect(killed).toEqual([]);
    expect(text()).toContain('Nothing was done');
    rows = [LISTENER];
    press('K', 'y');
    await Promise.resolve();
    expect(killed).toEqual([4242]);
    expect(text()).toContain('pid 4242 ended.');
  });

  it('refuses to end the process of a connection, and to destroy a listener', () => {
    const { press, text } = screen(() => [LISTENER, CLIENT], { killProcess: () => '', destroy: () => '' });
    press('x');
    expect(text()).toContain('this row listens');
    press('j', 'K');
    expect(text()).toContain('K ends the process of a listener; this row is ESTABLISHED');
  });

  it('keeps a socket that went away in the open pane, and says since when', () => {
    let rows = [LISTENER, CLIENT];
    const { press, text, time } = screen(() => rows);
    press('j', 'enter');
    rows = [LISTENER];
    time.advance(3000);
    expect(text()).toMatch(/gone for \d\.\d s; this is what was last seen/);
  });

  it('pauses: no reading until told', () => {
    let readings = 0;
    const { press, time } = screen(() => [makeSocket({ recvQueue: ++readings })]);
    press('p');
    time.advance(5000);
    expect(readings).toBe(1);
    press('p');
    time.advance(1);
    expect(readings).toBe(2);
  });
});
