/** HAProxy's PROXY protocol, versions 1 and 2 (haproxy doc/proxy-protocol.txt): who the client is, before the client's own bytes. */
import type { Address } from '../reactor/reactor.ts';
import { ipv4Text, ipv6Text, parseIpv4, parseIpv6 } from '../wire/net/address.ts';

export interface ProxyHeader {
  readonly version: 1 | 2;
  /** Null: the proxy speaks for itself (LOCAL), or does not know (UNKNOWN). Take the connection's own ends then. */
  readonly source: Address | null;
  readonly destination: Address | null;
}

export type ProxyRead =
  /** Call again when there are more bytes, with these before them. */
  | { readonly kind: 'need' }
  | { readonly kind: 'header'; readonly header: ProxyHeader; readonly consumed: number }
  /** There is no header, and the protocol forbids guessing: close. */
  | { readonly kind: 'broken'; readonly why: string };

/** Section 2.1: the longest line, CRLF included. */
const MOST_LINE = 107;
const HEAD = 16;
/** Section 2.2 lets a header have 64 KiB of TLVs. The addresses and what is sent in practice are well below this. */
export const MOST_PROXY_BYTES = HEAD + 4096;
const SIGNATURE = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10);
const WORD = Uint8Array.from(Buffer.from('PROXY '));
const UNIX_PATH = 108;
const LF = 10;
const CR = 13;

const NEED: ProxyRead = { kind: 'need' };

function broken(why: string): ProxyRead {
  return { kind: 'broken', why };
}

export function readProxyHeader(bytes: Uint8Array, from: number, to: number): ProxyRead {
  if (begins(bytes, from, to, SIGNATURE)) {
    return to - from < HEAD ? NEED : binary(bytes, from, to);
  }
  if (begins(bytes, from, to, WORD)) {
    return line(bytes, from, to);
  }
  return broken('it does not begin with a PROXY header');
}

/** As far as there are bytes. */
function begins(bytes: Uint8Array, from: number, to: number, wanted: Uint8Array): boolean {
  const end = Math.min(to - from, wanted.length);
  for (let i = 0; i < end; i++) {
    if (bytes[from + i] !== wanted[i]) {
      return false;
    }
  }
  return true;
}

function line(bytes: Uint8Array, from: number, to: number): ProxyRead {
  const last = Math.min(to, from + MOST_LINE);
  const end = bytes.subarray(from, last).indexOf(LF);
  if (end < 0) {
    return to - from >= MOST_LINE ? broken(`its PROXY line is longer than ${MOST_LINE} bytes`) : NEED;
  }
  if (bytes[from + end - 1] !== CR) {
    return broken('its PROXY line does not end in CR LF');
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, end - 1).toString('latin1');
  const [, family = '', source = '', destination = '', ...ports] = text.split(' ');
  const consumed = end + 1;
  if (family === 'UNKNOWN') {
    // Whatever follows the word is to be ignored.
    return { kind: 'header', header: { version: 1, source: null, destination: null }, consumed };
  }
  const parse = family === 'TCP4' ? parseIpv4 : family === 'TCP6' ? parseIpv6 : null;
  if (parse === null || parse(source) === null || parse(destination) === null) {
    return broken('its PROXY line has no two addresses of one family');
  }
  if (
    ports.length !== 2 ||
    !ports.every((port) => /^(0|[1-9]\d{0,4})$/.test(port) && Number(port) < 65_536)
  ) {
    return broken('its PROXY line has no two ports');
  }
  const header: ProxyHeader = {
    version: 1,
    source: { kind: 'tcp', host: source, port: Number(ports[0]) },
    destination: { kind: 'tcp', host: destination, port: Number(ports[1]) },
  };
  return { kind: 'header', header, consumed };
}

const LOCAL = 0;
const PROXY = 1;
const INET = 1;
const INET6 = 2;
const UNIX = 3;
const DATAGRAMS = 2;
/** By family: the bytes of both addresses with their ports. */
const BLOCK = [0, 12, 36, 2 * UNIX_PATH];

function binary(bytes: Uint8Array, from: number, to: number): ProxyRead {
  const version = bytes[from + 12]! >> 4;
  const command = bytes[from + 12]! & 15;
  const family = bytes[from + 13]! >> 4;
  const transport = bytes[from + 13]! & 15;
  const length = (bytes[from + 14]! << 8) | bytes[from + 15]!;
  if (version !== 2 || command > PROXY) {
    return broken(`its PROXY header is of version ${version}, command ${command}`);
  }
  if (HEAD + length > MOST_PROXY_BYTES) {
    return broken(`its PROXY header has ${length} bytes, more than is read here`);
  }
  if (to - from < HEAD + length) {
    return NEED;
  }
  const consumed = HEAD + length;
  // For LOCAL the addresses have no meaning and are passed over, as TLVs are.
  if (command === LOCAL || family === 0 || transport === 0) {
    return { kind: 'header', header: { version: 2, source: null, destination: null }, consumed };
  }
  const block = BLOCK[family];
  if (block === undefined || transport > DATAGRAMS || length < block) {
    return broken(`its PROXY header is of family ${family} and transport ${transport} in ${length} bytes`);
  }
  const kind = transport === DATAGRAMS ? 'udp' : 'tcp';
  const [source, destination] = addresses(bytes, from + HEAD, family, kind);
  return { kind: 'header', header: { version: 2, source, destination }, consumed };
}

function addresses(bytes: Uint8Array, at: number, family: number, kind: 'tcp' | 'udp'): [Address, Address] {
  if (family === UNIX) {
    return [unixAddress(bytes, at), unixAddress(bytes, at + UNIX_PATH)];
  }
  const size = family === INET ? 4 : 16;
  const text = family === INET ? ipv4Text : ipv6Text;
  const port = (p: number): number => (bytes[p]! << 8) | bytes[p + 1]!;
  const ports = at + 2 * size;
  return [
    { kind, host: text(bytes, at), port: port(ports) },
    { kind, host: text(bytes, at + size), port: port(ports + 2) },
  ];
}

/** An abstract name begins with a NUL, which is written `@` everywhere else. */
function unixAddress(bytes: Uint8Array, at: number): Address {
  const raw = bytes.subarray(at, at + UNIX_PATH);
  const abstract = raw[0] === 0 && raw[1] !== 0;
  const start = abstract ? 1 : 0;
  const end = raw.indexOf(0, start);
  const name = Buffer.from(raw.subarray(start, end < 0 ? UNIX_PATH : end)).toString();
  return { kind: 'unix', path: abstract ? `@${name}` : name };
}

/** What to send to the target first. Null ends are said to be unknown. */
export function writeProxyHeader(
  version: 1 | 2,
  source: Address | null,
  destination: Address | null,
): Uint8Array {
  return version === 1 ? writeLine(source, destination) : writeBinary(source, destination);
}

interface Ends {
  readonly six: boolean;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly ports: readonly [number, number];
  readonly udp: boolean;
}

/** Both as one family: an IPv4 end beside an IPv6 end is written as a mapped address (RFC 4291 section 2.5.5.2). */
function ends(source: Address | null, destination: Address | null): Ends | null {
  if (source === null || destination === null || source.kind === 'unix' || destination.kind === 'unix') {
    return null;
  }
  const here = ipBytes(source.host);
  const there = ipBytes(destination.host);
  if (here === null || there === null) {
    return null;
  }
  const six = here.length === 16 || there.length === 16;
  return {
    six,
    source: six ? mapped(here) : here,
    destination: six ? mapped(there) : there,
    ports: [source.port, destination.port],
    udp: source.kind === 'udp',
  };
}

function ipBytes(host: string): Uint8Array | null {
  return parseIpv4(host) ?? parseIpv6(host.replace(/%.*$/, ''));
}

function mapped(address: Uint8Array): Uint8Array {
  return address.length === 16
    ? address
    : Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...address);
}

function writeLine(source: Address | null, destination: Address | null): Uint8Array {
  const both = ends(source, destination);
  if (both === null || both.udp) {
    return Buffer.from('PROXY UNKNOWN\r\n');
  }
  const text = both.six ? ipv6Text : ipv4Text;
  const [from, to] = both.ports;
  return Buffer.from(
    `PROXY TCP${both.six ? 6 : 4} ${text(both.source, 0)} ${text(both.destination, 0)} ${from} ${to}\r\n`,
  );
}

function writeBinary(source: Address | null, destination: Address | null): Uint8Array {
  const both = ends(source, destination);
  if (both !== null) {
    const block = Buffer.concat([both.source, both.destination, new Uint8Array(4)]);
    block.writeUInt16BE(both.ports[0], block.length - 4);
    block.writeUInt16BE(both.ports[1], block.length - 2);
    return withHead(PROXY, ((both.six ? INET6 : INET) << 4) | (both.udp ? DATAGRAMS : 1), block);
  }
  if (source?.kind === 'unix' && destination?.kind === 'unix') {
    return withHead(
      PROXY,
      (UNIX << 4) | 1,
      Buffer.concat([unixBytes(source.path), unixBytes(destination.path)]),
    );
  }
  return withHead(LOCAL, 0, new Uint8Array(0));
}

function unixBytes(path: string): Uint8Array {
  const bytes = Buffer.alloc(UNIX_PATH);
  bytes.write(path.startsWith('@') ? `\0${path.slice(1)}` : path);
  return bytes;
}

function withHead(command: number, family: number, block: Uint8Array): Uint8Array {
  return Buffer.concat([
    SIGNATURE,
    Uint8Array.of(0x20 | command, family, block.length >> 8, block.length & 255),
    block,
  ]);
}
