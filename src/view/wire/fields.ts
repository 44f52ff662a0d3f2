/** Chosen fields, tab separated: a line per packet, or per message when a field of a message is among them. */
import { SockscopeError } from '../../errors.ts';
import { packetFields } from '../../wire/display/packet-fields.ts';
import type { Vocabulary } from '../../wire/display/parse.ts';
import type { Found, Subject } from '../../wire/display/subject.ts';
import type { Flow } from '../../wire/flows.ts';
import { type Heard, heard } from '../../wire/heard.ts';
import type { Lane } from '../../wire/lane.ts';
import { layers } from '../../wire/layers.ts';
import { printable } from '../../wire/printable.ts';
import { headerFields, isHeaderField } from './header-fields.ts';
import { fieldText, oneLine } from './messages.ts';
import { append, judge, type WireContext, type WireView } from './view.ts';

/** Fields that are no comparison's business: when it was. */
const TIMES = ['frame.time_epoch', 'frame.time_relative'] as const;

export interface FieldsOptions {
  readonly names: readonly string[];
  readonly vocabulary: Vocabulary;
  readonly startedAtNs: bigint;
}

type Reader = (subject: Subject, at: number) => Found;

export function fieldsView(context: WireContext, options: FieldsOptions): WireView {
  const { out } = context;
  const matches = judge(context);
  const columns = options.names.map((name) => ({ name, read: readerOf(name, options) }));
  const perMessage = columns.some(({ name }) => isOfMessage(name, options.vocabulary));
  let pending: Heard[] = [];
  let shown = 0;
  const subject: Subject = {
    lane: null,
    flow: null,
    messages: [],
    message: null,
    owners: (flow) => [context.owner(flow, 0), context.owner(flow, 1)].filter((one) => one !== null),
  };

  function line(lane: Lane | null, flow: Flow | null, message: Heard | null, at: number): void {
    shown++;
    subject.lane = lane;
    subject.flow = flow;
    subject.message = message;
    append(out, `${columns.map(({ read }) => cell(read(subject, at))).join('\t')}\n`);
  }

  return {
    get done() {
      return context.limit !== null && shown >= context.limit;
    },
    packet(lane) {
      if (!this.done && matches(lane, lane.flow, pending)) {
        if (!perMessage) {
          line(lane, lane.flow, null, lane.headers.at);
        }
        for (const message of perMessage ? pending : []) {
          line(lane, lane.flow, message, lane.headers.at);
        }
      }
      pending = [];
    },
    message(spoken) {
      if (perMessage || context.filter?.needsMessages === true) {
        pending.push(heard(spoken, context.reveal));
      }
    },
    trouble() {},
    closed() {},
    finish() {},
  };
}

const SOME = 8;

/** Those that begin as it does come first. */
function nearest(name: string, all: readonly string[]): string {
  const alike = (one: string): number => {
    let same = 0;
    while (same < name.length && one[same] === name[same]) {
      same++;
    }
    return same;
  };
  return [...all]
    .sort((a, b) => alike(b) - alike(a))
    .slice(0, SOME)
    .join(', ');
}

function cell(found: Found): string {
  if (found === undefined || found === null) {
    return '';
  }
  const text = Array.isArray(found) ? found.map((one) => fieldText(one)).join(',') : fieldText(found);
  return printable(oneLine(text));
}

function isOfMessage(name: string, vocabulary: Vocabulary): boolean {
  return (
    vocabulary.has(name.slice(0, Math.max(0, name.indexOf('.')))) ||
    /^(message\.|latency|firstbyte)/.test(name)
  );
}

function readerOf(name: string, { vocabulary, startedAtNs }: FieldsOptions): Reader {
  if (name === 'frame.time_epoch') {
    return (_, at) => {
      const ns = startedAtNs + BigInt(Math.round(at));
      return `${ns / 1_000_000_000n}.${String(ns % 1_000_000_000n).padStart(9, '0')}`;
    };
  }
  if (name === 'frame.time_relative') {
    return (_, at) => (at / 1e9).toFixed(9);
  }
  const known = packetFields.get(name);
  if (known !== undefined) {
    return (subject) => {
      const found = known.get(subject);
      return typeof found === 'boolean' ? Number(found) : found;
    };
  }
  const dot = name.indexOf('.');
  const protocol = name.slice(0, Math.max(0, dot));
  const spoken = vocabulary.get(protocol);
  if (spoken !== undefined) {
    const field = name.slice(dot + 1);
    if (!spoken.some((one) => (one.endsWith('*') ? field.startsWith(one.slice(0, -1)) : one === field))) {
      throw new SockscopeError(
        'FIELDS',
        `There is no field '${name}'.`,
        `Fields of ${protocol}: ${spoken.join(', ')}.`,
        2,
      );
    }
    return ({ message }) =>
      message !== null && message.protocol === protocol && Object.hasOwn(message.fields, field)
        ? message.fields[field]
        : undefined;
  }
  if (isHeaderField(name)) {
    return ({ lane }) => {
      if (lane === null) {
        return undefined;
      }
      for (const layer of layers(lane.headers)) {
        const found = layer.fields.find((field) => field.name === name);
        if (found !== undefined) {
          return found.value;
        }
      }
      return undefined;
    };
  }
  const siblings = [...packetFields.keys(), ...headerFields].filter((one) => one.startsWith(`${protocol}.`));
  throw new SockscopeError(
    'FIELDS',
    `There is no field '${name}'.`,
    siblings.length > 0
      ? `Of ${protocol} there are ${nearest(name, [...new Set(siblings)])} and others.`
      : `Give names such as ${TIMES[0]}, ip.src, tcp.dstport, tcp.seq, http.path, redis.command or latency, with commas between them.`,
    2,
  );
}
