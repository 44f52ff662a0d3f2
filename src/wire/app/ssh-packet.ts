/** One packet in the clear: bytes[from, to) is its payload. */
import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { mpintBits, stringAt, stringEnd, u32 } from './ssh-bytes.ts';
import { addHostKey } from './ssh-key.ts';
import {
  BY_APPLICATION,
  DEBUG,
  DISCONNECT,
  EXT_INFO,
  IGNORE,
  KEXINIT,
  type KexMessage,
  kexMessage,
  messageName,
  NEWKEYS,
  reasonName,
  SERVICE_ACCEPT,
  SERVICE_REQUEST,
  UNIMPLEMENTED,
} from './ssh-names.ts';
import { choose, favourite, firstPacketFollows, isOffer, offerFields } from './ssh-offer.ts';
import { type Lane, other, type State, say } from './ssh-state.ts';

const MAX_EXTENSIONS = 32;

type Fields = { [name: string]: Value };

/** Null, or what is wrong with it; then nothing has changed. */
export function packet(
  lane: Lane,
  bytes: Uint8Array,
  from: number,
  to: number,
  size: number,
  state: State,
  said: Message[],
): string | null {
  const type = bytes[from]!;
  if (type === KEXINIT) {
    return kexinit(lane, bytes, from + 1, to, size, state, said);
  }
  if (type >= 30 && type < 50) {
    return exchange(lane, type, bytes, from + 1, to, size, state, said);
  }
  if (type === NEWKEYS) {
    newKeys(lane, size, state, said);
  } else if (type === DISCONNECT) {
    said.push(disconnect(lane, bytes, from + 1, to, size, state));
  } else {
    said.push(say('notice', messageName(type), size, () => plainFields(type, bytes, from + 1, to)));
  }
  return null;
}

function kexinit(
  lane: Lane,
  bytes: Uint8Array,
  from: number,
  to: number,
  size: number,
  state: State,
  said: Message[],
): string | null {
  if (!isOffer(bytes, from, to)) {
    return 'the lists in a KEXINIT do not fit';
  }
  if (lane.offer !== null || state.chosen !== null) {
    return 'a second KEXINIT before NEWKEYS';
  }
  const before = other(lane, state);
  const offer = bytes.slice(from, to);
  lane.guess = firstPacketFollows(bytes, from, to) ? favourite(offer) : null;
  if (before.offer === null) {
    lane.offer = offer;
  } else {
    state.chosen = lane.side === 'client' ? choose(offer, before.offer) : choose(before.offer, offer);
    before.offer = null;
  }
  const { chosen } = state;
  const failed = chosen !== null && chosen.disagreement.length > 0;
  said.push(
    say('notice', 'KEXINIT', size, () => offerFields(bytes, from, to, chosen), failed ? { failed } : {}),
  );
  return null;
}

function exchange(
  lane: Lane,
  type: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  size: number,
  state: State,
  said: Message[],
): string | null {
  const { chosen } = state;
  const guess = lane.guess !== null && (chosen === null || chosen.guessedWrong);
  const meant = kexMessage(lane.guess ?? chosen?.kex ?? '', type);
  if (meant.from !== null && meant.from !== lane.side) {
    return `${meant.name} from the ${lane.side}`;
  }
  lane.guess = null;
  const fields = () => ({ ...exchangeFields(meant, bytes, from, to), ...(guess ? { guess } : {}) });
  // The other side passes over a guess that it knows to be wrong.
  if (meant.pair === null || (guess && chosen !== null)) {
    said.push(say('notice', meant.name, size, fields));
  } else {
    state.asked = meant.kind === 'request' ? meant.pair : null;
    said.push(say(meant.kind, meant.name, size, fields, { pair: meant.pair }));
  }
  return null;
}

function exchangeFields({ holds }: KexMessage, bytes: Uint8Array, from: number, to: number): Values {
  const fields: Fields = {};
  const end = stringEnd(bytes, from, to);
  if ((holds === 'reply' || holds === 'host key') && end >= 0) {
    addHostKey(fields, bytes, from + 4, end);
    const signature = stringEnd(bytes, end, to);
    const algorithm = signature < 0 ? null : stringAt(bytes, signature + 4, to, 64);
    if (holds === 'reply' && algorithm !== null) {
      fields.signature = algorithm;
    }
  } else if (holds === 'public' && end >= 0) {
    fields['public.length'] = end - from - 4;
  } else if (holds === 'group' && end >= 0) {
    fields['group.bits'] = mpintBits(bytes, from, to);
  } else if (holds === 'size' && to - from >= 4) {
    fields['group.bits'] = u32(bytes, from);
  } else if (holds === 'wish' && to - from >= 12) {
    fields['group.min'] = u32(bytes, from);
    fields['group.bits'] = u32(bytes, from + 4);
    fields['group.max'] = u32(bytes, from + 8);
  }
  return fields;
}

function newKeys(lane: Lane, size: number, state: State, said: Message[]): void {
  lane.phase = 'sealed';
  const protection = state.chosen?.[lane.side];
  said.push(say('notice', 'NEWKEYS', size, () => ({})));
  said.push(say('notice', 'Encrypted', 0, () => ({ ...protection })));
}

function disconnect(
  lane: Lane,
  bytes: Uint8Array,
  from: number,
  to: number,
  size: number,
  state: State,
): Message {
  const failed = to - from < 4 || u32(bytes, from) !== BY_APPLICATION;
  const fields = () => plainFields(DISCONNECT, bytes, from, to);
  const { asked } = state;
  if (lane.side === 'client' || asked === null) {
    return say('notice', 'DISCONNECT', size, fields, { failed });
  }
  state.asked = null;
  return say('reply', 'DISCONNECT', size, fields, { failed, pair: asked });
}

/** What is cut short is left out. */
function plainFields(type: number, bytes: Uint8Array, from: number, to: number): Values {
  const fields: Fields = {};
  if (type === IGNORE) {
    fields.length = to - from - 4;
  } else if (type === DEBUG && to > from) {
    fields.display = bytes[from] !== 0;
    addText(fields, 'text', bytes, from + 1, to);
  } else if (type === SERVICE_REQUEST || type === SERVICE_ACCEPT) {
    addText(fields, 'service', bytes, from, to);
  } else if (to - from >= 4) {
    const number = u32(bytes, from);
    if (type === DISCONNECT) {
      fields.code = number;
      fields.reason = reasonName(number);
      addText(fields, 'text', bytes, from + 4, to);
    } else if (type === UNIMPLEMENTED) {
      fields.sequence = number;
    } else if (type === EXT_INFO) {
      addExtensions(fields, number, bytes, from + 4, to);
    }
  }
  return fields;
}

function addText(fields: Fields, name: string, bytes: Uint8Array, from: number, to: number): void {
  const found = stringAt(bytes, from, to);
  if (found !== null) {
    fields[name] = found;
  }
}

/** RFC 8308, section 2.3. */
function addExtensions(fields: Fields, count: number, bytes: Uint8Array, from: number, to: number): void {
  let at = from;
  for (let i = 0; i < Math.min(count, MAX_EXTENSIONS); i++) {
    const name = stringAt(bytes, at, to, 64);
    const value = stringEnd(bytes, at, to);
    const found = stringAt(bytes, value, to);
    if (name === null || found === null) {
      return;
    }
    fields[`extension.${name}`] = found;
    at = stringEnd(bytes, value, to);
  }
}
