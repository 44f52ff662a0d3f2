/** `sockscope ls --watch`: the live table of sockets. */
import { performance } from 'node:perf_hooks';
import { render } from 'ink';
import { SockscopeError } from '../errors.ts';
import { wantsColour } from '../view/colour.ts';
import { createController, type Timing } from './controller.ts';
import { screenLines } from './lines.ts';
import type { WatchOptions } from './options.ts';
import { Screen, themeOf } from './screen.tsx';
import { enterTerminal } from './terminal.ts';

export type { Outcome, ProcessStory, WatchOptions } from './options.ts';

const TIMING: Timing = {
  now: () => performance.now(),
  later(milliseconds, run) {
    const timer = setTimeout(run, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** Resolves when the person quits; throws, with the terminal restored, when the first reading fails. */
export async function watchSockets(options: WatchOptions): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new SockscopeError(
      'NOT_A_TERMINAL',
      'The live screen needs a terminal, and input or output is not one.',
      'Run it in a terminal, or leave out --watch and use `sockscope ls --json` to read the table from a script.',
      2,
    );
  }
  const size = { columns: process.stdout.columns, rows: process.stdout.rows };
  const controller = createController(options, TIMING, size);
  const terminal = enterTerminal(() => {
    const { columns, rows } = terminal.size();
    controller.resize(columns, rows);
  });
  try {
    controller.refresh();
    const theme = themeOf(wantsColour(true, process.env));
    const ink = render(<Screen controller={controller} lines={screenLines} theme={theme} />, {
      stdout: terminal.stream,
      debug: true,
      exitOnCtrlC: false,
      patchConsole: false,
    });
    await Promise.race([controller.quit, ink.waitUntilExit()]);
    ink.unmount();
  } finally {
    controller.stop();
    terminal.leave();
  }
}
