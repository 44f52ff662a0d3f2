/** Addresses as bytes and as text. Text of IPv6 follows RFC 5952 (longest run of zeros shortened, lower case). */

export function ipv4Text(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** `::ffff:a.b.c.d`: an IPv4 peer seen by an IPv6 socket (RFC 4291 section 2.5.5.2). */
export function isMapped(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 10; i++) {
    if (bytes[at + i] !== 0) {
      return false;
    }
  }
  return bytes[at + 10] === 0xff && bytes[at + 11] === 0xff;
}

export function ipv6Text(bytes: Uint8Array, at: number): string {
  if (isMapped(bytes, at)) {
    return `::ffff:${ipv4Text(bytes, at + 12)}`;
  }
  let bestStart = -1;
  let bestLength = 1;
  let start = -1;
  for (let group = 0; group <= 8; group++) {
    const zero = group < 8 && bytes[at + 2 * group] === 0 && bytes[at + 2 * group + 1] === 0;
    if (zero && start < 0) {
      start = group;
    }
    if (!zero && start >= 0) {
      if (group - start > bestLength) {
        bestStart = start;
        bestLength = group - start;
      }
      start = -1;
    }
  }
  let text = '';
  for (let group = 0; group < 8; group++) {
    if (group === bestStart) {
      text += group === 0 ? '::' : ':';
      group += bestLength - 1;
      continue;
    }
    text += ((bytes[at + 2 * group]! << 8) | bytes[at + 2 * group + 1]!).toString(16);
    if (group < 7) {
      text += ':';
    }
  }
  return text;
}

export function parseIpv4(text: string): Uint8Array | null {
  const parts = text.split('.');
  if (parts.length !== 4) {
    return null;
  }
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) {
      return null;
    }
    bytes[i] = Number(part);
  }
  return bytes;
}

export function parseIpv6(text: string): Uint8Array | null {
  const halves = text.split('::');
  if (halves.length > 2) {
    return null;
  }
  const head = groups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1]!, true) : [];
  if (head === null || tail === null) {
    return null;
  }
  const missing = 16 - head.length - tail.length;
  if (halves.length === 2 ? missing < 2 : missing !== 0) {
    return null;
  }
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

function groups(text: string, mayEndInIpv4: boolean): number[] | null {
  if (text === '') {
    return [];
  }
  const bytes: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1 && mayEndInIpv4 && part.includes('.')) {
      const v4 = parseIpv4(part);
      if (v4 === null) {
        return null;
      }
      bytes.push(...v4);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      const value = Number.parseInt(part, 16);
      bytes.push(value >> 8, value & 255);
    } else {
      return null;
    }
  }
  return bytes.length > 16 ? null : bytes;
}
