import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SockscopeError } from '../errors.ts';
import type { Limit, LimitsReport } from '../see/limit.ts';
import { painter } from '../view/colour.ts';
import { parseScope } from './limits.ts';
import { growers, growth, type History, MOST_SAMPLES, remember, values } from './limits-history.ts';
import { jsonLines, percentText, reportText, selected, wrapped } from './limits-text.ts';

const paint = painter(false);

function limit(id: string, used: number | null, most: number | null, more: Partial<Limit> = {}): Limit {
  const counted = used !== null && most !== null;
  return {
    id,
    kind: 'descriptors',
    subject: `node pid ${id}`,
    what: 'file descriptors',
    used,
    limit: most,
    available: counted ? most - used : null,
    fraction: counted ? used / most : null,
    whenFull:
      'accept() fails with EMFILE; clients still connect, and wait in the accept queue without an answer',
    raise: 'prlimit --pid 7 --nofile=4096',
    ...more,
  };
}

const REPORT: LimitsReport = {
  limits: [
    limit('7', 1023, 1024, { note: '1000 socket, 12 pipe' }),
    limit('q', 2, 2, { kind: 'accept queue', subject: '127.0.0.1:80', happened: '41 SYNs dropped' }),
    limit('8', 10, 1024),
    limit('9', 9, null),
    limit('m', null, null, { kind: 'orphans', notVisible: 'shown in the first network namespace only' }),
    limit('t', null, null, { kind: 'TCP memory', notVisible: 'shown in the first network namespace only' }),
  ],
  leaks: [{ pid: 7, name: 'node', closeWait: 214, oldestMs: 180_000, advice: 'close() them' }],
  notes: ['owner of 1 socket not visible'],
};

describe('what limits is about', () => {
  it('is a process, a port, or all', () => {
    expect(parseScope(undefined)).toEqual({});
    expect(parseScope('1234')).toEqual({ pid: 1234 });
    expect(parseScope('pid:1234')).toEqual({ pid: 1234 });
    expect(parseScope(':8080')).toEqual({ port: 8080 });
  });

  it.each(['', ':0', ':65536', '0', '-1', 'node', '1.5', '99999999', ':8080x'])(
    'is not %j, in one sentence',
    (word) => {
      expect(() => parseScope(word)).toThrow(SockscopeError);
      expect(() => parseScope(word)).toThrow(`\`${word}\` is neither a process nor a port.`);
    },
  );
});

describe('the table', () => {
  it.each([80, 100])('fits into %i columns', (width) => {
    const text = reportText(REPORT, { all: true, width, paint });
    for (const line of text.split('\n')) {
      expect(line.length).toBeLessThanOrEqual(width);
    }
  });

  it('shows figures, the reason to care, and how to raise what is nearly full', () => {
    const text = reportText(REPORT, { all: false, width: 100, paint });
    expect(text).toContain('    1\u202f023     1\u202f024   99  █████████·  descriptors: node pid 7\n');
    expect(text).toContain('        2         2  100  ██████████  accept queue: 127.0.0.1:80\n');
    expect(text).toContain('it has been full: 41 SYNs dropped');
    expect(text).toContain('raise: prlimit --pid 7 --nofile=4096');
    expect(text).toContain('1000 socket, 12 pipe');
    expect(text).not.toContain('node pid 8');
    expect(text).toContain('… and 2 more that are further from their end: --all');
    expect(text.replaceAll(/\s+/g, ' ')).toContain(
      'leak: node pid 7 keeps 214 connections in CLOSE-WAIT, the quietest for 3 m: close() them',
    );
  });

  it('says what is not visible once for each reason, and never as a blank row', () => {
    const text = reportText(REPORT, { all: true, width: 120, paint });
    expect(text).toContain('not visible: orphans, TCP memory: shown in the first network namespace only');
    expect(text).toContain('owner of 1 socket not visible');
    expect(text).toContain('unlimited');
  });

  it('shows the nearest of each kind, and a bounded number of those that are near', () => {
    const crowd = Array.from({ length: 50 }, (_, i) => limit(String(i), 900, 1000));
    expect(selected(crowd, false)).toHaveLength(10);
    expect(selected(crowd, true)).toHaveLength(50);
    expect(selected([limit('far', 1, 1000), limit('farther', 1, 2000)], false).map(({ id }) => id)).toEqual([
      'far',
    ]);
  });

  it('never rounds up to 100 %, nor down to nothing', () => {
    expect([0, 0.0001, 0.5, 0.9999, 1].map(percentText)).toEqual(['0', '<1', '50', '99', '100']);
  });

  it('wraps every text without losing a word', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.integer({ min: 20, max: 120 }), (text, width) => {
        const words = text.split(' ').filter((word) => word !== '');
        const lines = wrapped(words.join(' '), '    ', width);
        expect(lines.join('').replaceAll(/\s/g, '')).toBe(words.join('').replaceAll(/\s/g, ''));
      }),
    );
  });
});

describe('--json', () => {
  it('is one object a line, with v first', () => {
    const lines = jsonLines(REPORT).trimEnd().split('\n');
    expect(lines.every((line) => line.startsWith('{"v":1,"type":"'))).toBe(true);
    const rows = lines.map((line) => JSON.parse(line));
    expect(rows.map(({ type }) => type)).toEqual([...Array(6).fill('limit'), 'leak', 'note']);
    expect(rows[0]).toMatchObject({ id: '7', used: 1023, limit: 1024, available: 1 });
  });
});

describe('history', () => {
  const readings = (...figures: number[]): History => {
    const history: History = new Map();
    for (const [i, used] of figures.entries()) {
      remember(history, [limit('7', used, 1000)], i * 1000);
    }
    return history;
  };

  it('gives growth per minute, and when it will be full', () => {
    const history = readings(100, 110, 120, 130, 140);
    expect(growth(history, '7')).toBe(600);
    expect(growers(history, [limit('7', 140, 1000)])).toMatchObject([{ perMinute: 600, fullInMs: 86_000 }]);
  });

  it('does not call a figure that wobbles a leak', () => {
    expect(growers(readings(5, 9, 5, 9, 5, 9, 5, 9, 6), [limit('7', 6, 1000)])).toEqual([]);
    expect(growers(readings(5, 6), [limit('7', 6, 1000)])).toEqual([]);
  });

  it('is bounded, and forgets what is gone', () => {
    const history = readings(...Array.from({ length: MOST_SAMPLES + 30 }, (_, i) => i));
    expect(values(history, '7')).toHaveLength(MOST_SAMPLES);
    expect(values(history, '7').at(-1)).toBe(MOST_SAMPLES + 29);
    remember(history, [limit('8', 1, 2)], 1);
    expect([...history.keys()]).toEqual(['8']);
  });
});
