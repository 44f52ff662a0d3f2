/** EDNS (RFC 6891): what the OPT record says. */

import { ipv4Text, ipv6Text } from '../net/address.ts';
import type { Value } from '../value.ts';
import { extendedError, optionName } from './dns-names.ts';
import { hex, quoted, type Reader, readerAt, rest, take, u8, u16, u32 } from './dns-read.ts';

const OPTIONS_SHOWN = 64;

/** `at` is behind the type of the OPT record, whose class is a size and whose time to live is flags. */
export function edns(
  bytes: Uint8Array,
  start: number,
  end: number,
  at: number,
  fields: { [name: string]: Value },
): void {
  const options = readerAt(bytes, start, end, at + 2);
  const udp = u16(options);
  take(options, 1);
  const version = u8(options);
  const flags = u16(options);
  const total = u16(options);
  options.end = Math.min(end, options.at + total);
  fields['edns.version'] = version;
  fields['edns.udp'] = udp;
  fields['edns.do'] = (flags & 0x8000) !== 0;
  const texts: string[] = [];
  while (rest(options) > 0 && !options.bad && texts.length < OPTIONS_SHOWN) {
    const code = u16(options);
    const length = u16(options);
    const at = take(options, length);
    if (options.bad) {
      texts.push('…');
      break;
    }
    const inner = readerAt(options.bytes, options.start, options.messageEnd, at);
    inner.end = at + length;
    let value = option(code, inner);
    if (inner.bad || inner.at !== inner.end) {
      inner.bad = false;
      inner.at = at;
      value = hex(inner, length);
    } else if (code === 8) {
      fields['edns.subnet'] = value;
    } else if (code === 10) {
      fields['edns.cookie'] = value;
    } else if (code === 15) {
      fields['edns.error'] = value;
    }
    texts.push(value === '' ? optionName(code) : `${optionName(code)} ${value}`);
  }
  if (texts.length > 0) {
    fields['edns.options'] = texts;
  }
}

function option(code: number, reader: Reader): string {
  const length = rest(reader);
  switch (code) {
    case 3: {
      const at = take(reader, length);
      return length === 0 ? '' : quoted(reader.bytes, at, at + length);
    }
    case 5:
    case 6:
    case 7:
      return numbers(reader, u8);
    case 8:
      return subnet(reader);
    case 9:
      return length === 0 ? '' : String(u32(reader));
    case 11:
      // In units of 100 ms (RFC 7828 section 3.1).
      return length === 0 ? '' : `${u16(reader) * 100} ms`;
    case 12:
      take(reader, length);
      return `${length} B`;
    case 14:
      return numbers(reader, u16);
    case 15: {
      const what = extendedError(u16(reader));
      const count = rest(reader);
      const at = take(reader, count);
      return count === 0 ? what : `${what}: ${quoted(reader.bytes, at, at + count).slice(1, -1)}`;
    }
    default:
      return hex(reader, length);
  }
}

function numbers(reader: Reader, read: (from: Reader) => number): string {
  const list: number[] = [];
  while (rest(reader) > 0 && !reader.bad) {
    list.push(read(reader));
  }
  return list.join(' ');
}

/** `1.2.3.0/24/0`: the client's network, and for how much of it the answer holds (RFC 7871 section 6). */
function subnet(reader: Reader): string {
  const family = u16(reader);
  const source = u8(reader);
  const scope = u8(reader);
  const count = rest(reader);
  const full = family === 1 ? 4 : 16;
  if ((family !== 1 && family !== 2) || count > full) {
    reader.bad = true;
    return '';
  }
  const at = take(reader, count);
  const address = new Uint8Array(full);
  address.set(reader.bytes.subarray(at, at + count));
  return `${family === 1 ? ipv4Text(address, 0) : ipv6Text(address, 0)}/${source}/${scope}`;
}
