/** What people, or programs, see of a copy. */
import type { CopyWatch } from '../make/ssh/copy-order.ts';
import { CopyMeter, copyProgress, copySummary } from '../view/make/copy-progress.ts';
import { bytes } from '../view/units.ts';
import { paint, print, warn } from './output.ts';

export interface CopyShow {
  readonly watch: CopyWatch;
  failed(): number;
  /** Takes the progress away and says what came of it. */
  end(): void;
}

export interface ShowWishes {
  readonly verbose?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

const EVERY_MS = 200;
/** A terminal that does not say how wide it is says 0. */
const USUAL = 80;

export function createCopyShow({ verbose, quiet, json }: ShowWishes): CopyShow {
  const started = performance.now();
  const counts = { files: 0, folders: 0, links: 0, bytes: 0, resumed: 0, failed: 0, found: 0, total: 0 };
  const terminal = process.stderr.isTTY === true && quiet !== true && json !== true;
  const meter = new CopyMeter();
  const clear = (): void => {
    if (terminal) {
      process.stderr.write('\r\x1b[K');
    }
  };
  const draw = (): void => {
    const rate = meter.at(performance.now(), counts.bytes);
    const now = { ...counts, bytes: counts.bytes + counts.resumed, rate };
    process.stderr.write(`\r${copyProgress(now, process.stderr.columns || USUAL)}\x1b[K`);
  };
  const timer = terminal ? setInterval(draw, EVERY_MS) : null;
  const tell = (event: string, fields: object): void => {
    if (json === true) {
      print(`${JSON.stringify({ event, ...fields })}\n`);
    }
  };
  const watch: CopyWatch = {
    found(size) {
      counts.found += 1;
      counts.total += size;
    },
    moved(size, resumed) {
      counts[resumed ? 'resumed' : 'bytes'] += size;
    },
    done(what, name, size) {
      counts[`${what}s`] += 1;
      tell('done', { what, name, size });
      if (verbose === true && json !== true && what !== 'folder') {
        clear();
        print(`${name}${what === 'file' ? `  ${bytes(size)}` : '  link'}\n`);
      }
    },
    failed(name, reason) {
      counts.failed += 1;
      tell('failed', { name, reason });
      if (json !== true) {
        clear();
        warn(`${paint.red('✗')} ${name}: ${reason}`);
      }
    },
    note(text) {
      tell('note', { text });
      if (json !== true && quiet !== true) {
        clear();
        warn(text);
      }
    },
  };
  return {
    watch,
    failed: () => counts.failed,
    end() {
      if (timer !== null) {
        clearInterval(timer);
      }
      clear();
      const { found: _found, total: _total, ...sum } = counts;
      const seconds = (performance.now() - started) / 1000;
      tell('end', { ...sum, seconds: Math.round(seconds * 1000) / 1000 });
      if (json !== true && quiet !== true) {
        print(`${copySummary({ ...sum, seconds })}\n`);
      }
    },
  };
}
