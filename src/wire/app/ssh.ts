/** SSH 2 (RFC 4253): identifications, algorithms and the key exchange in the clear; afterwards, how much was encrypted. */
import { decoderOf, type Hint, MAX_NEED, type Message, malformed, need, ok, type Step } from './decoder.ts';
import { oneLine } from './sql.ts';
import { u32 } from './ssh-bytes.ts';
import { line } from './ssh-lines.ts';
import { KEXINIT } from './ssh-names.ts';
import { OFFER_NAMES } from './ssh-offer.ts';
import { packet } from './ssh-packet.ts';
import { begin, type Lane, type State, say } from './ssh-state.ts';
import { sshSummary } from './ssh-summary.ts';
import { find, shortened, startsWith } from './text.ts';

const PORT = 22;
/** The lengths and the number of the message. */
const HEAD = 6;
/** Without a cipher a packet is a multiple of 8 and at least 16 bytes (RFC 4253, section 6). */
const BLOCK = 8;
const SHORTEST = 16;
const LEAST_PADDING = 4;
/** How far into a server's first lines its identification is looked for. */
const LOOKED_AT = 1024;

const NO_MESSAGES: readonly Message[] = [];

function read(lane: Lane, bytes: Uint8Array, from: number, to: number, state: State): Step {
  switch (lane.phase) {
    case 'sealed':
      lane.sealedBytes += to - from;
      return ok(NO_MESSAGES, to - from);
    case 'packets':
      return packets(lane, bytes, from, to, state);
    case 'lines':
      return line(lane, bytes, from, to, state);
    case 'unread':
      return malformed(0, 'SSH 1 is not read');
    default:
      return joined(lane, bytes, from, to, state);
  }
}

/** The beginning was missed: it is encrypted already, unless this shows that it is not. */
function joined(lane: Lane, bytes: Uint8Array, from: number, to: number, state: State): Step {
  if (to - from < HEAD) {
    return need(HEAD);
  }
  if (startsWith(bytes, from, to, 'SSH-')) {
    lane.phase = 'lines';
    return line(lane, bytes, from, to, state);
  }
  if (bytes[from + HEAD - 1] === KEXINIT && wrong(bytes, from) === null) {
    lane.phase = 'packets';
    return packets(lane, bytes, from, to, state);
  }
  lane.phase = 'sealed';
  lane.sealedBytes += to - from;
  return ok([say('notice', 'Encrypted', 0, () => ({}))], to - from);
}

/** As many packets as are there. */
function packets(lane: Lane, bytes: Uint8Array, from: number, to: number, state: State): Step {
  const said: Message[] = [];
  let at = from;
  let wanted = HEAD;
  while (to - at >= HEAD && lane.phase === 'packets') {
    let why = wrong(bytes, at);
    if (why === null) {
      const end = at + 4 + u32(bytes, at);
      if (end > to) {
        wanted = end - at;
        break;
      }
      why = packet(lane, bytes, at + 5, end - bytes[at + 4]!, end - at, state, said);
      at = why === null ? end : at;
    }
    if (why !== null) {
      return at > from ? ok(said, at - from) : malformed(0, why);
    }
  }
  return at > from ? ok(said, at - from) : need(wanted);
}

function wrong(bytes: Uint8Array, at: number): string | null {
  const size = 4 + u32(bytes, at);
  const padding = bytes[at + 4]!;
  if (size < SHORTEST || size > MAX_NEED || size % BLOCK !== 0) {
    return `a packet of SSH of ${size} bytes`;
  }
  return padding < LEAST_PADDING || padding > size - HEAD ? `${padding} bytes of padding of ${size}` : null;
}

function recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  const size = to - from;
  const byPort = hint.serverPort === PORT ? 0.3 : 0;
  if (size === 0 || startsWith(bytes, from, to, 'SSH-'.slice(0, size))) {
    return size >= 4 ? 0.95 : byPort > 0 && size > 0 ? 0.5 : byPort;
  }
  if (hint.midStream) {
    return byPort;
  }
  if (hint.side === 'client') {
    return 0;
  }
  const stop = Math.min(to, from + LOOKED_AT);
  for (let at = find(bytes, 10, from, stop); at >= 0; at = find(bytes, 10, at + 1, stop)) {
    if (startsWith(bytes, at + 1, to, 'SSH-2.0-') || startsWith(bytes, at + 1, to, 'SSH-1.99-')) {
      return 0.85;
    }
  }
  return byPort;
}

export const decoder = decoderOf<State>({
  name: 'ssh',
  transports: ['tcp'],
  secrets: [],
  recognises,
  speaks: {
    ssh: [
      ...['protocol', 'software', 'comments', 'text'],
      ...OFFER_NAMES,
      ...['host_key.type', 'host_key.bits', 'host_key.fingerprint', 'signature', 'public.length', 'guess'],
      ...['group.min', 'group.bits', 'group.max', 'cipher', 'mac', 'compression', 'bytes'],
      ...['code', 'reason', 'display', 'sequence', 'length', 'service', 'extension.*'],
    ],
  },
  begin,
  client: (bytes, from, to, state) => read(state.client, bytes, from, to, state),
  server: (bytes, from, to, state) => read(state.server, bytes, from, to, state),
  end(side, state) {
    const { sealedBytes } = state[side];
    return sealedBytes === 0
      ? []
      : [say('notice', 'EncryptedData', sealedBytes, () => ({ bytes: sealedBytes }))];
  },
  summary: (message, fields) => shortened(oneLine(sshSummary(message, fields)), 200),
});
