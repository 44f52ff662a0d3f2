/**
 * The PROXY protocol, version 1 and 2 (the text proxy-protocol.txt of HAProxy): whose connection a load balancer passes on.
 * What follows is whatever the client speaks.
 */
import { ipv4Text, ipv6Text, parseIpv4, parseIpv6 } from '../net/address.ts';
import type { Value, Values } from '../value.ts';
import { become, decoderOf, type Hint, type Message, malformed, need, ok, type Step } from './decoder.ts';
import { addTlvs, checksum, tlvsFit } from './proxy-tlv.ts';
import { oneLine } from './sql.ts';
import { find, latin1, lineEnd, shortened, startsWith, text } from './text.ts';

const WORD = 'PROXY ';
const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';
/** With its line end (section 2.1). */
const LONGEST_LINE = 107;
const HEAD = 16;
const UNIX_PATH = 108;
/** What a server that speaks first may send before the header. */
const MAX_AHEAD = 16 * 1024;

const FAMILIES = new Map([
  [0x00, 'UNSPEC'],
  [0x11, 'TCP4'],
  [0x12, 'UDP4'],
  [0x21, 'TCP6'],
  [0x22, 'UDP6'],
  [0x31, 'UNIX'],
  [0x32, 'UNIX datagram'],
]);
/** By the upper half of the family's byte: two addresses and, but for paths, two ports. */
const ADDRESS_BYTES = [0, 12, 36, 2 * UNIX_PATH];

const NO_MESSAGES: readonly Message[] = [];

type Fields = { [name: string]: Value };

function client(bytes: Uint8Array, from: number, to: number): Step {
  const size = to - from;
  if (startsWith(bytes, from, to, WORD.slice(0, size))) {
    return line(bytes, from, to);
  }
  if (!startsWith(bytes, from, to, SIGNATURE.slice(0, size))) {
    return malformed(0, 'no header of the PROXY protocol');
  }
  return size < HEAD ? need(HEAD) : header(bytes, from, to);
}

function line(bytes: Uint8Array, from: number, to: number): Step {
  const end = lineEnd(bytes, from, to);
  if ((end < 0 ? to : end + 1) - from > LONGEST_LINE) {
    return malformed(0, `a PROXY line of more than ${LONGEST_LINE} bytes`);
  }
  if (end < 0) {
    return ok(NO_MESSAGES, 0);
  }
  const fields = lineFields(latin1(bytes, from, end));
  const size = end + 1 - from;
  return fields === null
    ? malformed(0, 'a PROXY line that is none')
    : passes('PROXY', size, false, () => fields);
}

function lineFields(said: string): Values | null {
  // A proxy that does not know may say more; nobody reads it (section 2.1).
  if (/^PROXY UNKNOWN( .*)?\r$/.test(said)) {
    return { version: 1, command: 'PROXY', family: 'UNKNOWN' };
  }
  const parts = /^PROXY (TCP[46]) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r$/.exec(said);
  if (parts === null) {
    return null;
  }
  const [, family = '', ...rest] = parts;
  const [source, destination] = rest.slice(0, 2).map((one) => addressOf(family, one));
  const [from = 0, to = 0] = rest.slice(2).map(Number);
  return source === null || destination === null || from > 65535 || to > 65535
    ? null
    : {
        version: 1,
        command: 'PROXY',
        family,
        source: source!,
        destination: destination!,
        'source.port': from,
        'destination.port': to,
      };
}

function addressOf(family: string, words: string): string | null {
  const parsed = family === 'TCP4' ? parseIpv4(words) : parseIpv6(words);
  return parsed === null ? null : family === 'TCP4' ? ipv4Text(parsed, 0) : ipv6Text(parsed, 0);
}

function header(bytes: Uint8Array, from: number, to: number): Step {
  const version = bytes[from + 12]! >> 4;
  const command = bytes[from + 12]! & 15;
  if (version !== 2 || command > 1) {
    return malformed(12, `version ${version}, command ${command} of the PROXY protocol`);
  }
  const local = command === 0;
  const family = bytes[from + 13]!;
  const size = HEAD + ((bytes[from + 14]! << 8) | bytes[from + 15]!);
  const known = FAMILIES.has(family);
  const tlvs = HEAD + (ADDRESS_BYTES[family >> 4] ?? 0);
  if (known && tlvs > size && !local) {
    return malformed(
      14,
      `${size - HEAD} bytes where addresses of ${FAMILIES.get(family)} take ${tlvs - HEAD}`,
    );
  }
  if (to - from < size) {
    return need(size);
  }
  const end = from + size;
  // What comes with a family that is not known, or with LOCAL, is passed over (section 2.2).
  const fits = known && tlvs <= size && tlvsFit(bytes, from + tlvs, end);
  if (known && !fits && !local) {
    return malformed(tlvs, 'a value that ends outside the header of the PROXY protocol');
  }
  const sum = fits ? checksum(bytes, from, from + tlvs, end) : null;
  return passes(local ? 'LOCAL' : 'PROXY', size, sum === false, () => {
    const fields: Fields = { version: 2, command: local ? 'LOCAL' : 'PROXY' };
    if (!local) {
      fields.family = FAMILIES.get(family) ?? `0x${family.toString(16).padStart(2, '0')}`;
      addAddresses(fields, known ? family >> 4 : 0, bytes, from + HEAD);
    }
    if (sum !== null) {
      fields['tlv.crc32c'] = sum ? 'right' : 'wrong';
    }
    if (fits) {
      addTlvs(fields, bytes, from + tlvs, end);
    }
    return fields;
  });
}

function addAddresses(fields: Fields, kind: number, bytes: Uint8Array, at: number): void {
  if (kind === 0) {
    return;
  }
  const size = kind === 1 ? 4 : kind === 2 ? 16 : UNIX_PATH;
  const shown = kind === 1 ? ipv4Text : kind === 2 ? ipv6Text : path;
  fields.source = shown(bytes, at);
  fields.destination = shown(bytes, at + size);
  if (kind < 3) {
    fields['source.port'] = u16(bytes, at + 2 * size);
    fields['destination.port'] = u16(bytes, at + 2 * size + 2);
  }
}

/** Up to the first zero; a name in the abstract space begins with one and is shown with `@`, as ss does. */
function path(bytes: Uint8Array, at: number): string {
  const abstract = bytes[at] === 0 && bytes[at + 1] !== 0;
  const start = abstract ? at + 1 : at;
  const zero = find(bytes, 0, start, at + UNIX_PATH);
  const end = zero < 0 ? at + UNIX_PATH : zero;
  return `${abstract ? '@' : ''}${text(bytes, start, end)}`;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function passes(name: string, size: number, failed: boolean, fields: () => Values): Step {
  const message: Message = { protocol: 'proxy', kind: 'notice', name, bytes: size, failed, fields };
  return become(null, [message], size);
}

function recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  const size = to - from;
  if (hint.side === 'server' || size === 0) {
    return 0;
  }
  if (startsWith(bytes, from, to, WORD.slice(0, size))) {
    return size < WORD.length
      ? 0.2
      : /^PROXY (TCP[46]|UNKNOWN)[ \r]/.test(latin1(bytes, from, Math.min(to, from + 16)))
        ? 0.99
        : size < 14
          ? 0.5
          : 0;
  }
  if (startsWith(bytes, from, to, SIGNATURE.slice(0, size))) {
    // Blank lines may come before a request of HTTP/1; a zero may not.
    return size >= SIGNATURE.length ? 0.99 : size > 4 ? 0.8 : 0.2;
  }
  return 0;
}

function summarised({ name }: Message, fields: Values): string {
  const start = `${name} v${fields.version}`;
  const tls = fields['tlv.ssl'] === true ? `, over ${fields['tlv.ssl.version'] ?? 'TLS'}` : '';
  const names = ['tlv.authority', 'tlv.ssl.cn'].map((one) => fields[one]).filter((one) => one !== undefined);
  const wrong = fields['tlv.crc32c'] === 'wrong' ? ', the checksum is wrong' : '';
  const rest = `${tls}${names.map((one) => ` ${one}`).join('')}${wrong}`;
  if (fields.source === undefined) {
    return `${start} ${fields.family ?? ''}${rest}`;
  }
  return `${start} ${fields.family} ${end(fields, 'source')} → ${end(fields, 'destination')}${rest}`;
}

function end(fields: Values, which: 'source' | 'destination'): string {
  const address = String(fields[which]);
  const port = fields[`${which}.port`];
  return port === undefined ? address : `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

export const decoder = decoderOf<null>({
  name: 'proxy',
  transports: ['tcp'],
  secrets: [],
  recognises,
  speaks: {
    proxy: [
      ...['version', 'command', 'family', 'source', 'source.port', 'destination', 'destination.port'],
      'tlv.*',
    ],
  },
  begin: () => null,
  client,
  // The header comes first; what the server says of its own belongs to what follows.
  server: (_, from, to) =>
    to - from < MAX_AHEAD ? ok(NO_MESSAGES, 0) : malformed(0, 'the server did not wait for the PROXY header'),
  summary: (message, fields) => shortened(oneLine(summarised(message, fields)), 200),
});
