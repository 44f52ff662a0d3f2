/**
 * What the live screen shows, gathered beside the ring and handed over in batches. Totals are always right; rows beyond
 * what a person could see are counted instead of made, so that a flood of packets drowns neither thread.
 */
import type { Side } from '../../wire/app/decoder.ts';
import type { Spoken, Trouble } from '../../wire/conversation.ts';
import type { Owner } from '../../wire/display/subject.ts';
import type { Flow } from '../../wire/flows.ts';
import type { Headers } from '../../wire/headers.ts';
import { LINK } from '../../wire/headers.ts';
import { heard } from '../../wire/heard.ts';
import type { Lane } from '../../wire/lane.ts';
import { summaryOf } from '../../wire/layers.ts';
import { noteNames } from '../../wire/notes.ts';
import { printable } from '../../wire/printable.ts';
import { secretsOf } from '../../wire/secrets.ts';
import type { ClosedHow } from '../../wire/streams.ts';
import { FLAG_WORDS } from './packet-line.ts';
import {
  type Batch,
  type ConnectionRow,
  type EndRow,
  type MessageRow,
  type PacketRow,
  type Talk,
  trimmed,
} from './screen-rows.ts';
import type { WireContext, WireView } from './view.ts';

export type { Batch, ConnectionRow, MessageRow, PacketRow } from './screen-rows.ts';

/** Nobody reads faster. */
export const BATCH_NS = 100e6;
/** Per batch. */
export const ROWS = 500;
export const MESSAGES = 300;
export const CONNECTIONS = 300;
export const TALK_BYTES = 256 * 1024;
/** Changed connections that wait for their turn; beyond it they are counted. */
const CHANGED = 8192;
/** A whole frame of an ordinary network; of larger ones (loopback takes 64 KiB) the headers and the beginning. */
export const FRAME_KEPT = 1600;
const VLAN = 0x8100;
/** A remote end has no owner here; a local one may be found only after the next look through /proc, which is not at once. */
const OWNER_TRIES = 4;
const OWNER_EVERY_NS = 1e9;

export interface ScreenFeed extends WireView {
  /** The kernel lost so many. */
  lost(count: number): void;
  /** Null: too early, or nothing new. */
  take(): Batch | null;
}

interface Known {
  speaks: string;
  messages: number;
  failed: number;
  trouble: string;
  how: ClosedHow | null;
  readonly owners: [Owner | null, Owner | null];
  tries: number;
  /** A message of this batch was not read, so nobody knows where its secrets are. */
  blind: boolean;
}

export function screenFeed(context: WireContext, now: () => number): ScreenFeed {
  const { clock, reveal, limit } = context;
  const known = new WeakMap<Flow, Known>();
  const changed = new Set<Flow>();
  const blind = new Set<Flow>();
  /** An end of theirs may yet get a name. */
  const nameless = new Set<Flow>();
  let nextNames = Number.NEGATIVE_INFINITY;
  let next = Number.NEGATIVE_INFINITY;
  let fresh = false;
  let packets = 0;
  let bytes = 0;
  let lost = 0;
  let dark = false;
  let batch = emptyBatch();

  function knownOf(flow: Flow): Known {
    let one = known.get(flow);
    if (one === undefined) {
      one = {
        speaks: '',
        messages: 0,
        failed: 0,
        trouble: '',
        how: null,
        owners: [null, null],
        tries: 0,
        blind: false,
      };
      known.set(flow, one);
    }
    return one;
  }

  function change(flow: Flow): void {
    if (changed.size < CHANGED || changed.has(flow)) {
      changed.add(flow);
    } else {
      batch.missed.connections++;
    }
    fresh = true;
  }

  function name(flow: Flow, about: Known): void {
    about.tries++;
    about.owners[0] ??= context.owner(flow, 0);
    about.owners[1] ??= context.owner(flow, 1);
    const whole = about.owners[0] !== null && about.owners[1] !== null;
    if (whole || about.tries >= OWNER_TRIES || about.how !== null) {
      nameless.delete(flow);
    } else if (nameless.size < CHANGED) {
      nameless.add(flow);
    }
  }

  function connectionRow(flow: Flow): ConnectionRow {
    const about = knownOf(flow);
    if (about.tries === 0) {
      name(flow, about);
    }
    const end = (which: 0 | 1): EndRow => {
      const { address, port, text, packets: count, payload, repeated } = flow.ends[which];
      return { address, port, text, owner: about.owners[which], packets: count, payload, repeated };
    };
    return {
      id: flow.id,
      stream: flow.stream,
      protocol: flow.protocol,
      net: flow.net,
      clientEnd: flow.clientEnd,
      ends: [end(0), end(1)],
      notes: flow.notes,
      state: flow.state,
      finBy: flow.finBy,
      resetBy: flow.resetBy,
      handshakeNs: flow.handshakeNs,
      first: Math.min(flow.ends[0].first, flow.ends[1].first),
      last: flow.last,
      noteTexts: noteNames(flow.notes).map((name) => {
        const times = flow.noteCount(name);
        return times > 1 ? `${name} ×${times}` : name;
      }),
      how: about.how,
      speaks: about.speaks,
      messages: about.messages,
      failed: about.failed,
      trouble: about.trouble,
    };
  }

  function connections(): ConnectionRow[] {
    const rows: ConnectionRow[] = [];
    for (const flow of changed) {
      if (rows.length === CONNECTIONS) {
        break;
      }
      rows.push(connectionRow(flow));
      changed.delete(flow);
    }
    return rows;
  }

  return {
    get done() {
      return limit !== null && packets >= limit;
    },
    lost(count) {
      lost += count;
      fresh = true;
    },
    packet(lane) {
      const { headers, flow } = lane;
      packets++;
      bytes += headers.wireLength;
      fresh = true;
      if (flow !== null) {
        change(flow);
      }
      if (batch.rows.length < ROWS) {
        batch.rows.push(packetRow(lane, clock.text(headers.at), context.device(), dark && !reveal));
      } else {
        batch.missed.rows++;
      }
      dark = false;
    },
    message(spoken, flow, lane) {
      const about = knownOf(flow);
      about.speaks = spoken.message.protocol;
      about.messages++;
      if (spoken.message.failed === true) {
        about.failed++;
      }
      if (batch.messages.length >= MESSAGES) {
        batch.missed.messages++;
        dark = true;
        about.blind = true;
        blind.add(flow);
        return;
      }
      batch.messages.push(messageRow(spoken, flow, lane, clock.text(spoken.at), reveal));
      if (!reveal) {
        const values = secretsOf(spoken);
        if (values.length > 0) {
          batch.secrets.push({ connection: flow.id, values });
        }
      }
    },
    trouble(trouble, flow, lane) {
      const about = knownOf(flow);
      about.trouble = troubleText(trouble);
      if (batch.messages.length < MESSAGES) {
        batch.messages.push({
          packet: lane.count,
          connection: flow.id,
          time: clock.text(trouble.at),
          heard: null,
          side: trouble.side,
          protocol: trouble.decoder.name,
          text: printable(trouble.why),
        });
      } else {
        batch.missed.messages++;
      }
    },
    closed(flow, how) {
      knownOf(flow).how = how;
      change(flow);
    },
    bytes(flow, side: Side, data, from, to, at) {
      const room = TALK_BYTES - batch.talkBytes;
      const kept = knownOf(flow).blind && !reveal ? 0 : Math.min(room, to - from);
      if (kept > 0) {
        batch.talkBytes += kept;
        batch.talk.push({
          connection: flow.id,
          side,
          time: clock.text(at),
          bytes: data.slice(from, from + kept),
        });
      }
      if (kept < to - from) {
        batch.unheard.set(flow.id, (batch.unheard.get(flow.id) ?? 0) + to - from - kept);
      }
    },
    take() {
      const moment = now();
      if (moment >= nextNames) {
        nextNames = moment + OWNER_EVERY_NS;
        for (const flow of nameless) {
          name(flow, knownOf(flow));
          change(flow);
        }
      }
      if (!fresh || moment < next) {
        return null;
      }
      next = moment + BATCH_NS;
      withoutBlind(batch, blind, known);
      const { rows, messages, talk, secrets, missed, unheard } = batch;
      const taken = {
        packets,
        bytes,
        lost,
        rows,
        messages,
        connections: connections(),
        talk,
        secrets,
        missed,
        unheard,
      };
      batch = emptyBatch();
      fresh = changed.size > 0;
      return taken;
    },
    finish() {
      next = Number.NEGATIVE_INFINITY;
    },
  };
}

interface Gathering {
  rows: PacketRow[];
  messages: MessageRow[];
  talk: Talk[];
  talkBytes: number;
  secrets: { connection: number; values: Uint8Array[] }[];
  missed: { rows: number; messages: number; connections: number };
  unheard: Map<number, number>;
}

function emptyBatch(): Gathering {
  return {
    rows: [],
    messages: [],
    talk: [],
    talkBytes: 0,
    secrets: [],
    missed: { rows: 0, messages: 0, connections: 0 },
    unheard: new Map(),
  };
}

/** Of a conversation some of whose messages were not read, nothing of this batch is shown: secrets may be anywhere in it. */
function withoutBlind(batch: Gathering, blind: Set<Flow>, known: WeakMap<Flow, Known>): void {
  if (blind.size === 0) {
    return;
  }
  const hidden = new Set<number>();
  for (const flow of blind) {
    hidden.add(flow.id);
    known.get(flow)!.blind = false;
  }
  blind.clear();
  batch.talk = batch.talk.filter(({ connection, bytes }) => {
    if (hidden.has(connection)) {
      batch.unheard.set(connection, (batch.unheard.get(connection) ?? 0) + bytes.length);
    }
    return !hidden.has(connection);
  });
}

/** `dark`: a message in it was not read, so only the headers are kept. */
function packetRow(lane: Lane, time: string, device: string, dark: boolean): PacketRow {
  const { headers: h, flow, streams } = lane;
  const from = h.reassembled ? h.netAt : h.from;
  const end = h.reassembled ? h.netEnd : h.to;
  const most = dark && h.payloadAt >= from ? Math.min(h.payloadAt, end) : end;
  const tcp = flow !== null && h.protocol === 6;
  return {
    number: lane.count,
    at: h.at,
    time,
    connection: flow === null ? -1 : flow.id,
    sender: flow === null ? 0 : streams.sender,
    protocol: flow === null ? '' : tcp ? 'TCP' : 'UDP',
    info: tcp ? segmentText(h, lane) : flow === null ? summaryOf(h) : '',
    notes: lane.notes,
    payload: h.payloadLength,
    wireLength: h.wireLength,
    device,
    frame: h.bytes.slice(from, Math.min(most, from + FRAME_KEPT)),
    linkType: h.reassembled ? LINK.raw : h.linkType,
    // The type of a tagged frame is that of its tag; the one behind it is read from there.
    etherType: h.reassembled || h.linkType !== LINK.raw ? -1 : h.vlans > 0 ? VLAN : h.etherType,
    seq: tcp ? streams.relativeSeq : 0,
    ack: tcp ? streams.relativeAck : -1,
    window: tcp ? streams.window : -1,
  };
}

function segmentText(h: Headers, { streams }: Lane): string {
  const words = FLAG_WORDS.filter(([bit]) => (h.flags & bit) !== 0).map(([, word]) => word);
  const end = h.payloadLength > 0 ? `:${streams.relativeSeq + h.payloadLength}` : '';
  const ack = streams.relativeAck >= 0 ? `  ack ${streams.relativeAck}` : '';
  const window = streams.window >= 0 ? streams.window : h.window;
  return `${words.join(' ') || 'no flags'}  seq ${streams.relativeSeq}${end}${ack}  win ${window}`;
}

function messageRow(spoken: Spoken, flow: Flow, lane: Lane, time: string, reveal: boolean): MessageRow {
  const whole = heard(spoken, reveal);
  return {
    packet: lane.count,
    connection: flow.id,
    time,
    heard: { ...whole, fields: trimmed(whole.fields) },
    side: whole.side,
    protocol: whole.protocol,
    text: printable(whole.summary),
  };
}

function troubleText({ decoder, why }: Trouble): string {
  return `${decoder.name}: ${printable(why)}`;
}
