/** Rows as what a display filter looks at. A kept frame is dissected once more; one set of objects serves all rows. */
import type { ConnectionRow, MessageRow, PacketRow } from '../view/wire/screen-rows.ts';
import { type DisplayFilter, displayFilter } from '../wire/display/filter.ts';
import type { Vocabulary } from '../wire/display/parse.ts';
import type { Owner, Subject } from '../wire/display/subject.ts';
import { dissect, dissectNetwork } from '../wire/dissect.ts';
import type { Flow } from '../wire/flows.ts';
import { emptyHeaders, type Headers } from '../wire/headers.ts';
import type { Heard } from '../wire/heard.ts';
import type { Lane } from '../wire/lane.ts';
import type { FilterProblem } from './filter-line.ts';
import type { Source } from './wire-store.ts';

const WORDS = 6;

export function readDisplay(
  text: string,
  vocabulary: Vocabulary,
): { filter: DisplayFilter | null } | { problem: FilterProblem } {
  if (text.trim() === '') {
    return { filter: null };
  }
  const read = displayFilter(text, vocabulary);
  if ('matches' in read) {
    return { filter: read };
  }
  const words = read.expected.slice(0, WORDS).join(', ') + (read.expected.length > WORDS ? ', …' : '');
  return {
    problem: { at: read.at, text: words === '' ? read.message : `${read.message} Possible: ${words}` },
  };
}

/** The frame's headers, as far as it was kept; what lies in `into` is replaced. */
export function headersOf(row: PacketRow, into: Headers = emptyHeaders()): Headers {
  into.bytes = row.frame;
  into.from = 0;
  into.to = row.frame.length;
  into.wireLength = row.wireLength;
  into.at = row.at;
  into.linkType = row.linkType;
  into.direction = -1;
  if (row.etherType >= 0) {
    dissectNetwork(into, row.etherType);
  } else {
    dissect(into);
  }
  return into;
}

export interface Judge {
  packet(row: PacketRow): boolean;
  message(row: MessageRow): boolean;
  connection(row: ConnectionRow): boolean;
}

const EVERYTHING: Judge = { packet: () => true, message: () => true, connection: () => true };

export function judgeBy(filter: DisplayFilter | null, source: Source): Judge {
  if (filter === null) {
    return EVERYTHING;
  }
  const headers = emptyHeaders();
  const streams = { sender: 0 as 0 | 1, relativeSeq: 0, relativeAck: -1, window: -1 };
  const lane = { headers, streams, notes: 0, count: 0 };
  const subject: Subject = {
    lane: null,
    flow: null,
    messages: [],
    message: null,
    owners: (flow) =>
      (flow as unknown as ConnectionRow).ends
        .map(({ owner }) => owner)
        .filter((one): one is Owner => one !== null),
  };
  function ask(withLane: boolean, row: ConnectionRow | undefined, messages: readonly Heard[]): boolean {
    // Of a lane and a flow a filter reads only what a row has under the same names; the test goes through every field.
    subject.lane = withLane ? (lane as unknown as Lane) : null;
    subject.flow = (row as unknown as Flow | undefined) ?? null;
    subject.messages = messages;
    return filter!.matches(subject);
  }
  return {
    packet(row) {
      headersOf(row, headers);
      headers.payloadLength = row.payload;
      streams.sender = row.sender;
      streams.relativeSeq = row.seq;
      streams.relativeAck = row.ack;
      streams.window = row.window;
      lane.notes = row.notes;
      lane.count = row.number;
      const messages = source.completed.get(row.number) ?? [];
      return ask(
        true,
        source.connections.get(row.connection),
        messages.map(({ heard }) => heard).filter((one) => one !== null),
      );
    },
    message: (row) => row.heard !== null && ask(false, source.connections.get(row.connection), [row.heard]),
    connection: (row) => ask(false, row, []),
  };
}
