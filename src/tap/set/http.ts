/** Changes in an HTTP/1 message, on its bytes: every header that is not named keeps its place and its spelling. */
import { STATUS_CODES } from '../replies/status-codes.ts';
import { fromLatin1, toLatin1 } from './value.ts';

export type HttpPart =
  | { readonly part: 'header'; readonly name: string }
  | { readonly part: 'path' | 'status' | 'body' };

/** The message with the part changed; null when it is not the whole of one. `value` holds bytes as characters. */
export function changedHttp(
  bytes: Uint8Array,
  what: HttpPart,
  value: string,
  bodiless: boolean,
): Uint8Array | null {
  const text = toLatin1(bytes);
  const end = /\r?\n\r?\n/.exec(text.replace(/^[\r\n]+/, (blank) => ' '.repeat(blank.length)));
  if (end === null) {
    return null;
  }
  const head = text.slice(0, end.index);
  const line = head.includes('\r\n') || end[0].startsWith('\r') ? '\r\n' : '\n';
  const lines = head.split(/\r?\n/);
  const first = lines.findIndex((one) => one !== '');
  switch (what.part) {
    case 'path':
      lines[first] = lines[first]!.replace(/^(\S+ )\S+/, (_, method: string) => method + value);
      break;
    case 'status':
      lines[first] = lines[first]!.replace(
        /^(\S+) \d{3}.*$/,
        (_, version: string) => `${version} ${value} ${STATUS_CODES[value] ?? ''}`,
      );
      break;
    case 'header':
      setHeader(lines, first, what.name, value);
      break;
    case 'body':
      if (bodiless) {
        return bytes;
      }
      setHeader(lines, first, 'transfer-encoding', '');
      setHeader(lines, first, 'trailer', '');
      setHeader(lines, first, 'content-encoding', '');
      setHeader(lines, first, 'content-length', String(value.length));
      return fromLatin1(lines.join(line) + line + line + value);
  }
  return fromLatin1(lines.join(line) + text.slice(end.index));
}

/** An empty value removes it; folded lines below it go with it. */
function setHeader(lines: string[], first: number, name: string, value: string): void {
  let put = value === '';
  let ours = false;
  for (let i = first + 1; i < lines.length; i++) {
    const one = lines[i]!;
    const folded: boolean = ours && /^[ \t]/.test(one);
    const colon = one.indexOf(':');
    const written = one.slice(0, Math.max(0, colon));
    ours = folded || written.trim().toLowerCase() === name;
    if (!ours) {
      continue;
    }
    if (put || folded) {
      lines.splice(i--, 1);
    } else {
      lines[i] = `${written}: ${value}`;
      put = true;
    }
  }
  if (!put) {
    lines.push(`${spelled(name)}: ${value}`);
  }
}

function spelled(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}
