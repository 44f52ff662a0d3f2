import { Command, CommanderError } from 'commander';
import { describe, expect, test } from 'vitest';
import { SockscopeError } from '../errors.ts';
import { define } from './ssh.ts';
import { settingsOf } from './ssh-flags.ts';
import { runOnHosts } from './ssh-run-hosts.ts';
import { bareLineFeeds } from './ssh-terminal.ts';

async function typed(...words: string[]): Promise<{ error: unknown; said: string }> {
  let said = '';
  const write = (text: string): void => {
    said += text;
  };
  const quiet = { writeOut: write, writeErr: write };
  const root = new Command('sockscope').exitOverride().configureOutput(quiet);
  define(root.command('ssh'));
  try {
    await root.parseAsync(['ssh', ...words], { from: 'user' });
    return { error: null, said };
  } catch (error) {
    return { error, said };
  }
}

describe('sockscope ssh', () => {
  test('loads the subcommand that was typed: its help is there', async () => {
    const { said } = await typed('run', '--help');
    expect(said).toContain('--deadline <time>');
    expect(said).toContain('Exit status');
    expect(said).toContain('--accept-new');
  });

  test.each([
    [['run', 'h', '--port', '0', '--', 'x'], 'A port is'],
    [['run', 'h', '--deadline', 'soon', '--', 'x'], 'A time such as'],
    [['run', 'h', '--connect-timeout', '0', '--', 'x'], 'A time such as'],
    [['run', 'h'], 'command'],
    [['run'], 'hosts'],
  ])('%j is a usage error', async (words, part) => {
    const { error, said } = await typed(...words);
    expect(error).toBeInstanceOf(CommanderError);
    expect(said).toContain(part);
  });

  test.each([
    [',', { password: true }],
    ['a,b', { password: true, tty: true }],
    ['a,-oProxyCommand=x', { password: true }],
    ['a:99999', { password: true }],
  ])('%s is refused before anybody is connected to', async (hosts, flags) => {
    const refused = runOnHosts(hosts, ['true'], flags);
    await expect(refused).rejects.toBeInstanceOf(SockscopeError);
    await expect(refused).rejects.toMatchObject({ exit: 2 });
  });

  test('flags become settings, and only those that were given', () => {
    expect(settingsOf({ password: true })).toEqual({ password: true });
    expect(
      settingsOf({ password: false, port: 1, identity: ['a'], option: ['b=c'], connectTimeout: 5 }),
    ).toEqual({
      password: false,
      port: 1,
      identities: ['a'],
      options: ['b=c'],
      connectTimeoutMs: 5,
    });
  });
});

describe('a raw terminal of ours', () => {
  test('a bare line feed goes down in its column; one behind a carriage return stays, also across pieces', () => {
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
    expect(text(bareLineFeeds(Buffer.from('a\nb\r\nc'), 0))).toBe('a\x1bDb\r\nc');
    expect(text(bareLineFeeds(Buffer.from('\n'), 0x0d))).toBe('\n');
  });
});
