/** Reads a capture file from front to back, in pieces, and lets a view show what the lane makes of it. */
import { closeSync } from 'node:fs';
import { setImmediate as otherWork } from 'node:timers/promises';
import { several } from '../view/units.ts';
import { type SaveView, saveView } from '../view/wire/save.ts';
import type { WireContext, WireView } from '../view/wire/view.ts';
import { wallClock } from '../view/wire/wall-clock.ts';
import { openCapture, pieces } from '../watch/capture-file.ts';
import { decoders } from '../wire/app/decoders.ts';
import { emptyOut } from '../wire/bytes-out.ts';
import type { DisplayFilter } from '../wire/display/filter.ts';
import { createLane, type Lane } from '../wire/lane.ts';
import { createReader } from '../wire/pcapng.ts';
import type { InterfaceAbout } from '../wire/pcapng-sink.ts';
import { writeInterface, writePacket, writeSection } from '../wire/pcapng-writer.ts';
import { captureFilterFor } from './capture-filter.ts';
import { paint, printBytes, warn } from './output.ts';
import { version } from './version.ts';
import { wireFilter } from './wire-filter.ts';
import type { WireWish } from './wire-options.ts';
import { viewFor } from './wire-view.ts';
import { type Target, writtenFile } from './written-file.ts';

/** Text is handed to the system when so much of it has gathered. */
const PAGE = 256 * 1024;
const ETHERNET = 1;

export async function runOpen(
  path: string,
  words: string,
  wish: WireWish,
  write: string | null,
): Promise<void> {
  const filter = wireFilter(words, { linkType: ETHERNET }, 'display');
  const fd = openCapture(path);
  const named = write ?? (wish.harFile === '' ? null : wish.harFile);
  const target: Target = named === null ? { write: printBytes, close() {} } : writtenFile(named);
  try {
    const opening = open(wish, filter.kind === 'display' ? filter.filter : null, {
      captureWords: filter.kind === 'capture' ? words : '',
      target,
      saving: write !== null,
    });
    let stopped = false;
    const stop = (): void => {
      stopped = true;
    };
    process.once('SIGINT', stop).once('SIGTERM', stop);
    for (const piece of pieces(fd, opening.reader)) {
      void piece;
      opening.flush(PAGE);
      if (opening.done() || stopped) {
        break;
      }
      // A turn of the event loop, so that Ctrl-C is heard.
      await otherWork();
    }
    opening.finish();
    opening.flush(0);
    if (named !== null) {
      warn(`${opening.written()} written to ${named}`);
    }
    opening.notes(path);
  } finally {
    closeSync(fd);
    target.close();
  }
}

interface Choices {
  /** tcpdump's words, run on each frame before anything else looks at it. */
  readonly captureWords: string;
  readonly target: Target;
  /** The packets themselves are wanted, not what can be said about them. */
  readonly saving: boolean;
}

function open(wish: WireWish, filter: DisplayFilter | null, choices: Choices) {
  const out = emptyOut(2 * PAGE);
  const interfaces: InterfaceAbout[] = [];
  let device = '';
  let current = 0;
  let trouble: string | null = null;
  let packets = 0;
  let dropped = 0;
  let view: WireView | null = null;
  let lane: Lane | null = null;
  let baseSeconds = 0;
  let baseNanoseconds = 0;

  const passes = choices.captureWords === '' ? null : captureFilterFor(choices.captureWords);

  /** The view needs to know when the session began, which is the first packet's time. */
  function begin(seconds: number, nanoseconds: number): Lane {
    baseSeconds = seconds;
    baseNanoseconds = nanoseconds;
    const ns = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
    const context: WireContext = {
      out,
      paint,
      clock: wallClock(seconds, nanoseconds),
      filter,
      reveal: wish.reveal,
      owner: () => null,
      device: () => device,
      limit: wish.limit,
    };
    view = choices.saving
      ? saveView(context, save)
      : viewFor(wish, context, { iso: isoNanoseconds(ns), ns, uncertaintyNs: 0, netns: 0 });
    const messages = wish.what !== 'follow' && !(choices.saving && filter?.needsMessages !== true);
    return createLane(view, { decoders, messages, checksums: wish.verbose || wish.json });
  }

  /** Written interfaces by the read ones' index. */
  const written = new Map<number, number>();
  function save({ headers }: Lane): void {
    let index = written.get(current);
    if (index === undefined) {
      if (written.size === 0) {
        writeSection(out, { application: `sockscope ${version}`, os: '', hardware: '' });
      }
      index = written.size;
      written.set(current, index);
      const about = interfaces[current];
      writeInterface(out, {
        linkType: headers.linkType,
        snapLength: about?.snapLength ?? 0,
        name: about?.name ?? 'unknown',
      });
    }
    const total = headers.at + baseNanoseconds;
    const whole = Math.floor(total / 1e9);
    writePacket(
      out,
      index,
      baseSeconds + whole,
      total - whole * 1e9,
      frame.bytes,
      frame.from,
      frame.to,
      headers.wireLength,
    );
  }
  const frame = { bytes: new Uint8Array(0) as Uint8Array, from: 0, to: 0 };

  const reader = createReader({
    interface(index, about) {
      interfaces[index] = about;
    },
    packet(bytes, from, to, wireLength, seconds, nanoseconds, interfaceIndex) {
      if (view?.done === true) {
        return;
      }
      const about = interfaces[interfaceIndex];
      const linkType = about?.linkType ?? ETHERNET;
      packets++;
      if (passes !== null && !passes(linkType, bytes, from, to, wireLength)) {
        return;
      }
      lane ??= begin(seconds, nanoseconds);
      current = interfaceIndex;
      if (interfaces.length > 1) {
        device = about?.name ?? `#${interfaceIndex}`;
      }
      frame.bytes = bytes;
      frame.from = from;
      frame.to = to;
      const at = (seconds - baseSeconds) * 1e9 + (nanoseconds - baseNanoseconds);
      lane.frame(bytes, from, to, wireLength, at, linkType);
      if (out.length > PAGE) {
        flush(PAGE);
      }
    },
    statistics(_, about) {
      dropped += about.dropped ?? 0;
    },
    trouble(_offset, sentence) {
      trouble = sentence;
    },
  });

  function flush(threshold: number): void {
    if (out.length > threshold) {
      choices.target.write(out.bytes.subarray(0, out.length));
      out.length = 0;
    }
  }

  return {
    reader,
    flush,
    done: () => view?.done === true,
    finish(): void {
      lane ??= begin(0, 0);
      lane.finish();
      view!.finish(lane);
    },
    written: () =>
      choices.saving
        ? several((view as SaveView).saved, 'packet')
        : several((view as WireView & { entries: number }).entries, 'exchange'),
    /** What was not seen. */
    notes(path: string): void {
      const lost = lane!.lost();
      if (trouble !== null) {
        warn(paint.yellow(`${path}: ${trouble}`));
      }
      if (packets === 0 && trouble === null) {
        warn(`${path} holds no packets.`);
      } else if (passes !== null && lane!.count === 0) {
        warn(`None of ${several(packets, 'packet')} matches ${choices.captureWords}.`);
      }
      if (dropped > 0) {
        warn(paint.dim(`The capture itself had lost ${several(dropped, 'packet')}.`));
      }
      if (lost.bytes > 0) {
        warn(paint.dim(`${several(lost.bytes, 'byte')} of TCP streams are not in the capture.`));
      }
      if (lost.fragments > 0) {
        warn(paint.dim(`${several(lost.fragments, 'IP fragment')} could not be put together.`));
      }
      if (lost.requests > 0) {
        warn(paint.dim(`${several(lost.requests, 'request')} were forgotten before an answer came.`));
      }
    },
  };
}

function isoNanoseconds(ns: bigint): string {
  const whole = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString();
  return `${whole.slice(0, 19)}.${String(ns % 1_000_000_000n).padStart(9, '0')}Z`;
}
