/** `tap --json --hold` is told by lines on standard input what shall become of held messages; so other faces drive it. */
import type { Verdict } from '../tap/control.ts';
import type { Holding } from './tap-hold.ts';

/** An edited message of a few megabytes in base64. */
const LONGEST_LINE = 16 * 1024 * 1024;
const SHOWN = 200;

export type ReadOrder =
  | { readonly release: number; readonly verdict: Verdict }
  | { readonly message: string; readonly hint: string };

const EXAMPLE = 'Like {"release":3,"verdict":"go"}; verdicts are go, drop, and edit with "base64".';

export function readOrder(line: string): ReadOrder {
  let said: unknown;
  try {
    said = JSON.parse(line);
  } catch {
    return { message: 'This line is no JSON.', hint: EXAMPLE };
  }
  if (typeof said !== 'object' || said === null || !('release' in said)) {
    return { message: 'This line orders nothing.', hint: EXAMPLE };
  }
  const { release, verdict, base64 } = said as { release: unknown; verdict?: unknown; base64?: unknown };
  if (typeof release !== 'number' || !Number.isSafeInteger(release)) {
    return { message: '"release" is the id of a held message, a number.', hint: EXAMPLE };
  }
  if (verdict === 'go' || verdict === 'drop') {
    return { release, verdict: { verdict } };
  }
  if (verdict !== 'edit') {
    return {
      message: `There is no verdict ${JSON.stringify(verdict ?? null).slice(0, SHOWN)}.`,
      hint: EXAMPLE,
    };
  }
  if (typeof base64 !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    return {
      message: 'An edit needs "base64", the message as it is to be sent.',
      hint: 'To send nothing, drop it.',
    };
  }
  return { release, verdict: { verdict, bytes: new Uint8Array(Buffer.from(base64, 'base64')) } };
}

export interface OrdersUse {
  readonly holding: Holding;
  /** A row of the output. */
  readonly tell: (row: { readonly type: string } & Record<string, unknown>) => void;
}

/** Returns how to stop it. */
export function takeOrders(input: NodeJS.ReadStream, { holding, tell }: OrdersUse): () => void {
  let rest = '';
  /** The line under way is too long: it is thrown away up to its end. */
  let skipping = false;

  function obey(line: string): void {
    if (line.trim() === '') {
      return;
    }
    const order = readOrder(line);
    if ('message' in order) {
      tell({ type: 'error', ...order, line: line.slice(0, SHOWN) });
    } else if (holding.find(order.release) === null) {
      tell({
        type: 'error',
        message: `Nothing is held under ${order.release}.`,
        hint: 'It may have been released, or its connection is over.',
        line: line.slice(0, SHOWN),
      });
    } else {
      holding.decide(order.release, order.verdict);
    }
  }

  const heard = (text: string): void => {
    const lines = text.split('\n');
    for (const [index, part] of lines.entries()) {
      if (index > 0) {
        if (!skipping) {
          obey(rest);
        }
        rest = '';
        skipping = false;
      }
      rest += skipping ? '' : part;
      if (rest.length > LONGEST_LINE) {
        tell({ type: 'error', message: 'This line is too long.', hint: EXAMPLE, line: rest.slice(0, SHOWN) });
        rest = '';
        skipping = true;
      }
    }
  };
  const over = (): void => {
    obey(rest);
    rest = '';
    // Nobody is left who could let it go, and a connection must not hang for ever because of that.
    holding.setHolds(false);
    tell({
      type: 'unheld',
      why: 'standard input has ended: what was held goes on, and nothing more is held',
    });
  };
  input.setEncoding('utf8');
  input.on('data', heard).once('end', over).once('error', over);
  return () => {
    input.off('data', heard).off('end', over).off('error', over);
    input.destroy();
  };
}
