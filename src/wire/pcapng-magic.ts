/** Files that are not captures: a sentence for each of those that people take for one. */
import { latin1 } from './app/text.ts';

/** So many bytes tell all of them apart. */
export const MAGIC_WINDOW = 32;

const COMPRESSED: readonly (readonly [number[], string, string])[] = [
  [[0x1f, 0x8b], 'gzip', 'gunzip'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'zstd', 'unzstd'],
  [[0xfd, 0x37, 0x7a, 0x58], 'xz', 'unxz'],
  [[0x42, 0x5a, 0x68], 'bzip2', 'bunzip2'],
  [[0x04, 0x22, 0x4d, 0x18], 'lz4', 'unlz4'],
];

// As tcpdump (with any -t), and tshark, begin their lines.
const PRINTED =
  /^(\d\d:\d\d:\d\d\.\d+ |\d{4}-\d\d-\d\d \d\d:\d\d|\d{9,10}\.\d{6} |tcpdump: | *\d+ +\d+\.\d+ )/;

/** What bytes[from, to), the beginning of a file that is no capture, seems to be. */
export function whatElse(bytes: Uint8Array, from: number, to: number): string {
  for (const [magic, name, remedy] of COMPRESSED) {
    if (to - from >= magic.length && magic.every((byte, i) => bytes[from + i] === byte)) {
      return `the file is compressed with ${name}: unpack it first (${remedy})`;
    }
  }
  const head = latin1(bytes, from, Math.min(to, from + MAGIC_WINDOW));
  if (head.startsWith('snoop\0')) {
    return 'the file is in the snoop format, which is not read here: convert it first (editcap -F pcapng)';
  }
  if (head.startsWith('btsnoop\0')) {
    return 'the file is in the btsnoop format, which is not read here: convert it first (editcap -F pcapng)';
  }
  if (PRINTED.test(head)) {
    return 'the file is text that tcpdump or tshark printed, not a capture: capture with -w FILE instead';
  }
  if (/^[\t\r\n -~]{4,}$/.test(head)) {
    return 'the file is text, not a capture';
  }
  if (to - from < 4) {
    return `the file is no capture: it has only ${to - from} bytes`;
  }
  const first = [...bytes.subarray(from, from + 4)]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join(' ');
  return `the file is no capture: it begins with ${first}, which is neither pcap nor pcapng`;
}
