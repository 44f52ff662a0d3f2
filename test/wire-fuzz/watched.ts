/** A lane and a conversation of which every message, packet and note is checked. */
import type { Decoder } from '../../src/wire/app/decoder.ts';
import { Conversation, type Listener, type Start } from '../../src/wire/conversation.ts';
import { createLane, type Lane, type LaneSink } from '../../src/wire/lane.ts';
import { layers, summaryOf } from '../../src/wire/layers.ts';
import { PACKET_NOTES } from '../../src/wire/notes.ts';
import { createStatistics } from '../../src/wire/statistics.ts';
import { broken, checkMessage } from './checks.ts';
import type { Frame } from './packets.ts';
import type { Clock } from './run.ts';
import { decoders } from './spoken.ts';

const ALL_NOTES = 2 ** PACKET_NOTES.length - 1;

export interface Watched {
  readonly lane: Lane;
  /** So many nanoseconds later than the frame before. */
  send(frame: Frame, after: number): void;
  /** The capture ends, and nothing may stay open. */
  finish(): void;
}

/** `look`: of every so many packets the slow path is walked too; 0: of none. */
export function watchedLane(clock: Clock, look: number, more: Partial<LaneSink> = {}): Watched {
  const statistics = createStatistics();
  let at = 0;
  const lane = createLane(
    {
      packet(lane) {
        if ((lane.notes & ~ALL_NOTES) !== 0) {
          broken(`notes ${lane.notes}`);
        }
        statistics.packet(lane);
        if (look > 0 && lane.count % look === 0) {
          checkLayers(lane);
        }
        more.packet?.(lane);
      },
      message(spoken, flow, lane) {
        checkMessage(spoken, null);
        statistics.message(spoken);
        more.message?.(spoken, flow, lane);
      },
      trouble({ why }) {
        checkTrouble(why);
      },
      closed: (flow) => statistics.closed(flow),
      bytes(_flow, _side, bytes, from, to) {
        if (from < 0 || to < from || to > bytes.length) {
          broken(`bytes [${from}, ${to}) of ${bytes.length}`);
        }
      },
    },
    { decoders, messages: true, checksums: true },
  );
  return {
    lane,
    send({ bytes, linkType, wireLength }, after) {
      at += after;
      clock.start();
      lane.frame(bytes, 0, bytes.length, wireLength, at, linkType);
      clock.stop();
    },
    finish() {
      lane.finish();
      if (lane.streams.open !== 0 || lane.streams.kept !== 0) {
        broken(`${lane.streams.open} flows open and ${lane.streams.kept} bytes kept at the end`);
      }
    },
  };
}

/** What is shown of a packet lies within it. */
function checkLayers({ headers: h }: Lane): void {
  for (const layer of layers(h)) {
    if (layer.from < h.from || layer.to < layer.from || layer.to > h.to) {
      broken(`layer ${layer.name} at [${layer.from}, ${layer.to}) of [${h.from}, ${h.to})`);
    }
    for (const field of layer.fields) {
      if (field.from < h.from || field.to < field.from || field.to > h.to) {
        broken(`field ${field.name} at [${field.from}, ${field.to}) of [${h.from}, ${h.to})`);
      }
    }
  }
  const summary = summaryOf(h);
  if (summary.length > 300 || /\n/.test(summary)) {
    broken(`a packet's summary: ${JSON.stringify(summary.slice(0, 400))}`);
  }
}

function checkTrouble(why: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (why.length === 0 || why.length > 300 || /[\0-\x1f\x7f-\x9f]/.test(why)) {
    broken(`trouble ${JSON.stringify(why.slice(0, 400))}`);
  }
}

export function watchedConversation(
  start: Start,
  fixed: Decoder | undefined,
  inInput: (text: string) => number,
): Conversation {
  const listener: Listener = {
    message: (spoken) => checkMessage(spoken, inInput),
    trouble: ({ why }) => checkTrouble(why),
  };
  return new Conversation(start, decoders, listener, fixed);
}
