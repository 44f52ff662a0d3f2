/** How a MySQL connection begins: the server's greeting, the client's answer, the proof of who it is. */
import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { CAN, type State, say, u16, u32 } from './mysql-state.ts';
import {
  byte,
  hex,
  lenencSpan,
  lenencText,
  type Reader,
  reader,
  short,
  take,
  zeroText,
} from './mysql-values.ts';

const ATTRIBUTES_KEPT = 64;
const AUTH_KEPT = 256;

const CAPABILITIES: readonly (readonly [number, string])[] = [
  [CAN.compress, 'compress'],
  [CAN.ssl, 'ssl'],
  [CAN.pluginAuth, 'plugin-auth'],
  [CAN.attributes, 'connect-attributes'],
  [CAN.sessionTrack, 'session-track'],
  [CAN.deprecateEof, 'deprecate-eof'],
  [CAN.zstd, 'zstd'],
  [CAN.queryAttributes, 'query-attributes'],
];
const CHARSETS = new Map([
  [8, 'latin1'],
  [28, 'gbk'],
  [33, 'utf8mb3'],
  [45, 'utf8mb4'],
  [46, 'utf8mb4'],
  [63, 'binary'],
  [192, 'utf8mb3'],
  [224, 'utf8mb4'],
  [255, 'utf8mb4'],
]);

function charsetName(number: number): string {
  return CHARSETS.get(number) ?? String(number);
}

/** Null, or what is wrong with it. */
export function greeting(
  state: State,
  bytes: Uint8Array,
  from: number,
  to: number,
  said: Message[],
): string | null {
  if (bytes[from] !== 10) {
    return bytes[from] === 9
      ? 'a server before MySQL 3.21, whose protocol 9 is not read'
      : 'no greeting of MySQL';
  }
  const packet = reader(bytes, from + 1, to);
  const version = zeroText(packet, 128);
  const fixed = take(packet, 15);
  if (fixed < 0) {
    return 'a greeting that ends early';
  }
  let can = u16(bytes, fixed + 13);
  let charset = 0;
  let plugin = '';
  let secondLength = 0;
  let second = -1;
  const more = packet.to - packet.at >= 16 ? take(packet, 16) : -1;
  if (more >= 0) {
    charset = bytes[more]!;
    can = (can | (u16(bytes, more + 3) << 16)) >>> 0;
    // MariaDB marks itself by leaving out the first bit and uses the reserved bytes for more of them.
    state.serverCanMore = (can & CAN.mysql) === 0 ? u32(bytes, more + 12) : 0;
    secondLength = Math.max(13, bytes[more + 5]! - 8);
    second = take(packet, Math.min(secondLength, packet.to - packet.at));
    plugin = can & CAN.pluginAuth ? zeroText(packet, 64) : '';
  }
  const data =
    hex(bytes, fixed + 4, fixed + 12) +
    (second < 0 ? '' : hex(bytes, second, Math.min(packet.to, second + 12)));
  state.serverCan = can;
  state.phase = 'login';
  const fields: Values = {
    version,
    connection: u32(bytes, fixed),
    ...(plugin !== '' ? { plugin } : {}),
    ...(charset !== 0 ? { charset: charsetName(charset) } : {}),
    capabilities: capabilityNames(can),
    'auth.data': data,
  };
  said.push(say(state.server, 'notice', 'Greeting', () => fields));
  return null;
}

function capabilityNames(can: number): string[] {
  return CAPABILITIES.filter(([bit]) => (can & bit) !== 0).map(([, name]) => name);
}

/** True when the client asks for TLS now: it sends its hello without waiting. */
export function wantsTls(state: State, bytes: Uint8Array, from: number, to: number): boolean {
  return state.phase !== 'commands' && to - from === 32 && (u32(bytes, from) & CAN.ssl) !== 0;
}

export function login(
  state: State,
  bytes: Uint8Array,
  from: number,
  to: number,
  said: Message[],
): string | null {
  const packet = reader(bytes, from, to);
  const fields: { [name: string]: Value } = {};
  let can = packet.to - from >= 2 ? u16(bytes, from) : 0;
  if (can & CAN.protocol41) {
    const fixed = take(packet, 32);
    if (fixed < 0) {
      return 'a login that ends early';
    }
    can = u32(bytes, fixed);
    fields.charset = charsetName(bytes[fixed + 8]!);
    fields.capabilities = capabilityNames(can);
    state.canMore = (can & CAN.mysql) === 0 ? u32(bytes, fixed + 28) & state.serverCanMore : 0;
    fields.user = zeroText(packet, 128);
    const auth = authData(packet, can);
    if (can & CAN.withDatabase) {
      fields.database = zeroText(packet, 128);
    }
    if (can & CAN.pluginAuth && packet.at < packet.to) {
      fields.plugin = zeroText(packet, 64);
    }
    if (can & CAN.attributes && packet.at < packet.to) {
      attributes(packet, fields);
    }
    fields['auth.data'] = auth;
  } else {
    take(packet, 5);
    fields.user = zeroText(packet, 128);
    fields['auth.data'] = zeroHex(packet);
  }
  // Without a greeting seen, what the client says is all there is to know.
  state.can = state.phase === 'login' ? can & state.serverCan : can;
  state.phase = 'commands';
  const pair = ++state.pairs;
  state.queue.push({ kind: 'login', pair, name: 'Login', statement: null });
  said.push(say(state.client, 'request', 'Login', () => fields, { pair }));
  return null;
}

function authData(packet: Reader, can: number): string {
  if (can & CAN.lenencAuth) {
    const { start, end } = lenencSpan(packet);
    return hex(packet.bytes, start, Math.min(end, start + AUTH_KEPT));
  }
  return can & CAN.secureAuth ? countedHex(packet) : zeroHex(packet);
}

function countedHex(packet: Reader): string {
  const length = byte(packet);
  const at = take(packet, length);
  return at < 0 ? '' : hex(packet.bytes, at, at + length);
}

function zeroHex(packet: Reader): string {
  const start = packet.at;
  while (packet.at < packet.to && packet.bytes[packet.at] !== 0) {
    packet.at++;
  }
  const end = packet.at;
  packet.at = Math.min(packet.to, end + 1);
  return hex(packet.bytes, start, Math.min(end, start + AUTH_KEPT));
}

/** What a client's library says of itself: `_client_name`, `program_name`… */
function attributes(packet: Reader, fields: { [name: string]: Value }): void {
  const { start, end } = lenencSpan(packet);
  const pairs = reader(packet.bytes, start, end);
  for (let count = 0; pairs.at < pairs.to && !pairs.bad && count < ATTRIBUTES_KEPT; count++) {
    const name = lenencText(pairs, 64);
    const value = lenencText(pairs, 256);
    fields[`attribute.${name}`] = value;
  }
}

/** COM_CHANGE_USER: bytes[from, to) is what follows the command. */
export function changeUserFields(state: State, bytes: Uint8Array, from: number, to: number): Values {
  const packet = reader(bytes, from, to);
  const fields: { [name: string]: Value } = { command: 'COM_CHANGE_USER', user: zeroText(packet, 128) };
  fields['auth.data'] = state.can & CAN.secureAuth || state.midStream ? countedHex(packet) : zeroHex(packet);
  fields.database = zeroText(packet, 128);
  if (packet.to - packet.at >= 2) {
    fields.charset = charsetName(short(packet));
  }
  if (state.can & CAN.pluginAuth && packet.at < packet.to) {
    fields.plugin = zeroText(packet, 64);
  }
  if (state.can & CAN.attributes && packet.at < packet.to) {
    attributes(packet, fields);
  }
  return fields;
}

/** The client goes on proving itself. */
export function authResponse(
  state: State,
  bytes: Uint8Array,
  from: number,
  to: number,
  said: Message[],
): void {
  const data = hex(bytes, from, Math.min(to, from + AUTH_KEPT));
  said.push(say(state.client, 'notice', 'AuthResponse', () => ({ 'auth.data': data })));
}

/** The server asks for another proof, or goes on with the one chosen. */
export function authRequest(
  state: State,
  bytes: Uint8Array,
  from: number,
  to: number,
  said: Message[],
): void {
  const packet = reader(bytes, from + 1, to);
  const other = bytes[from] === 0xfe;
  const fields: { [name: string]: Value } = {};
  if (other) {
    fields.plugin = to - from === 1 ? 'mysql_old_password' : zeroText(packet, 64);
  }
  fields['auth.data'] = hex(bytes, packet.at, Math.min(to, packet.at + AUTH_KEPT));
  const pair = state.queue[0]?.pair;
  const extra = pair === undefined || pair === null ? {} : { pair, more: true };
  said.push(say(state.server, 'reply', other ? 'AuthSwitch' : 'AuthMore', () => fields, extra));
}
