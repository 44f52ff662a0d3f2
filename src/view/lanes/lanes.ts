/**
 * A session drawn while it happens: client program | client kernel | wire | server kernel | server program, time downwards. Lines are only
 * ever appended, so it works on any terminal and in a pipe. Events wait a moment for those that happened before them, and a frame for
 * its fate; `flush` with the present moment says that nothing earlier will come.
 */
import type { Event, Gauge } from '../../session/events.ts';
import { painter } from '../colour.ts';
import type { End } from './arrow.ts';
import { type Call, createCalls, drawnAt, inTwoParts } from './calls.ts';
import { createCompany } from './company.ts';
import { counterLines } from './counters.ts';
import { createFolds, type Item } from './folds.ts';
import { createFrames, type Frame } from './frames.ts';
import { glyphsFor } from './glyphs.ts';
import { headerLines } from './header.ts';
import { createInfos } from './infos.ts';
import { layoutFor } from './layout.ts';
import { createList } from './list.ts';
import { createPage } from './page.ts';
import { createQueue } from './queue.ts';
import { inKernel, type Scene, stateTone } from './scene.ts';
import { clean, piece } from './text.ts';

export interface LanesOptions {
  /** Of the terminal; no line is wider. */
  readonly columns: number;
  readonly colour: boolean;
  /**
   * The hosts at the left and the right of the drawing. The same name twice: both ends are on one machine, and each event's `side` says
   * where it belongs (client left).
   */
  readonly hosts: readonly [left: string, right: string];
  /** Nothing but ASCII. */
  readonly ascii?: boolean;
  /** Windows that grow as well. */
  readonly detail?: boolean;
}

export interface Lanes {
  /** What the lanes are, and what the marks mean. */
  header(): string[];
  /** The lines that are finished by these events. */
  add(events: readonly Event[]): string[];
  /**
   * Without a moment: the end, everything that waited is drawn. With one (nanoseconds since the session's start): time has come to this,
   * whether or not something happened; a live drawing calls it a few times a second, and before it waits for a person.
   */
  flush(at?: number): string[];
}

/** An event may come so much later than one that happened after it. */
const DISORDER = 20e6;
/** So long a frame waits for its fate before it is drawn in two parts. */
const HOLD = 250e6;
/** Calls that may be waiting at one time. */
const MOST_OPEN = 4096;
const MOST_UNFINISHED = 20;

interface Mark {
  readonly at: number;
  /** A frame that waits for its fate. */
  readonly frame?: Frame;
  /** Draws a row, or may. */
  readonly visible: boolean;
  run(alone: boolean): void;
}

export function createLanes(options: LanesOptions): Lanes {
  const { hosts, ascii = false, detail = false } = options;
  const layout = layoutFor(options.columns);
  const glyphs = glyphsFor(ascii);
  const paint = painter(options.colour);
  const names = [clean(hosts[0], ascii), clean(hosts[1], ascii)] as const;
  let origin: number | null = null;
  const started = (): number => origin ?? 0;
  const page =
    layout.mode === 'list'
      ? createList(layout, paint, glyphs, started, names)
      : createPage(layout, paint, glyphs, started);
  const company = createCompany(glyphs, ascii, started);
  const folds = createFolds(glyphs, started);
  const scene: Scene = { page, glyphs, ascii, company, clean: (text) => clean(text, ascii), endOf, offer };
  const frames = createFrames(scene);
  const calls = createCalls(scene);
  const infos = createInfos(scene, detail);
  const queue = createQueue<Mark>();
  const open = new Map<string, Call>();
  const gauges = new Map<string, Gauge>();
  let now = Number.NEGATIVE_INFINITY;
  /** Everything up to here has been passed. */
  let passed = Number.NEGATIVE_INFINITY;
  let steps = 0;

  function endOf(host: string, side: 'client' | 'server' | undefined): End | null {
    if (hosts[0] === hosts[1]) {
      return host !== hosts[0] ? null : side === 'server' ? 'right' : 'left';
    }
    return host === hosts[0] ? 'left' : host === hosts[1] ? 'right' : null;
  }

  function offer(item: Item): void {
    if (company.takes(item) || folds.takes(item, company.any)) {
      return;
    }
    unfold();
    if (item.connection !== undefined) {
      for (const sentence of company.introduce(item.connection)) {
        page.note(null, sentence, 'dim');
      }
    }
    company.drawn(item.kind);
    folds.drawn(item);
    item.draw();
  }

  function unfold(): void {
    const alike = company.close();
    if (alike !== null) {
      page.note(null, alike, 'yellow');
    }
    const repeated = folds.close();
    if (repeated !== null) {
      if (repeated.text !== '') {
        page.note(null, repeated.text, 'yellow');
      }
      for (const item of repeated.last) {
        item.draw();
      }
    }
  }

  function plain(at: number, run: () => void, visible = true): void {
    queue.add({ at, visible, run });
  }

  function call(event: Extract<Event, { type: 'syscall' }>): void {
    const key = `${event.host}|${event.pid}|${event.tid}|${event.at}|${event.name}`;
    const begun = open.get(key);
    if (begun !== undefined && event.took !== null) {
      open.delete(key);
      begun.event = event;
      if (begun.began) {
        plain(event.at + event.took, () => calls.end(begun));
      }
      return;
    }
    const fresh: Call = { event, began: false, drawn: false, placed: null };
    if (event.took !== null && event.at <= passed) {
      // Told only when it returned: its beginning is above what has been drawn.
      plain(event.at + event.took, () => calls.end(fresh));
      return;
    }
    if (event.took === null && open.size < MOST_OPEN) {
      open.set(key, fresh);
    }
    plain(event.at, () => {
      // It may have returned meanwhile.
      const known = fresh.event;
      if (inTwoParts(known)) {
        calls.begin(fresh);
        if (known.took !== null) {
          plain(known.at + known.took, () => calls.end(fresh));
        }
      } else if (drawnAt(known) > known.at) {
        plain(drawnAt(known), () => calls.end(fresh));
      } else {
        calls.end(fresh);
      }
    });
  }

  function enqueue(event: Event): void {
    const { at } = event;
    switch (event.type) {
      case 'syscall':
        call(event);
        break;
      case 'packet': {
        const frame = frames.add(event);
        queue.add({ at, frame, visible: true, run: (alone) => frames.depart(frame, alone) });
        break;
      }
      case 'fate':
        frames.fate(event);
        queue.add({ at, visible: false, run: () => frames.settle(event) });
        break;
      case 'state':
        plain(at, () => state(event));
        break;
      case 'info':
        infos.add(event);
        plain(at, () => infos.draw(event), false);
        break;
      case 'message':
        plain(at, () => {
          const text = `${scene.clean(event.protocol)}: ${scene.clean(event.summary)}`;
          const kind = `message|${event.protocol}|${event.from}`;
          const line = [...company.mark(event.connection), piece(text, 'magenta')];
          const draw = (): void => page.middle(at, line);
          const { connection } = event;
          offer({
            at,
            kind,
            same: `${kind}|${connection}`,
            worth: 'usual',
            noun: 'messages',
            connection,
            draw,
            hide() {},
          });
        });
        break;
      case 'step':
        plain(at, () => {
          unfold();
          folds.forget();
          steps += 1;
          page.heading(at, `${steps}. ${scene.clean(event.text)}`);
        });
        break;
      case 'fault': {
        const text = `${glyphs.cut} ${scene.clean(event.on)} ${scene.clean(event.what)}`;
        plain(at, () => news(at, text, 'yellow'));
        break;
      }
      case 'lost': {
        const many = event.count === null ? '' : `${event.count} from `;
        const text = `not seen: ${many}${scene.clean(event.source)}: ${scene.clean(event.why)}`;
        plain(at, () => news(at, text, 'yellow'));
        break;
      }
      case 'gauge':
        gauges.set(`${event.subject}|${event.name}`, event);
        break;
    }
  }

  function news(at: number, text: string, tone: 'yellow'): void {
    unfold();
    page.note(at, text, tone);
  }

  function state(event: Extract<Event, { type: 'state' }>): void {
    const { at, host, side, to, source, connection, socket } = event;
    const end = endOf(host, side);
    if (to === 'LISTEN' && socket !== undefined) {
      infos.listens(socket);
    }
    const mark = source === 'traced' ? '' : source === 'sampled' ? glyphs.sampled : glyphs.inferred;
    offer({
      at,
      kind: `state|${host}|${side ?? ''}|${to}`,
      same: '',
      worth: 'news',
      noun: '',
      connection,
      hide() {},
      draw() {
        const line = [...company.mark(connection), piece(to, stateTone(to)), piece(mark, 'dim')];
        inKernel(scene, end, host, at, line);
      },
    });
  }

  function drain(limit: number, holds: boolean): void {
    for (let mark = queue.first; mark !== undefined && mark.at <= limit; mark = queue.first) {
      const { frame } = mark;
      if (holds && frame?.packet.id !== undefined && frame.fates.length === 0 && now < mark.at + HOLD) {
        return;
      }
      origin ??= mark.at;
      passed = Math.max(passed, mark.at);
      const next = queue.second;
      const arrives = frame?.fates[0]?.at ?? mark.at;
      queue.shift();
      mark.run(next === undefined || !next.visible || next.at > arrives);
    }
  }

  return {
    header: () => headerLines(layout, paint, glyphs, names),
    add(events) {
      for (const event of events) {
        enqueue(event);
        now = Math.max(now, event.at);
      }
      drain(now - DISORDER, true);
      return page.take();
    },
    flush(at) {
      if (at !== undefined) {
        now = Math.max(now, at);
        drain(now - DISORDER, true);
        page.finish(now - DISORDER);
        return page.take();
      }
      const end = now;
      drain(Number.POSITIVE_INFINITY, false);
      unfold();
      for (const waiting of [...open.values()].slice(0, MOST_UNFINISHED)) {
        calls.unfinished(waiting, end);
      }
      open.clear();
      page.finish(Number.POSITIVE_INFINITY);
      const counters = counterLines([...gauges.values()], layout, paint, glyphs, ascii);
      gauges.clear();
      return [...page.take(), ...counters];
    },
  };
}
