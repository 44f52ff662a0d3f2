import { describe, expect, it } from 'vitest';
import { createChildren } from './children.ts';

function setUp() {
  const asked: unknown[][] = [];
  const children = createChildren('server', async (method, ...args) => void asked.push([method, ...args]));
  const prints = (child: number, text: string, what: 'stdout' | 'stderr' = 'stdout'): void =>
    children.hear({ type: 'child', child, what, text });
  return { asked, children, prints };
}

describe('children', () => {
  it('each hears its own output, also what came before it was known', async () => {
    const { children, prints } = setUp();
    prints(1, 'one');
    prints(2, 'two');
    prints(2, 'trouble', 'stderr');
    const [one, two] = [children.add({ child: 1, pid: 11 }), children.add({ child: 2, pid: 12 })];
    expect([await one.stdout(), await two.stdout(), await two.stderr()]).toEqual(['one', 'two', 'trouble']);
    expect([one.pid, one.host]).toEqual([11, 'server']);
  });

  it('prints waits across pieces, and a pattern with g finds the same text twice', async () => {
    const { children, prints } = setUp();
    const child = children.add({ child: 1, pid: 11 });
    const pattern = /ready/g;
    const waiting = child.prints(pattern);
    prints(1, 'rea');
    prints(1, 'dy\n');
    expect(await waiting).toBe('ready\n');
    expect(await child.prints(pattern)).toBe('ready\n');
  });

  it('prints finds what is on standard error as well', async () => {
    const { children, prints } = setUp();
    prints(1, 'listening', 'stderr');
    expect(await children.add({ child: 1, pid: 11 }).prints(/listen/)).toBe('listening');
  });

  it('prints does not wait for a program that has ended, nor past its time', async () => {
    const { children, prints } = setUp();
    const child = children.add({ child: 1, pid: 11 });
    await expect(child.prints(/ready/, 10)).rejects.toThrow(
      'did not print /ready/ within 10 ms; it printed nothing',
    );
    const waiting = child.prints(/ready/);
    prints(1, 'EADDRINUSE');
    children.hear({ type: 'childExit', child: 1, code: 1, signal: null });
    await expect(waiting).rejects.toThrow('before it ended (exit 1); it printed "EADDRINUSE"');
    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(await child.prints(/EADDR/)).toBe('EADDRINUSE');
  });

  it('what is asked goes to the right one', async () => {
    const { asked, children } = setUp();
    const child = children.add({ child: 7, pid: 11 });
    await child.write('hello');
    await child.end();
    await child.kill('SIGTERM');
    expect(asked).toEqual([
      ['childWrite', 7, 'hello'],
      ['childEnd', 7],
      ['childKill', 7, 'SIGTERM'],
    ]);
  });

  it('of endless output the last megabyte is kept', async () => {
    const { children, prints } = setUp();
    const child = children.add({ child: 1, pid: 11 });
    for (let index = 0; index < 40; index++) {
      prints(1, 'x'.repeat(65_536));
    }
    prints(1, 'end');
    const text = await child.stdout();
    expect(text.length).toBe(1 << 20);
    expect(text.endsWith('end')).toBe(true);
  });
});
