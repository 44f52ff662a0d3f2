/** A message of SSH in one line. */
import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { IMPLICIT } from './ssh-offer.ts';

export function sshSummary({ name }: Message, fields: Values): string {
  switch (name) {
    case 'Version':
      return `SSH-${fields.protocol}-${fields.software} ${fields.comments ?? ''}`;
    case 'Line':
      return String(fields.text);
    case 'KEXINIT':
      return `KEXINIT ${fields.strict_kex === undefined ? offered(fields) : settled(fields)}`;
    case 'Encrypted':
      return fields.cipher === undefined
        ? 'encrypted; with what was not seen'
        : `encrypted: ${protection(fields.cipher, fields.mac)}${compression(fields.compression)}`;
    case 'EncryptedData':
      return `${fields.bytes} encrypted bytes`;
    case 'DISCONNECT':
      return `DISCONNECT ${fields.reason ?? ''}: ${fields.text ?? ''}`;
    case 'DEBUG':
      return `DEBUG ${fields.text ?? ''}`;
    case 'UNIMPLEMENTED':
      return `UNIMPLEMENTED: packet ${fields.sequence ?? '?'}`;
    default:
      return `${name}${details(fields)}`;
  }
}

function offered(fields: Values): string {
  const lists = ['offer.kex', 'offer.host_key', 'offer.cipher.client'].map((name) => first(fields[name]));
  return `offers ${lists.join(', ')}`;
}

/** The favourite, and how many more there are. */
function first(names: Value | undefined): string {
  if (!Array.isArray(names) || names.length === 0) {
    return 'nothing';
  }
  return names.length === 1 ? String(names[0]) : `${names[0]} (+${names.length - 1})`;
}

function settled(fields: Values): string {
  const { disagreement } = fields;
  if (Array.isArray(disagreement)) {
    return `no agreement on ${disagreement.join(', ')}`;
  }
  const to = protection(fields['cipher.client'], fields['mac.client']);
  const back = protection(fields['cipher.server'], fields['mac.server']);
  const ciphers = to === back ? to : `${to} there, ${back} back`;
  return `${fields.kex}, ${fields.host_key}, ${ciphers}${fields.strict_kex ? ', strict' : ''}`;
}

function protection(cipher: Value | undefined, mac: Value | undefined): string {
  return mac === IMPLICIT || mac === null ? String(cipher) : `${cipher} ${mac}`;
}

function compression(name: Value | undefined): string {
  return name === 'none' || typeof name !== 'string' ? '' : ` ${name}`;
}

function details(fields: Values): string {
  const key = fields['host_key.type'];
  if (key !== undefined) {
    return ` host key ${key} ${fields['host_key.fingerprint'] ?? ''}`;
  }
  if (fields['group.min'] !== undefined) {
    return ` ${fields['group.bits']} bits (${fields['group.min']} to ${fields['group.max']})`;
  }
  if (fields['group.bits'] !== undefined) {
    return ` ${fields['group.bits']} bits`;
  }
  if (fields.service !== undefined) {
    return ` ${fields.service}`;
  }
  const extensions = Object.keys(fields).filter((one) => one.startsWith('extension.'));
  const names = extensions.map((one) => one.slice('extension.'.length)).join(', ');
  return `${names === '' ? '' : ` ${names}`}${fields.guess === true ? ' (a guess)' : ''}`;
}
