/** `sockscope watch --live`: connections, packets and messages as they come. */
import { performance } from 'node:perf_hooks';
import { render } from 'ink';
import { wantsColour } from '../view/colour.ts';
import type { Batch } from '../view/wire/screen-rows.ts';
import type { Timing } from './controller.ts';
import { Screen, themeOf } from './screen.tsx';
import { enterTerminal } from './terminal.ts';
import { createWireController, type WireStart } from './wire-controller.ts';
import { wireLines } from './wire-lines.ts';

export interface WireScreen extends WireStart {
  /** Is given what to call with every batch, and with what else is to be said. */
  readonly attach: (add: (batch: Batch) => void, say: (text: string) => void) => void;
  /** Resolves when no more packets will come. */
  readonly ended: Promise<void>;
}

/** Who ended it. */
export type Outcome = 'quit' | 'ended';

const TIMING: Timing = {
  now: () => performance.now(),
  later(milliseconds, run) {
    const timer = setTimeout(run, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** The terminal must be one; it is restored however this ends. */
export async function watchWire(screen: WireScreen): Promise<Outcome> {
  const size = { columns: process.stdout.columns, rows: process.stdout.rows };
  const controller = createWireController(screen, TIMING, size);
  const terminal = enterTerminal(() => {
    const { columns, rows } = terminal.size();
    controller.resize(columns, rows);
  });
  try {
    screen.attach(controller.add, (text) => controller.say(text, true));
    const theme = themeOf(wantsColour(true, process.env));
    const ink = render(<Screen controller={controller} lines={wireLines} theme={theme} />, {
      stdout: terminal.stream,
      debug: true,
      exitOnCtrlC: false,
      patchConsole: false,
    });
    const outcome = await Promise.race([
      controller.quit.then((): Outcome => 'quit'),
      ink.waitUntilExit().then((): Outcome => 'quit'),
      screen.ended.then((): Outcome => 'ended'),
    ]);
    ink.unmount();
    return outcome;
  } finally {
    controller.stop();
    terminal.leave();
  }
}
