/** Which name the target is asked for, and which names the client is shown. */
import { isIP } from 'node:net';

/** RFC 6066, section 3, asks for a DNS name without its final dot; an underscore is no letter of one, and common. */
const NAME = /^(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/;
const LONGEST_NAME = 253;

/** In small letters, or null when it is no name that a certificate can carry. An IP address is one. */
export function tlsName(name: string | null): string | null {
  const small = (name ?? '').toLowerCase();
  return isAddress(small) || (small.length <= LONGEST_NAME && NAME.test(small)) ? small : null;
}

/** A zone (`fe80::1%eth0`) means nothing to others, and no certificate can carry it. */
const isAddress = (text: string) => isIP(text) !== 0 && !text.includes('%');

const isLocal = (name: string) => name === 'localhost' || name.endsWith('.localhost');

/**
 * The name wished for; else the client's; else the target's host. A client that was told `localhost` means the tap,
 * so a target elsewhere is asked for by its own name.
 */
export function nameToAsk(wished: string, sni: string | null, host: string): string {
  const asked = tlsName(sni);
  const target = tlsName(host);
  if (wished !== '') {
    return wished;
  }
  if (asked !== null && !(isLocal(asked) && target !== null && isIP(target) === 0)) {
    return asked;
  }
  return target ?? 'localhost';
}

/** What stands in the certificate for the client: the name it asked for, or the address it came to. */
export function namesToShow(sni: string | null, entered: string): string[] {
  const asked = tlsName(sni);
  if (asked !== null) {
    return [asked];
  }
  // A listener for both families sees IPv4 clients come to ::ffff:a.b.c.d.
  const plain = entered.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  const address = isAddress(plain) ? plain : null;
  const local = address === null || address === '::1' || address.startsWith('127.');
  const names = local ? ['localhost', '127.0.0.1', '::1'] : [];
  return address === null || names.includes(address) ? names : [address, ...names];
}
