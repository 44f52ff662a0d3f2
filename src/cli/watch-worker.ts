/** The thread of `watch` that reads the rings: everything from the frame to the line happens here, in place. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { ExitCode } from '../errors.ts';
import { encode } from '../session/ndjson.ts';
import { painter } from '../view/colour.ts';
import { several } from '../view/units.ts';
import { type ScreenFeed, screenFeed } from '../view/wire/screen-feed.ts';
import type { WireContext, WireView } from '../view/wire/view.ts';
import { wallClock } from '../view/wire/wall-clock.ts';
import { createCommenter, ownerComments } from '../watch/commenter.ts';
import { type Frame, openLive, readerGone } from '../watch/live.ts';
import { filterLookups } from '../watch/lookups.ts';
import { flowOwners } from '../watch/owners.ts';
import { createRecorder } from '../watch/recorder.ts';
import { type Session, startSession } from '../watch/session.ts';
import { decoders } from '../wire/app/decoders.ts';
import { emptyOut, putText } from '../wire/bytes-out.ts';
import { compileFilter } from '../wire/filter.ts';
import type { Flow } from '../wire/flows.ts';
import { createLane, type Lane } from '../wire/lane.ts';
import { printBytes } from './output.ts';
import { version } from './version.ts';
import type { FromWorker, WatchOrder } from './watch-order.ts';
import { readDisplay } from './wire-options.ts';
import { viewFor } from './wire-view.ts';
import { type Target, writtenFile } from './written-file.ts';

/** Often enough to say soon that packets were lost. */
const TURN_MS = 100;
/** Batches on their way to a main thread that is busy, or whose terminal stands still. */
const BATCHES_WAITING = 4;
const STANDARD_OUTPUT = 1;

function tell(message: FromWorker): void {
  parentPort?.postMessage(message);
}

function run(order: WatchOrder): void {
  const session = startSession();
  const live = openLive(
    {
      interfaces: order.interfaces,
      ringBytes: order.ringBytes,
      blockTimeoutMs: order.blockTimeoutMs,
      promiscuous: order.promiscuous,
      program: (linkType) => programFor(order, linkType),
    },
    order.wake,
  );
  const target: Target | null = order.write === null ? null : writtenFile(order.write);
  try {
    const watching = watchingOf(order, session, live.links, target);
    tell({ type: 'ready', interfaces: live.links.map(({ name }) => name) });
    const shows = !order.screen && !order.quietRecording;
    let packets = 0;
    let lost = 0;
    const count = (): void => {
      const counts = live.counts();
      packets += counts.packets;
      if (counts.drops > 0) {
        lost += counts.drops;
        const why =
          counts.freezes > 0
            ? `the ring was full (frozen ${several(counts.freezes, 'time')})`
            : 'the ring was full';
        watching.lost(counts.drops, why);
        tell({ type: 'note', text: `${several(counts.drops, 'packet')} lost: ${why}` });
      }
      for (const text of live.troubles()) {
        tell({ type: 'note', text });
      }
    };
    let nextCount = session.clock.now() + TURN_MS * 1e6;
    for (let going = true; going && !watching.done(); ) {
      going = live.read(TURN_MS, watching.frame) && !(shows && readerGone(STANDARD_OUTPUT));
      watching.flush();
      watching.tick();
      if (session.clock.now() >= nextCount) {
        count();
        nextCount = session.clock.now() + TURN_MS * 1e6;
      }
    }
    if (!watching.done()) {
      live.drain(watching.frame);
    }
    count();
    watching.finish(packets, lost);
    tell({ type: 'summary', packets, lost });
    const complaint = watching.complaint();
    if (complaint !== null) {
      throw complaint;
    }
  } finally {
    live.close();
    target?.close();
  }
}

function programFor(order: WatchOrder, linkType: number | 'network'): Uint8Array {
  const compiled = compileFilter(order.captureWords, {
    linkType,
    snapLength: order.snapLength,
    kernel: true,
    lookups: filterLookups,
  });
  if (!('program' in compiled)) {
    throw Object.assign(new Error(compiled.message), { hint: compiled.hint, exit: 2 });
  }
  return compiled.program;
}

interface Watching {
  readonly frame: (frame: Frame, link: number) => void;
  flush(): void;
  /** Time passes although no packet comes. */
  tick(): void;
  lost(count: number, why: string): void;
  done(): boolean;
  finish(packets: number, lost: number): void;
  /** What was asked for and did not come. */
  complaint(): Error | null;
}

function watchingOf(
  order: WatchOrder,
  session: Session,
  links: readonly { readonly name: string; readonly linkType: number; readonly cooked: boolean }[],
  target: Target | null,
): Watching {
  const { wish } = order;
  const out = emptyOut(1 << 18);
  const owners = order.owners ? flowOwners(() => session.clock.now() / 1e6) : null;
  let device = '';
  const context: WireContext = {
    out,
    paint: painter(order.colour),
    clock: wallClock(session.seconds, session.nanoseconds),
    filter: readDisplay(wish.display),
    reveal: wish.reveal,
    owner: (flow, end) => owners?.of(flow, end) ?? null,
    device: () => (links.length > 1 ? device : ''),
    limit: wish.limit,
    width: order.width,
  };
  const feed: ScreenFeed | null = order.screen ? screenFeed(context, () => session.clock.now()) : null;
  let waiting = 0;
  const view: WireView =
    feed ??
    (order.quietRecording
      ? silent(wish.limit)
      : viewFor(wish, context, {
          iso: session.clock.startedAt.iso,
          ns: session.clock.startedAt.ns,
          uncertaintyNs: session.clock.uncertaintyNs,
          netns: session.netns,
        }));
  const lane: Lane = createLane(view, {
    decoders,
    messages: order.screen || !order.quietRecording,
    checksums: wish.verbose || wish.json,
  });
  const recorder =
    target === null
      ? null
      : createRecorder({
          version,
          links,
          snapLength: order.snapLength,
          filter: order.captureWords,
          write: target.write,
        });
  const named = new WeakSet<Flow>();
  // When nothing is shown or counted, the lane would only find what a table of connections finds too.
  const commenter =
    order.quietRecording && !order.screen && wish.limit === null && owners !== null
      ? createCommenter(owners)
      : null;

  function comments(): string[] | undefined {
    const { flow } = lane;
    if (flow === null || owners === null || named.has(flow)) {
      return undefined;
    }
    named.add(flow);
    return ownerComments(flow, owners);
  }

  function show(): void {
    while (parentPort !== null && receiveMessageOnPort(parentPort) !== undefined) {
      waiting--;
    }
    const batch = waiting < BATCHES_WAITING ? (feed?.take() ?? null) : null;
    if (batch !== null) {
      waiting++;
      tell({ type: 'batch', batch });
    }
  }

  return {
    frame(frame, link) {
      if (view.done) {
        return;
      }
      if (commenter !== null && recorder !== null) {
        const { linkType, cooked } = links[link]!;
        recorder.packet(frame, link, commenter.of(frame, linkType, cooked));
        return;
      }
      const at = session.clock.fromTimespec(frame.seconds, frame.nanoseconds);
      const { cooked, linkType, name } = links[link]!;
      device = name;
      if (cooked) {
        lane.network(frame.bytes, frame.from, frame.to, frame.wireLength, at, frame.protocol);
      } else {
        lane.frame(frame.bytes, frame.from, frame.to, frame.wireLength, at, linkType);
      }
      recorder?.packet(frame, link, comments());
    },
    flush() {
      if (out.length > 0) {
        printBytes(out.bytes.subarray(0, out.length));
        out.length = 0;
      }
      recorder?.flush();
      show();
    },
    tick() {
      lane.streams.tick(session.clock.now());
    },
    lost(count, why) {
      feed?.lost(count);
      const at = session.clock.now();
      const event = { type: 'lost', at, source: 'ring', count, why } as const;
      if (wish.json && wish.what !== 'stats') {
        putText(out, `${encode(event)}\n`, Number.POSITIVE_INFINITY);
      }
      recorder?.event(
        event,
        session.seconds + Math.floor((session.nanoseconds + at) / 1e9),
        (session.nanoseconds + at) % 1e9,
        `${count} packets lost: ${why}`,
      );
    },
    done: () => view.done,
    finish(packets, lost) {
      lane.finish();
      view.finish(lane);
      this.flush();
      const at = session.clock.now() + session.nanoseconds;
      recorder?.finish(session.seconds + Math.floor(at / 1e9), at % 1e9, { packets, drops: lost });
      owners?.close();
    },
    complaint: () => view.complaint?.() ?? null,
  };
}

/** Nothing is shown: the recording is all that is wanted. */
function silent(limit: number | null): WireView {
  let packets = 0;
  return {
    get done() {
      return limit !== null && packets >= limit;
    },
    packet() {
      packets++;
    },
    message() {},
    trouble() {},
    closed() {},
    finish() {},
  };
}

interface Told extends Error {
  code?: string;
  hint?: string;
  exit?: ExitCode;
}

try {
  run(workerData as WatchOrder);
} catch (error) {
  const told = error as Told;
  if (told.hint === undefined) {
    throw error;
  }
  tell({
    type: 'refused',
    code: told.code ?? 'WATCH',
    text: told.message,
    hint: told.hint,
    exit: told.exit ?? 3,
  });
}
