/**
 * Bytes that nobody reads. How they were cut into segments must not matter, so there is no message per segment: the first
 * bytes of each side, and how many there were in all. A datagram is whole, and a notice each.
 */
import type { Values } from '../value.ts';
import { decoderOf, type Message, ok, type Side, type Step } from './decoder.ts';
import { hexText } from './lines-shown.ts';

const SHOWN = 64;
/** Anybody who recognises anything is surer than this. */
const SURE = 0.01;

interface Lane {
  readonly first: Uint8Array;
  total: number;
  said: boolean;
}

interface State {
  readonly datagrams: boolean;
  readonly client: Lane;
  readonly server: Lane;
}

const newLane = (): Lane => ({ first: new Uint8Array(SHOWN), total: 0, said: false });

export const decoder = decoderOf<State>({
  name: 'hex',
  transports: ['tcp', 'udp'],
  secrets: [],
  speaks: { hex: ['hex', 'text', 'size'] },
  recognises: () => SURE,
  begin: (hint) => ({ datagrams: hint.transport === 'udp', client: newLane(), server: newLane() }),
  client: (bytes, from, to, state) => step(bytes, from, to, state, state.client),
  server: (bytes, from, to, state) => step(bytes, from, to, state, state.server),
  indifferent: (side, state) => !state.datagrams && state[side].said,
  passedBy(side, count, state) {
    state[side].total += count;
  },
  end,
  summary,
});

function step(bytes: Uint8Array, from: number, to: number, state: State, lane: Lane): Step {
  const count = to - from;
  if (state.datagrams) {
    return ok([notice('datagram', bytes, from, Math.min(to, from + SHOWN), count)], count);
  }
  const missing = SHOWN - lane.total;
  if (missing > 0) {
    lane.first.set(bytes.subarray(from, from + Math.min(missing, count)), lane.total);
  }
  lane.total += count;
  if (lane.said || lane.total < SHOWN) {
    return ok([], count);
  }
  lane.said = true;
  return ok([notice('first bytes', lane.first, 0, SHOWN, SHOWN)], count);
}

function end(side: Side, state: State): readonly Message[] {
  const { first, total, said } = state[side];
  if (total === 0 || state.datagrams) {
    return [];
  }
  if (!said) {
    return [notice('first bytes', first, 0, total, total)];
  }
  const bytes = total - SHOWN;
  return [{ protocol: 'hex', kind: 'notice', name: 'end', bytes, fields: () => ({ size: total }) }];
}

function notice(name: string, source: Uint8Array, from: number, to: number, bytes: number): Message {
  return {
    protocol: 'hex',
    kind: 'notice',
    name,
    bytes,
    fields: () => ({ hex: hexText(source, from, to), text: printed(source, from, to), size: bytes }),
  };
}

/** As hex dumps show it: a dot for what does not print. */
function printed(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    text += byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.';
  }
  return text;
}

function summary(message: Message, { hex, text, size }: Values): string {
  if (message.name === 'end') {
    return `${String(size)} B in all`;
  }
  const pairs = String(hex)
    .slice(0, 32)
    .replace(/..(?=.)/g, '$& ');
  const more = Number(size) > 16 ? ' …' : '';
  return `${pairs}${more}  ${String(text).slice(0, 64)}`.trimEnd();
}
