/** When a request is "the same" as a recorded one although its bytes differ, and what then changes in the reply. */
import type { Values } from '../../wire/value.ts';
import type { Said } from './log.ts';

/** protocol → the fields that make it the same request; the others (a Host header, a user agent) may be different. */
const TELLING: Readonly<Record<string, readonly string[]>> = {
  http: ['method', 'path', 'body', 'body.raw', 'body.bytes', 'length'],
  jsonrpc: ['method', 'params', 'params.raw'],
};
/** protocol → numbers and names that a client gives as it likes; all other fields must be the same. */
const CHOSEN: Readonly<Record<string, readonly string[]>> = {
  postgres: ['statement', 'portal', 'application_name', 'password'],
};

/** The same text: the same request, as far as its decoder understands it. */
export function likeness({ heard }: Said): string {
  const { protocol, kind, name, fields } = heard;
  const telling = own(TELLING, protocol);
  const chosen = own(CHOSEN, protocol) ?? [];
  const names = telling ?? Object.keys(fields).filter((field) => !chosen.includes(field));
  const values = names.map((field) => [field, fields[field] ?? null]);
  return JSON.stringify([protocol, kind, name, values], (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** The reply as this client expects it: JSON-RPC replies carry the request's id. */
export function readdressed(reply: Uint8Array, then: Said, now: Said): Uint8Array {
  if (now.heard.protocol !== 'jsonrpc') {
    return reply;
  }
  const [before, after] = [idOf(then.heard.fields), idOf(now.heard.fields)];
  if (before === after || before === null || after === null) {
    return reply;
  }
  const text = Buffer.from(reply).toString('latin1');
  const at = memberAt(text, before);
  return at < 0
    ? reply
    : new Uint8Array(Buffer.from(`${text.slice(0, at)}${after}${text.slice(at + before.length)}`, 'latin1'));
}

function idOf({ id }: Values): string | null {
  return typeof id === 'string' || typeof id === 'number' ? latin1(JSON.stringify(id)) : null;
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Where the value of the outermost object's `id` begins, if it is this one; -1 otherwise. */
function memberAt(text: string, value: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      const end = stringEnd(text, at);
      const colon = /^\s*:\s*/.exec(text.slice(end, end + 64));
      if (depth === 1 && colon !== null && text.slice(at, end) === '"id"') {
        const from = end + colon[0].length;
        return text.startsWith(value, from) ? from : -1;
      }
      at = end - 1;
    } else if (character === '{' || character === '[') {
      depth++;
    } else if (character === '}' || character === ']') {
      depth--;
    }
  }
  return -1;
}

function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') {
      at++;
    } else if (text[at] === '"') {
      return at + 1;
    }
  }
  return text.length;
}
