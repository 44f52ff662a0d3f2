/** What HTTP said through a tap, as an HTTP Archive: the packets that a recording would hold go through the lane that `open` uses. */
import { errnoText } from '../tap/errno-text.ts';
import type { Observation } from '../tap/observation.ts';
import { createSynthesis } from '../tap/record/synthesis.ts';
import { painter } from '../view/colour.ts';
import { harView } from '../view/wire/har.ts';
import { wallClock } from '../view/wire/wall-clock.ts';
import { decoders } from '../wire/app/decoders.ts';
import { emptyOut } from '../wire/bytes-out.ts';
import { LINK } from '../wire/headers.ts';
import { createLane } from '../wire/lane.ts';
import { version } from './version.ts';

const PAGE = 64 * 1024;

export interface TapHarOptions {
  readonly write: (bytes: Uint8Array) => void;
  /** The wall clock at which `at` is 0. */
  readonly startedAt: { readonly seconds: number; readonly nanoseconds: number };
  readonly reveal: boolean;
}

export interface TapHar {
  /** `connections` and `bytes` must be wanted of the engine. */
  observe(observation: Observation): void;
  /** The archive is whole only after this. */
  finish(): void;
  readonly entries: number;
}

export function createTapHar({ write, startedAt, reveal }: TapHarOptions): TapHar {
  const { seconds, nanoseconds } = startedAt;
  const out = emptyOut(2 * PAGE);
  const view = harView(
    {
      out,
      paint: painter(false),
      clock: wallClock(seconds, nanoseconds),
      filter: null,
      reveal,
      owner: () => null,
      device: () => '',
      limit: null,
    },
    { version, startedAtNs: BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds) },
  );
  const lane = createLane(view, { decoders, messages: true, checksums: false });
  const synthesis = createSynthesis(
    {
      frame(of, frame, length) {
        lane.frame(frame, 0, length, length, of.at, LINK.raw);
        hand(PAGE);
      },
      lost() {},
    },
    { ownerOf: () => '', errnoText },
  );

  function hand(least: number): void {
    if (out.length > least) {
      write(out.bytes.subarray(0, out.length));
      out.length = 0;
    }
  }

  return {
    get entries() {
      return view.entries;
    },
    observe(seen) {
      synthesis.observe(seen);
    },
    finish() {
      lane.finish();
      view.finish(lane);
      hand(0);
    },
  };
}
