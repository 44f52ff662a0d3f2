/** Frames and what becomes of them. */
import type { Fate, Packet } from '../../session/events.ts';
import type { Arrow, End, Flight } from './arrow.ts';
import { createPacketWords, type PacketWords } from './packet-words.ts';
import { VISIBLE } from './page.ts';
import type { Scene } from './scene.ts';
import { type Line, piece } from './text.ts';

/** A frame, and what is known of its fate. */
export interface Frame {
  readonly packet: Packet;
  readonly fates: Fate[];
  words: PacketWords | null;
  flight: Flight | null;
  held: boolean;
  hidden: boolean;
  /** It was hidden and is drawn after all, when everything about it is over. */
  late: boolean;
}

export interface Frames {
  add(packet: Packet): Frame;
  fate(fate: Fate): void;
  /** `alone`: nothing else happens before it arrives. */
  depart(frame: Frame, alone: boolean): void;
  settle(fate: Fate): void;
}

/** Frames whose fates may still come. */
const MOST = 16_384;
const NOBODY = 'nobody';

export function createFrames(scene: Scene): Frames {
  const { page, glyphs, company } = scene;
  const wordsOf = createPacketWords(glyphs);
  const frames = new Map<number, Frame>();
  /** Fates that stand on the arrow that left. */
  const told = new WeakSet<Fate>();
  const delays = new Map<string, number>();
  /** Told before their frame was. */
  const early = new Map<number, Fate[]>();

  function arrowOf(frame: Frame, words: PacketWords, fate: Fate | undefined): Omit<Arrow, 'shape'> {
    const { packet } = frame;
    const sender = scene.endOf(packet.host, packet.from);
    const opposite: End | null = sender === 'left' ? 'right' : sender === 'right' ? 'left' : null;
    const receiver =
      fate === undefined || fate.host === packet.host ? opposite : scene.endOf(fate.host, undefined);
    const rightwards =
      sender !== null
        ? sender === 'left'
        : receiver !== null
          ? receiver === 'right'
          : packet.from !== 'server';
    const mark = company
      .mark(packet.connection)
      .map(({ text }) => text)
      .join('');
    return {
      rightwards,
      sender: scene.clean(packet.host),
      receiver: fate === undefined || fate.host === NOBODY ? '' : scene.clean(fate.host),
      atSender: sender !== null,
      atReceiver: receiver !== null || fate === undefined || fate.host === NOBODY,
      labels: words.labels.map((label) => mark + scene.clean(label)),
      tone: words.tone,
      extra: null,
      flight: frame.flight,
    };
  }

  /** As long as the last one from there took. */
  function expected({ at, host }: Packet): number | null {
    const delay = delays.get(host);
    return delay === undefined ? null : at + delay;
  }

  function extraOf(fate: Fate): Line | null {
    const why = fate.why === undefined ? '' : scene.clean(fate.why);
    if (fate.what === 'delivered') {
      return why === '' ? null : [piece(why, 'dim')];
    }
    return [
      piece(fate.what, fate.what === 'dropped' ? 'red' : 'yellow'),
      ...(why === '' ? [] : [piece(`: ${why}`, 'dim')]),
    ];
  }

  function drawDeparture(frame: Frame, words: PacketWords, alone: boolean): void {
    const { packet, fates } = frame;
    const [fate] = fates;
    const arrow = arrowOf(frame, words, fate);
    const wait = fate === undefined ? 0 : fate.at - packet.at;
    if (fate !== undefined && fate.what === 'delivered') {
      delays.set(packet.host, wait);
    }
    const slopes =
      !frame.late &&
      packet.id !== undefined &&
      (fate === undefined || (fate.what !== 'held' && (wait >= VISIBLE || (wait >= 1e6 && !alone))));
    if (slopes) {
      frame.flight = {
        rightwards: arrow.rightwards,
        departed: packet.at,
        arrives: fate?.at ?? expected(packet),
        from: 0,
        to: 0,
      };
      page.arrow(packet.at, { ...arrow, shape: 'leaves', flight: frame.flight });
      return;
    }
    if (fate !== undefined) {
      told.add(fate);
      if (fate.what === 'delivered') {
        // A broadcast reaches the others at the same moment; that needs no arrow each.
        for (const other of fates) {
          if (other.what === 'delivered' && other.host !== fate.host && other.at - packet.at < VISIBLE) {
            told.add(other);
          }
        }
      }
    }
    const extra = fate === undefined ? null : extraOf(fate);
    frame.held = fate?.what === 'held';
    const shape = fate?.what === 'dropped' ? 'dies' : frame.held ? 'held' : 'whole';
    page.arrow(packet.at, { ...arrow, shape, extra });
  }

  function drawFate(frame: Frame, words: PacketWords, fate: Fate): void {
    const arrow = arrowOf(frame, words, fate);
    const { flight } = frame;
    const after = frame.held ? 'held' : flight === null ? 'unseen' : 'flight';
    frame.flight = null;
    frame.held = fate.what === 'held';
    const labels = arrow.labels.slice(-1);
    const extra = extraOf(fate);
    if (fate.what === 'held' && flight !== null) {
      page.landed(flight);
    }
    page.arrow(fate.at, {
      ...arrow,
      labels,
      extra,
      flight: fate.what === 'held' ? null : flight,
      shape: fate.what === 'held' ? 'held' : 'arrives',
      after,
      dies: fate.what === 'dropped',
    });
  }

  function fateKind(fate: Fate | undefined): string {
    return fate === undefined
      ? ''
      : fate.what === 'delivered'
        ? `${fate.why ?? ''}`
        : `${fate.what} ${fate.why ?? ''}`;
  }

  return {
    add(packet) {
      const frame: Frame = {
        packet,
        fates: packet.id === undefined ? [] : (early.get(packet.id) ?? []),
        words: null,
        flight: null,
        held: false,
        hidden: false,
        late: false,
      };
      if (packet.id !== undefined) {
        if (frames.size >= MOST) {
          frames.delete(frames.keys().next().value!);
        }
        frames.set(packet.id, frame);
        early.delete(packet.id);
      }
      return frame;
    },
    fate(fate) {
      const fates = frames.get(fate.packet)?.fates ?? early.get(fate.packet) ?? [];
      fates.push(fate);
      if (!frames.has(fate.packet) && early.size < MOST) {
        early.set(fate.packet, fates);
      }
    },
    depart(frame, alone) {
      const { packet } = frame;
      const words = wordsOf(packet);
      frame.words = words;
      const [fate] = frame.fates;
      const outcome = fateKind(fate);
      const bad = fate?.what === 'dropped' || fate?.what === 'held';
      const who = `${packet.host}|${packet.from ?? ''}`;
      scene.offer({
        at: packet.at,
        kind: `packet|${who}|${words.kind}|${outcome}`,
        same: `${packet.connection ?? ''}|${who}|${words.same}|${outcome}`,
        worth: words.trouble || bad ? 'trouble' : 'usual',
        noun: fate?.what === 'dropped' ? `${words.noun} dropped` : words.noun,
        connection: packet.connection,
        hide() {
          frame.hidden = true;
          if (fate !== undefined && fate.at - packet.at < VISIBLE) {
            told.add(fate);
          }
        },
        draw() {
          frame.late = frame.hidden && frame.fates.length > 0;
          frame.hidden = false;
          drawDeparture(frame, words, alone);
        },
      });
      if (packet.connection !== undefined && packet.flags?.some((flag) => flag === 'FIN' || flag === 'RST')) {
        company.ended(packet.connection);
      }
    },
    settle(fate) {
      if (told.has(fate)) {
        return;
      }
      const frame = frames.get(fate.packet);
      const words = frame?.words ?? null;
      if (frame === undefined || words === null) {
        const why = fate.why === undefined ? '' : `: ${scene.clean(fate.why)}`;
        const text = `packet ${fate.packet} for ${scene.clean(fate.host)} ${fate.what}${why}`;
        scene.offer({
          at: fate.at,
          kind: `fate|${fateKind(fate)}`,
          same: `fate|${fate.what}`,
          worth: fate.what === 'delivered' ? 'trouble' : 'news',
          noun: `packets ${fate.what}`,
          connection: fate.connection,
          hide() {},
          draw: () => page.note(fate.at, text, 'dim'),
        });
        return;
      }
      if (fate.what === 'delivered' && frame.hidden) {
        return;
      }
      scene.offer({
        at: fate.at,
        kind: `fate|${fate.host}|${words.kind}|${fateKind(fate)}`,
        same: `${fate.connection ?? ''}|${fate.host}|${words.same}|${fateKind(fate)}|arrives`,
        // The other half of an arrow is not left out.
        worth: frame.flight !== null || frame.held || fate.what !== 'delivered' ? 'news' : 'usual',
        noun: fate.what === 'delivered' ? 'arrivals' : `${words.noun} ${fate.what}`,
        connection: frame.packet.connection,
        hide() {
          if (frame.flight !== null) {
            page.landed(frame.flight);
          }
        },
        draw: () => drawFate(frame, words, fate),
      });
    },
  };
}
