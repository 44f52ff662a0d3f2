/** `dial http` in a test: options as they are typed, streams that are kept. */
import { Command } from 'commander';
import { SockscopeError } from '../errors.ts';
import { fakeIo } from './dial-fixture.ts';
import { define } from './dial-http.ts';
import type { HttpFlags } from './dial-http-flags.ts';
import { runHttp } from './dial-http-run.ts';

export interface Ran {
  readonly exit: number;
  readonly out: string;
  readonly bytes: Buffer;
  readonly said: string;
  /** With `--json`: what was told, line by line. */
  readonly events: readonly Told[];
}

// biome-ignore lint/suspicious/noExplicitAny: what JSON has in it is looked at by the tests.
type Told = any;

export interface RunWishes {
  readonly input?: string;
  readonly isTTY?: boolean;
  readonly interruptAfter?: Promise<unknown>;
}

export async function http(argv: readonly string[], wishes: RunWishes = {}): Promise<Ran> {
  const command = define(new Command()).exitOverride();
  const { operands, unknown } = command.parseOptions([...argv]);
  if (unknown.length > 0) {
    throw new Error(`unknown options ${unknown.join(' ')}`);
  }
  const io = fakeIo();
  (io.output as { isTTY?: boolean }).isTTY = wishes.isTTY === true;
  io.input.end(wishes.input ?? '');
  void wishes.interruptAfter?.then(() => io.interrupt());
  let exit: number;
  let failed = '';
  try {
    exit = await runHttp(operands, command.opts<HttpFlags>(), io);
  } catch (error) {
    if (!(error instanceof SockscopeError)) {
      throw error;
    }
    exit = error.exit;
    failed = `error: ${error.message}\n${error.hint}\n`;
  }
  const out = io.out().toString();
  return {
    exit,
    out,
    bytes: io.out(),
    said: io.said() + failed,
    events: argv.includes('--json')
      ? out
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as Told)
      : [],
  };
}
