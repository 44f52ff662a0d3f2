import { describe, expect, it } from 'vitest';
import { createTalker, GET, REPLY, type Talker } from '../../test/fixtures/talker.ts';
import { vocabulary } from '../wire/app/decoders.ts';
import { decoder as http1 } from '../wire/app/http1.ts';
import { packetFields } from '../wire/display/packet-fields.ts';
import { lineWidth } from './spans.ts';
import { createWireController, type WireController } from './wire-controller.ts';
import { wireLines } from './wire-lines.ts';
import { CONNECTIONS, createStore, PACKETS, TALK_BYTES } from './wire-store.ts';
import { judgeBy, readDisplay } from './wire-subject.ts';

const WORDS = vocabulary([http1]);

interface Bench {
  talker: Talker;
  screen: WireController;
  keys(...names: string[]): void;
  type(text: string): void;
  show(): void;
  text(): string;
  second(): void;
}

function bench(columns = 100, rows = 30, displayWords = ''): Bench {
  const talker = createTalker();
  let now = 0;
  let due: (() => void) | null = null;
  const screen = createWireController(
    {
      interfaces: ['lo'],
      captureWords: 'tcp',
      displayWords,
      recording: '',
      view: 'packets',
      vocabulary: WORDS,
    },
    {
      now: () => now,
      later(_, run) {
        due = run;
        return () => {
          due = null;
        };
      },
    },
    { columns, rows },
  );
  return {
    talker,
    screen,
    keys: (...names) => names.forEach(screen.press),
    type: (text) => [...text].forEach(screen.press),
    show: () => screen.add(talker.batch()),
    text() {
      const lines = wireLines(screen.model());
      const { columns: width, rows: height } = screen.model();
      expect(lines).toHaveLength(height);
      expect(lines.filter((line) => lineWidth(line) > width)).toEqual([]);
      return lines
        .map((line) =>
          line
            .map(({ text }) => text)
            .join('')
            .trimEnd(),
        )
        .join('\n');
    },
    second() {
      now += 1000;
      due?.();
    },
  };
}

function talked(columns?: number, rows?: number): Bench {
  const b = bench(columns, rows);
  b.talker.ask(40_001, GET('/one'));
  b.talker.answer(40_001, REPLY(200));
  b.talker.ask(40_002, GET('/two'));
  b.talker.answer(40_002, REPLY(500));
  b.show();
  return b;
}

describe('the screen of packets', () => {
  it('says where it looks while there is nothing', () => {
    expect(bench().text()).toContain('No packets yet on lo; filter tcp.');
  });

  it('shows connections with both sides, and packets with what they say', () => {
    const text = talked().text();
    expect(text).toMatch(
      /http +10\.0\.0\.1:40002 node\[7\] → 10\.0\.0\.2:80 +node\[7\] +2 +\d+ B +\d+ B .*open {2}1 failed/,
    );
    expect(text).toMatch(/10\.0\.0\.1:40001 +→ 10\.0\.0\.2:80 +\d+ {2}mid-stream {2}http {2}GET \/one/);
    expect(text).toMatch(/10\.0\.0\.1:40002 +← 10\.0\.0\.2:80 +\d+ {2}http {2}500 No/);
  });

  it.each([
    [40, 10],
    [80, 24],
    [121, 40],
    [200, 60],
  ])('fills %i×%i exactly, in every view', (columns, rows) => {
    const b = talked(columns, rows);
    for (const key of [
      'm',
      'enter',
      'n',
      'escape',
      'p',
      'enter',
      'down',
      'down',
      'end',
      'f',
      'x',
      'escape',
      '?',
      'x',
      '/',
      'z',
      'escape',
      ' ',
      'tab',
      'enter',
    ]) {
      b.keys(key);
      b.text();
    }
    b.second();
    expect(b.text()).toContain('PAUSED');
  });

  it('says when the terminal is too small, and still can be left', async () => {
    const b = talked(30, 8);
    expect(b.text()).toMatch(/^Too small: 40 columns and/);
    b.keys('q');
    await b.screen.quit;
  });

  it('filters as one types; what makes no sense points at the place and changes nothing', () => {
    const b = talked();
    b.keys('/');
    b.type('http.status >= 500');
    expect(b.text()).toMatch(/Packets 1 /);
    expect(b.text()).toMatch(/Connections 1 /);
    b.type(' and )');
    const lines = b.text().split('\n');
    const typed = lines.findIndex((line) => line.startsWith('filter http'));
    expect(lines[typed + 1]!.indexOf('^')).toBe(lines[typed]!.indexOf(')'));
    expect(b.text()).toMatch(/Packets 1 /);
    b.keys('escape');
    expect(b.text()).toMatch(/Packets 4 /);
  });

  it('begins with the filter of the command line, and judges what comes by it', () => {
    const b = bench(100, 30, 'http.status == 404');
    b.talker.ask(40_001, GET('/a'));
    b.talker.answer(40_001, REPLY(200));
    b.show();
    expect(b.text()).toContain('No packets match `http.status == 404`');
    b.talker.ask(40_001, GET('/b'));
    b.talker.answer(40_001, REPLY(404));
    b.show();
    expect(b.text()).toMatch(/Packets 1 [\s\S]*404 No/);
  });

  it('shows one connection alone, and all of them again', () => {
    const b = talked();
    b.keys('tab', 'enter');
    expect(b.text()).toMatch(/Packets 2 {2}of 10\.0\.0\.1:40002/);
    expect(b.text()).not.toContain('GET /one');
    b.keys('escape');
    expect(b.text()).toMatch(/Packets 4 /);
  });

  it('stands still while paused, counts what is new, and shows it afterwards', () => {
    const b = talked();
    b.keys(' ');
    b.talker.ask(40_003, GET('/three'));
    b.show();
    expect(b.text()).toMatch(/PAUSED {2}\+1 new/);
    expect(b.text()).not.toContain('/three');
    expect(b.text()).toMatch(/Connections 2 /);
    b.keys(' ');
    expect(b.text()).toContain('GET /three');
    expect(b.text()).toMatch(/Connections 3 /);
  });

  it('keeps the row that was scrolled to, and follows again from the end', () => {
    const b = talked(100, 14);
    b.keys('up', 'up', 'up');
    const held = b.screen.model().packets.cursor;
    for (let i = 0; i < 20; i++) {
      b.talker.ask(40_001, GET(`/more${i}`));
    }
    b.show();
    expect(b.screen.model().packets.cursor).toBe(held);
    expect(b.text()).toMatch(/↓ \d+ more/);
    b.keys('end');
    b.talker.ask(40_001, GET('/last'));
    b.show();
    expect(b.text()).toContain('GET /last');
  });

  it('opens a packet, and marks the bytes of the field at hand', () => {
    const b = talked(130, 60);
    b.keys('home', 'enter');
    const marked = (): string =>
      wireLines(b.screen.model())
        .flatMap((line) => line.slice(1))
        .filter(({ tone, text }) => tone === 'cursor' && /^([\da-f]{2} +)*[\da-f]{2}$/.test(text))
        .map(({ text }) => text)
        .join('');
    for (let i = 0; i < 60 && !/›\s+srcport/.test(b.text()); i++) {
      b.keys('down');
    }
    expect(b.text()).toMatch(/›\s+srcport +40001/);
    expect(marked()).toBe('9c 41');
    b.keys('enter');
    expect(b.text()).toMatch(/› ▸ TCP/);
  });

  it('masks secrets in the bytes of a packet and of the conversation', () => {
    const b = talked(130, 60);
    b.keys('home', 'enter');
    expect(b.text()).not.toContain('verysecret'.slice(0, 6));
    b.keys('f');
    expect(b.text()).toMatch(/authorization: \*+/);
    expect(b.text()).toMatch(
      /── .*10\.0\.0\.1:40001 → 10\.0\.0\.2:80[\s\S]*GET \/one[\s\S]*── .*10\.0\.0\.2:80 → 10\.0\.0\.1:40001/,
    );
    b.keys('x');
    expect(b.text()).toMatch(/00000000 {2}47 45 54 20/);
  });

  it('opens a message with its fields, and goes on to the next', () => {
    const b = talked();
    b.keys('m', 'home', 'enter');
    expect(b.text()).toMatch(/^method +GET$/m);
    b.keys('n');
    expect(b.text()).toMatch(/^status +200$/m);
    expect(b.text()).toMatch(/1\.0 ms after GET/);
  });

  it('plots packets per second and shows loss', () => {
    const b = talked();
    b.second();
    expect(b.text()).toMatch(/4 packets +█ 4\/s {2}0 lost/);
    b.talker.ask(40_001, GET('/lost'));
    b.screen.add({ ...b.talker.batch(), lost: 3 });
    expect(wireLines(b.screen.model())[0]!.find(({ text }) => text.includes('3 lost'))?.tone).toBe('bad');
  });

  it('sorts connections', () => {
    const b = talked();
    b.talker.ask(40_001, GET(`/${'x'.repeat(200)}`));
    b.show();
    b.keys('tab', 's', 's');
    expect(b.text()).toContain('largest first');
    expect(b.screen.model().list.map(({ id }) => id)).toEqual([0, 1]);
  });
});

describe('rows as a display filter sees them', () => {
  it('have every field that a packet has', () => {
    const { talker } = talked();
    talker.ask(40_009, GET('/x'));
    const store = createStore();
    store.add(talker.batch());
    const row = store.source.packets.at(0)!;
    for (const name of packetFields.keys()) {
      const read = readDisplay(name, WORDS);
      expect('filter' in read, name).toBe(true);
      const judge = judgeBy((read as { filter: null }).filter, store.source);
      expect(() => judge.packet(row), name).not.toThrow();
      expect(() => judge.connection(store.source.connections.values().next().value!), name).not.toThrow();
    }
    const holds = (text: string): boolean => {
      const read = readDisplay(text, WORDS);
      return 'filter' in read && judgeBy(read.filter, store.source).packet(row);
    };
    expect(holds('tcp.srcport == 40009 and host == 10.0.0.2 and program == node and tcp.len > 10')).toBe(
      true,
    );
    expect(holds('http.path == "/x" and contains "GET /x" and tcp.flags.push')).toBe(true);
    expect(holds('tcp.srcport == 80')).toBe(false);
  });
});

describe('the store', () => {
  it('stays within its bounds and counts what falls off', () => {
    const talker = createTalker();
    talker.ask(40_001, GET('/a'));
    const batch = talker.batch();
    const store = createStore();
    const row = batch.rows[0]!;
    const connection = batch.connections[0]!;
    for (let i = 0; i < PACKETS + 50; i++) {
      const talk = [{ connection: i, side: 'client' as const, time: '', bytes: new Uint8Array(9000) }];
      store.add({
        ...batch,
        rows: [{ ...row, number: i }],
        messages: [],
        talk,
        connections: [{ ...connection, id: i }],
      });
    }
    expect(store.source.packets.length).toBe(PACKETS);
    expect(store.source.packets.first).toBe(50);
    expect(store.source.connections.size).toBe(CONNECTIONS);
    expect(store.totals.forgottenConnections).toBe(PACKETS + 50 - CONNECTIONS);
    expect(store.source.said.size).toBeLessThanOrEqual(CONNECTIONS + 1);
  });

  it('keeps the newest of a long conversation and counts the rest', () => {
    const talker = createTalker();
    talker.ask(40_001, GET('/a'));
    const batch = talker.batch();
    const store = createStore();
    const piece = { connection: 0, side: 'client' as const, time: '', bytes: new Uint8Array(1000) };
    for (let i = 0; i < 100; i++) {
      store.add({ ...batch, talk: [piece], unheard: new Map([[0, 1]]) });
    }
    const said = store.source.said.get(0)!;
    expect(said.bytes).toBeLessThanOrEqual(TALK_BYTES);
    expect(said.bytes + said.earlier).toBe(100_000);
    expect(said.unheard).toBe(100);
  });
});
