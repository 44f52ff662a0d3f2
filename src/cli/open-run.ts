/** Reads a capture file from front to back, in pieces, and lets a view show what the lane makes of it. */
import { closeSync } from 'node:fs';
import { setImmediate as otherWork } from 'node:timers/promises';
import { SockscopeError } from '../errors.ts';
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
import { isTerminal, paint, printBytes, warn, width } from './output.ts';
import { recordedOwners } from './recorded-owners.ts';
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
  checkWish(wish, write, filter.kind === 'display');
  const fd = openCapture(path);
  const named = write ?? (wish.harFile === '' ? null : wish.harFile);
  let target: Target | null = null;
  try {
    target = named === null ? null : writtenFile(named, fd);
    const opening = open(wish, filter.kind === 'display' ? filter.filter : null, {
      captureWords: filter.kind === 'capture' ? words : '',
      write: target?.write ?? printBytes,
      saving: write !== null,
      name: path === '-' ? 'standard input' : path,
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
    target?.close();
    target = null;
    if (named !== null) {
      warn(`${opening.written()} written to ${named === '-' ? 'standard output' : named}`);
    }
    opening.notes();
  } finally {
    closeSync(fd);
    target?.abandon();
  }
}

function checkWish(wish: WireWish, write: string | null, filtered: boolean): void {
  if (wish.what === 'follow' && filtered) {
    throw new SockscopeError(
      'FOLLOW_FILTER',
      '--follow shows all that one connection said; a display filter has no say in it.',
      'Leave the filter out, or use --messages with it.',
      2,
    );
  }
  if (write !== null && wish.what !== 'packets') {
    throw new SockscopeError(
      'WRITE_VIEW',
      `--write does not go with --${wish.what === 'har' ? 'export' : wish.what}.`,
      'It writes the packets that match the filter, and shows nothing.',
      2,
    );
  }
  if (wish.harFile !== '' && wish.harFile !== '-' && !/\.har$/i.test(wish.harFile)) {
    throw new SockscopeError(
      'EXPORT_NAME',
      `--export writes an HTTP Archive, and '${wish.harFile}' does not end in .har.`,
      'Name it so: browsers go by the name. Packets are written with --write FILE.pcapng.',
      2,
    );
  }
}

interface Choices {
  /** tcpdump's words, run on each frame before anything else looks at it. */
  readonly captureWords: string;
  readonly write: (bytes: Uint8Array) => void;
  /** What the file is called in sentences. */
  readonly name: string;
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
  let wrote = false;
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
      owner: owners.of,
      device: () => device,
      limit: wish.limit,
      width: isTerminal() ? width() : null,
    };
    view = choices.saving
      ? saveView(context, save)
      : viewFor(wish, context, { iso: isoNanoseconds(ns), ns, uncertaintyNs: 0, netns: 0 });
    const messages = !(choices.saving && filter?.needsMessages !== true);
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
      frame.comments,
      frame.flags,
    );
  }
  const frame = {
    bytes: new Uint8Array(0) as Uint8Array,
    from: 0,
    to: 0,
    flags: 0,
    comments: undefined as string[] | undefined,
  };
  const owners = recordedOwners();

  const reader = createReader({
    interface(index, about) {
      interfaces[index] = about;
    },
    comment(text) {
      frame.comments ??= [];
      frame.comments.push(text);
      owners.comment(text);
    },
    packet(bytes, from, to, wireLength, seconds, nanoseconds, interfaceIndex, flags) {
      if (view?.done === true) {
        return;
      }
      const about = interfaces[interfaceIndex];
      const linkType = about?.linkType ?? ETHERNET;
      packets++;
      if (passes !== null && !passes(linkType, bytes, from, to, wireLength)) {
        frame.comments = undefined;
        owners.settle(null);
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
      frame.flags = flags;
      const at = (seconds - baseSeconds) * 1e9 + (nanoseconds - baseNanoseconds);
      lane.frame(bytes, from, to, wireLength, at, linkType);
      if (frame.comments !== undefined) {
        owners.settle(lane.flow);
        frame.comments = undefined;
      }
      if (out.length > PAGE) {
        flush(PAGE);
      }
    },
    statistics(_, about) {
      dropped += about.dropped ?? 0;
    },
    trouble(_offset, sentence) {
      trouble = sentence.replace(/, at byte 0$/, '');
    },
  });

  function flush(threshold: number): void {
    if (out.length > threshold) {
      wrote = true;
      choices.write(out.bytes.subarray(0, out.length));
      out.length = 0;
    }
  }

  return {
    reader,
    flush,
    done: () => view?.done === true,
    finish(): void {
      if (trouble !== null && packets === 0 && interfaces.length === 0) {
        throw new SockscopeError(
          'OPEN_FORMAT',
          `${choices.name}: ${trouble}.`,
          'pcap and pcapng can be read: what sockscope watch -w, tcpdump -w and Wireshark write.',
          2,
        );
      }
      lane ??= begin(0, 0);
      lane.finish();
      view!.finish(lane);
    },
    written: () =>
      choices.saving
        ? several((view as SaveView).saved, 'packet')
        : several((view as WireView & { entries: number }).entries, 'exchange'),
    /** What was not seen. */
    notes(): void {
      const lost = lane!.lost();
      if (trouble !== null) {
        warn(paint.yellow(`${choices.name}: ${trouble}`));
      }
      if (packets === 0 && trouble === null) {
        warn(`${choices.name} holds no packets.`);
      } else if (passes !== null && lane!.count === 0) {
        warn(`None of ${several(packets, 'packet')} matches ${choices.captureWords}.`);
      } else if (!wrote && isTerminal()) {
        warn(emptyText(wish, packets, filter !== null));
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
      const complaint = view!.complaint?.() ?? null;
      if (complaint !== null) {
        throw complaint;
      }
    },
  };
}

/** Nothing was shown. */
function emptyText(wish: WireWish, packets: number, filtered: boolean): string {
  const of = `of ${several(packets, 'packet')}`;
  switch (wish.what) {
    case 'messages':
      return filtered ? `No message in any ${of} matches.` : `No message was recognised in any ${of}.`;
    case 'connections':
      return filtered ? `No connection in any ${of} matches.` : `None ${of} is TCP or UDP.`;
    default:
      return `None ${of} matches.`;
  }
}

function isoNanoseconds(ns: bigint): string {
  const whole = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString();
  return `${whole.slice(0, 19)}.${String(ns % 1_000_000_000n).padStart(9, '0')}Z`;
}
