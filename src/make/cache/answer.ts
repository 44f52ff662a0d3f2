/** What is sent from a stored answer: whole, a part of it, or only that the client has it already. */
import { notModified, rangeApplies } from './conditions.ts';
import { type Fields, fieldOf, without } from './fields.ts';
import { readRange } from './ranges.ts';
import { ageOf, type Stored } from './stored.ts';

export interface Answer {
  readonly status: number;
  readonly message: string;
  /** With Age; Content-Length only where a part is sent or the body is left out. */
  readonly fields: Fields;
  /** Null: none goes out. */
  readonly body: Buffer | null;
}

/** Describe what a 304 does not carry. */
const OF_THE_BODY = new Set(['content-type', 'content-encoding', 'content-language', 'content-range']);

export function answerFrom(stored: Stored, method: string, request: Fields, now: number): Answer {
  const { status, message, body } = stored;
  const age = ['Age', String(Math.floor(ageOf(stored, now) / 1000))];
  const length = ['Content-Length', String(body.length)];
  if (status === 200 && notModified(request, stored.fields, now)) {
    const fields = without(stored.fields, (name) => OF_THE_BODY.has(name));
    return { status: 304, message: 'Not Modified', fields: [...fields, ...age], body: null };
  }
  if (method === 'HEAD') {
    return { status, message, fields: [...stored.fields, ...length, ...age], body: null };
  }
  const slice =
    status === 200 && rangeApplies(request, stored.fields)
      ? readRange(fieldOf(request, 'range'), body.length)
      : 'none';
  if (slice === 'beyond') {
    const fields = ['Content-Range', `bytes */${body.length}`, 'Content-Length', '0', ...age];
    return { status: 416, message: 'Range Not Satisfiable', fields, body: null };
  }
  if (slice !== 'none') {
    const { from, to } = slice;
    const range = ['Content-Range', `bytes ${from}-${to - 1}/${body.length}`];
    const fields = [...stored.fields, ...range, 'Content-Length', String(to - from), ...age];
    return { status: 206, message: 'Partial Content', fields, body: body.subarray(from, to) };
  }
  // 204 has no length to tell (RFC 9110, section 8.6).
  return { status, message, fields: [...stored.fields, ...(status === 204 ? [] : length), ...age], body };
}
