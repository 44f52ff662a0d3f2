import { describe, expect, it } from 'vitest';
import { cellsOf } from '../view/wire/message-line.ts';
import { createScreen } from './tap-screen.ts';

function start(status = { text: '' }) {
  const written: string[] = [];
  const screen = createScreen(
    (text) => written.push(text),
    cellsOf,
    () => status.text,
  );
  const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const take = async (): Promise<string> => {
    await soon();
    return written.splice(0).join('');
  };
  return { screen, status, take };
}

describe('lines above a status line', () => {
  it('are written as they are while there is none', async () => {
    const { screen, take } = start();
    screen.line('a\n');
    screen.line('b\n');
    expect(await take()).toBe('a\nb\n');
    expect(await take()).toBe('');
  });

  it('push it down in one piece, and it goes when it has nothing to say', async () => {
    const { screen, status, take } = start({ text: 'held' });
    screen.line('a\n');
    expect(await take()).toBe('\x1b[?2026h\x1b[?25la\nheld\x1b[?2026l');
    screen.refresh();
    expect(await take()).toBe('');
    screen.line('b\n');
    expect(await take()).toBe('\x1b[?2026h\x1b[?25l\r\x1b[Jb\nheld\x1b[?2026l');
    status.text = '';
    screen.refresh();
    expect(await take()).toBe('\x1b[?2026h\x1b[?25l\r\x1b[J\x1b[?2026l\x1b[?25h');
    screen.close();
  });

  it('wait while the output stands still, and answers to keys do not', async () => {
    const { screen, take } = start();
    screen.pause(true);
    screen.line('a\n');
    screen.say('keys\n');
    expect([await take(), screen.kept]).toEqual(['keys\n', 1]);
    screen.pause(false);
    expect([await take(), screen.kept]).toEqual(['a\n', 0]);
  });

  it('are kept up to a bound; of the oldest it is said that they are gone', async () => {
    const { screen, take } = start();
    screen.pause(true);
    const long = `${'x'.repeat(1024 * 1024)}\n`;
    for (let i = 0; i < 6; i++) {
      screen.line(long);
    }
    expect(screen.kept).toBe(6);
    screen.pause(false);
    const text = await take();
    expect(text.slice(0, 40)).toBe('… 3 lines before this were not kept\nxxxx');
    expect(text.split('\n')).toHaveLength(1 + 3 + 1);
  });

  it('wait while an editor has the terminal, and all are written at the end', async () => {
    const { screen, take } = start({ text: 'held' });
    screen.give(true);
    screen.line('a\n');
    screen.refresh();
    expect(await take()).toBe('');
    screen.pause(true);
    screen.close();
    expect(await take()).toContain('a\n');
  });
});
