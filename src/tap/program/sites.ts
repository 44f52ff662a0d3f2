/** Which line of a Node program asked for a connection: what node-hook.cjs wrote, matched with what the wire saw. */
import { createFifo } from '../../kernel/fifo.ts';

export interface Site {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Empty at the top level. */
  readonly function: string;
}

export interface Reported extends Site {
  readonly pid: number;
  readonly what: 'connect' | 'listen';
  /** As the program said it; a name, an address, or nothing. */
  readonly host: string;
  readonly port: number;
}

export interface Sites {
  readonly folder: string;
  readonly path: string;
  /** The latest line of this process that connects to this port; each connects once. */
  connecting(pid: number | null, port: number): Site | null;
  listening(port: number): Reported | null;
  close(): void;
}

const MOST_KEPT = 512;

/** One line of the hook's JSON; null for anything else: the pipe is open to every process of the program. */
export function parseReport(line: string): Reported | null {
  try {
    const said = JSON.parse(line) as Partial<Record<keyof Reported, unknown>>;
    const { pid, what, host, port, file, line: at, column, function: name } = said;
    return typeof pid === 'number' &&
      (what === 'connect' || what === 'listen') &&
      typeof host === 'string' &&
      typeof port === 'number' &&
      typeof file === 'string' &&
      typeof at === 'number' &&
      typeof column === 'number' &&
      typeof name === 'string'
      ? { pid, what, host, port, file, line: at, column, function: name }
      : null;
  } catch {
    return null;
  }
}

export function createSites(): Sites | null {
  const fifo = createFifo();
  if (fifo === null) {
    return null;
  }
  const kept: Reported[] = [];
  let rest = '';

  function read(): void {
    for (let text = fifo!.read(); text !== ''; text = fifo!.read()) {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!.slice(-8192);
      for (const line of lines) {
        const report = parseReport(line);
        if (report !== null) {
          kept.push(report);
        }
      }
      kept.splice(0, kept.length - MOST_KEPT);
    }
  }

  function latest(matches: (one: Reported) => boolean): number {
    read();
    return kept.findLastIndex(matches);
  }

  return {
    folder: fifo.folder,
    path: fifo.path,
    connecting(pid, port) {
      // The oldest first: a pool's connections are dialled in the order they were asked for.
      read();
      const at = kept.findIndex((one) => one.what === 'connect' && one.pid === pid && one.port === port);
      if (at < 0) {
        return null;
      }
      const [{ file, line, column, function: name }] = kept.splice(at, 1) as [Reported];
      return { file, line, column, function: name };
    },
    listening(port) {
      return kept[latest((one) => one.what === 'listen' && one.port === port)] ?? null;
    },
    close: () => fifo.close(),
  };
}
