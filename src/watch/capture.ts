/** Packets of all interfaces, taken when somebody asks: for a thread that has other things to do as well. */
import { SockscopeError } from '../errors.ts';
import { compileFilter } from '../wire/filter.ts';
import { type Frame, type Live, openLive } from './live.ts';
import { filterLookups } from './lookups.ts';

export interface Capture {
  /** All that the kernel has handed over. */
  read(each: (frame: Frame) => void): void;
  /** After the end: what it still gathers. */
  drain(each: (frame: Frame) => void): void;
  /** How many it had no room for, since the last time. */
  lost(): number;
  close(): void;
}

const WORDS = 'tcp or udp or icmp or icmp6';
const SNAP_LENGTH = 262_144;
const RING_BYTES = 16 << 20;
const BLOCK_MS = 4;
const NO_WAKER = -1;

/** The error is why there are none: most often CAP_NET_RAW is missing. */
export function openCapture(): Capture | SockscopeError {
  let live: Live;
  try {
    live = openLive(
      {
        interfaces: [],
        ringBytes: RING_BYTES,
        blockTimeoutMs: BLOCK_MS,
        promiscuous: false,
        program: (linkType) => {
          const compiled = compileFilter(WORDS, {
            linkType,
            snapLength: SNAP_LENGTH,
            kernel: true,
            lookups: filterLookups,
          });
          return 'program' in compiled ? compiled.program : new Uint8Array(0);
        },
      },
      NO_WAKER,
    );
  } catch (error) {
    if (error instanceof SockscopeError) {
      return error;
    }
    throw error;
  }
  return {
    read(each) {
      live.read(0, each);
    },
    drain: live.drain,
    lost: () => live.counts().drops,
    close: live.close,
  };
}
