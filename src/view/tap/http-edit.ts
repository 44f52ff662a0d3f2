/** HTTP/1 in an editor: chunks are taken apart and put together again, and a length that was right stays right. */
import type { Unreadable } from './escaped.ts';

interface Parts {
  /** With the empty line that ends it. */
  readonly head: string;
  readonly body: string;
}

const LENGTH = /^(content-length[ \t]*:[ \t]*)(\d+)[ \t]*$/im;
const CHUNKED = /^transfer-encoding[ \t]*:[ \t]*chunked[ \t]*$/im;

function partsOf(text: string): Parts | null {
  const end = /\r?\n\r?\n/.exec(text);
  if (end === null) {
    return null;
  }
  const at = end.index + end[0].length;
  return { head: text.slice(0, at), body: text.slice(at) };
}

/** The body without its chunks; null: there are none, or there is more to them than a body. */
function unchunked(body: string): string | null {
  let text = '';
  for (let at = 0; ; ) {
    const size = /^([0-9a-fA-F]{1,8})\r\n/.exec(body.slice(at, at + 16));
    if (size === null) {
      return null;
    }
    const from = at + size[0].length;
    const to = from + Number.parseInt(size[1]!, 16);
    if (body.slice(to, to + 2) !== '\r\n') {
      return null;
    }
    if (to === from) {
      return to + 2 === body.length ? text : null;
    }
    text += body.slice(from, to);
    at = to + 2;
  }
}

export interface HttpShown {
  readonly text: string;
  readonly chunked: boolean;
  /** The body ends with a newline: without one there is no line to be completed. */
  readonly newline: boolean;
}

/** What an editor shows. */
export function httpShown(text: string): HttpShown {
  const parts = partsOf(text);
  const body = parts === null || !CHUNKED.test(parts.head) ? null : unchunked(parts.body);
  const newline = (body ?? parts?.body ?? '').endsWith('\n');
  return parts === null || body === null
    ? { text, chunked: false, newline }
    : { text: parts.head + body, chunked: true, newline };
}

/** `before` and `after` as the editor showed them. */
export function httpSent(
  before: string,
  after: string,
  chunked: boolean,
  asks: boolean,
): { readonly text: string; readonly note: string } | Unreadable {
  const parts = partsOf(after);
  const old = partsOf(before);
  if (parts === null) {
    return { why: 'the empty line (\\r\\n) after the headers is missing' };
  }
  const { head, body } = parts;
  if (CHUNKED.test(head)) {
    if (!chunked) {
      return { text: after, note: '' };
    }
    const chunk = body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`;
    return { text: `${head}${chunk}0\r\n\r\n`, note: 'sent as one chunk' };
  }
  const announced = LENGTH.exec(head);
  const was = old === null ? null : LENGTH.exec(old.head);
  if (announced === null) {
    if (body === '' || !asks || was !== null) {
      return { text: after, note: '' };
    }
    const line = head.endsWith('\r\n') ? '\r\n' : '\n';
    const longer = `${head.slice(0, -line.length)}Content-Length: ${body.length}${line}${line}${body}`;
    return { text: longer, note: `Content-Length: ${body.length} added` };
  }
  const [whole, name, digits] = announced;
  if (Number(digits) === body.length) {
    return { text: after, note: '' };
  }
  // Who changed the length by hand wanted it so; and an answer to HEAD announces a body that never comes.
  const deliberate = was?.[2] !== digits || old?.body.length !== Number(digits);
  return deliberate
    ? { text: after, note: `Content-Length says ${digits}, the body has ${body.length}: sent as written` }
    : {
        text: head.replace(whole, `${name}${body.length}`) + body,
        note: `Content-Length corrected from ${digits} to ${body.length}`,
      };
}
