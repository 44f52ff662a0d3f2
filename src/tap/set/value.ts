/** The right side of `--set`: text whose escapes are bytes. */
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '\\': '\\' };

/** Bytes as characters; a backslash that means nothing stays, for JSON is full of them. */
export function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/\\(?:x([0-9a-fA-F]{2})|([nrt\\]))/g, (_, hex: string | undefined, letter: string) =>
      hex === undefined ? ESCAPES[letter]! : String.fromCharCode(Number.parseInt(hex, 16)),
    );
}

export function fromLatin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

export function toLatin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** `*` is any characters, `?` is one, all else is itself. */
export function glob(text: string, flags = ''): RegExp {
  const escaped = text.replace(/[\\^$.+()[\]{}|]/g, '\\$&').replaceAll('?', '[^]');
  return new RegExp(`^${escaped.replace(/\*+/g, '[^]*')}$`, flags);
}
