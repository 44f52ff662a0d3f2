/** What the messages of a handshake say, as fields and in a line. */
import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { shortened, text } from './text.ts';
import { certificateFields } from './tls-certificate.ts';
import { cipherName } from './tls-ciphers.ts';
import {
  extension,
  type Hello,
  numbers,
  protocols,
  serverName,
  shareGroups,
  spokenVersion,
  u16,
  u24,
} from './tls-hello.ts';
import { ja4 } from './tls-ja4.ts';
import { extensionName, groupName, isGrease, signatureName, versionName } from './tls-names.ts';

/** Extensions that are there or not: their presence as a field. */
const FLAGS: readonly (readonly [number, string])[] = [
  [35, 'session_ticket'],
  [41, 'psk'],
  [42, 'early_data'],
  [23, 'extended_master_secret'],
  [0xff01, 'renegotiation_info'],
  [0xfe0d, 'ech'],
];
const CERTIFICATES_COUNTED = 64;

function real(values: readonly number[]): number[] {
  return values.filter((value) => !isGrease(value));
}

export function alpnNames(hello: Hello): string[] {
  return protocols(hello).map((name) => text(name, 0, name.length));
}

export function clientHelloFields(hello: Hello): Values {
  const versions = real(numbers(hello, 43, 1));
  const fields: { [name: string]: Value } = {
    version: versionName(Math.max(hello.version, ...versions)),
    'version.legacy': versionName(hello.version),
    ja4: ja4(hello),
    ciphers: real(hello.ciphers).map(cipherName),
    extensions: real(hello.extensions.map(({ type }) => type)).map(extensionName),
    random: hello.random,
    session: hello.session,
    grease: hello.ciphers.some(isGrease) || hello.extensions.some(({ type }) => isGrease(type)),
  };
  const name = serverName(hello);
  if (name !== null) {
    fields.sni = name;
  }
  const lists: [string, string[]][] = [
    ['versions', versions.map(versionName)],
    ['alpn', alpnNames(hello)],
    ['groups', real(numbers(hello, 10, 2)).map(groupName)],
    ['signature_algorithms', real(numbers(hello, 13, 2)).map(signatureName)],
    ['key_shares', real(shareGroups(hello, true)).map(groupName)],
    ['compressions', hello.compressions.filter((method) => method !== 0).map(String)],
  ];
  for (const [field, values] of lists) {
    if (values.length > 0) {
      fields[field] = values;
    }
  }
  flags(hello, fields);
  return fields;
}

export function serverHelloFields(hello: Hello, resumed: boolean): Values {
  const fields: { [name: string]: Value } = {
    version: versionName(spokenVersion(hello)),
    'version.legacy': versionName(hello.version),
    cipher: cipherName(hello.ciphers[0] ?? 0),
    extensions: hello.extensions.map(({ type }) => extensionName(type)),
    random: hello.random,
    session: hello.session,
    resumed,
  };
  const [protocol] = alpnNames(hello);
  if (protocol !== undefined) {
    fields.alpn = protocol;
  }
  const [group] = shareGroups(hello, false);
  if (group !== undefined) {
    fields.group = groupName(group);
  }
  // RFC 8446, section 4.1.3: a server able to speak more says so at the end of its random.
  if (/444f574e475244(?:00|01)$/.test(hello.random)) {
    fields.downgraded = true;
  }
  flags(hello, fields);
  return fields;
}

function flags(hello: Hello, fields: { [name: string]: Value }): void {
  for (const [type, name] of FLAGS) {
    if (extension(hello, type) !== undefined) {
      fields[name] = true;
    }
  }
}

/** The Certificate message up to TLS 1.2: a list of certificates, the owner's first. */
export function certificateMessageFields(body: Uint8Array, cut: boolean): Values {
  let chain = 0;
  let first: { [name: string]: Value } = {};
  for (let at = 3; body.length - at >= 3 && chain < CERTIFICATES_COUNTED; chain++) {
    const end = at + 3 + u24(body, at);
    if (chain === 0) {
      first = certificateFields(body, at + 3, Math.min(end, body.length), end <= body.length);
    }
    at = end;
  }
  return cut ? first : { 'certificate.chain': chain, ...first };
}

/** RFC 8422, section 5.4: with an elliptic curve of a name in front. Other kinds are not told apart by their bytes. */
export function keyExchangeFields(body: Uint8Array): Values {
  return body.length >= 3 && body[0] === 3 ? { group: groupName(u16(body, 1)) } : {};
}

export function tlsSummary({ name }: Message, fields: Values): string {
  const { version, cipher, alpn } = fields;
  const protocol = Array.isArray(alpn)
    ? ` ${alpn.slice(0, 4).join(',')}`
    : alpn === undefined
      ? ''
      : ` ${alpn}`;
  const resumed = fields.resumed === true ? ' resumed' : '';
  switch (name) {
    case 'ClientHello':
      return `ClientHello${fields.sni === undefined ? '' : ` ${fields.sni}`} ${version}${protocol} ${fields.ja4}`;
    case 'ServerHello':
      return `ServerHello ${version} ${cipher}${fields.group === undefined ? '' : ` ${fields.group}`}${protocol}${resumed}`;
    case 'HelloRetryRequest':
      return `HelloRetryRequest: the client is to send a share for ${fields.group ?? 'the cookie'}`;
    case 'Encrypted':
      return `encrypted from here: ${version} ${cipher}${protocol}${resumed}`;
    case 'Certificate':
      return fields['certificate.subject'] === undefined
        ? 'Certificate: none'
        : `Certificate ${fields['certificate.subject']}${names(fields['certificate.names'])} until ${fields['certificate.not_after']}${issued(fields)}`;
    case 'Alert':
      return fields.encrypted === true ? 'encrypted alert' : `alert: ${fields.level} ${fields.alert}`;
    case 'ApplicationData':
      return `${fields.bytes} B encrypted in ${fields.records} records`;
    case 'ServerKeyExchange':
      return fields.group === undefined ? name : `${name} ${fields.group}`;
    default:
      return name;
  }
}

function names(values: Value | undefined): string {
  return Array.isArray(values) ? ` (${shortened(values.slice(0, 4).join(', '), 80)})` : '';
}

function issued(fields: Values): string {
  return fields['certificate.self_signed'] === true
    ? ', self-signed'
    : `, by ${fields['certificate.issuer']}`;
}
