/** What the network stack of one host has counted since it joined. */
import { readAgain } from '../../kernel/open-proc-net.ts';
import { parseCounters } from '../../kernel/proc-parse.ts';
import type { RawEvent } from '../stage/protocol.ts';

export interface HostCounters {
  /** Differences; zeros left out. Keys such as `TcpExt.ListenOverflows`, `Udp.RcvbufErrors`. */
  differences(): Record<string, number>;
  /** A gauge for each that is not what was last told. */
  tell(at: number, out: RawEvent[]): void;
}

export function createCounters(host: string, files: readonly number[]): HostCounters {
  const start = files.map(() => new Map<string, bigint>());
  const now = files.map(() => new Map<string, number>());
  const texts: (string | null)[] = files.map(() => null);
  const told = new Map<string, number>();

  function read(): void {
    files.forEach((fd, which) => {
      const text = readAgain(fd);
      if (text === null || text === texts[which]) {
        return;
      }
      const first = texts[which] === null;
      texts[which] = text;
      for (const [name, value] of parseCounters(text)) {
        if (first) {
          start[which]!.set(name, value);
        } else {
          now[which]!.set(name, Number(value - (start[which]!.get(name) ?? 0n)));
        }
      }
    });
  }

  read();
  return {
    differences() {
      read();
      return Object.fromEntries(now.flatMap((values) => [...values].filter(([, value]) => value !== 0)));
    },
    tell(at, out) {
      read();
      for (const values of now) {
        for (const [name, value] of values) {
          if (value !== (told.get(name) ?? 0)) {
            told.set(name, value);
            out.push({ type: 'gauge', at, subject: host, name, value });
          }
        }
      }
    },
  };
}
