/** Requests and answers of JSON-RPC, 1.0 as Go's net/rpc/jsonrpc has them and 2.0. Pure. */

export interface RpcCall {
  readonly method: string;
  /** In 1.0 the arguments in their order (Go takes just one); in 2.0 the same, or an object of names alone. */
  readonly params: readonly unknown[];
}

export type RpcVersion = 1 | 2;

export type RpcAnswer =
  | { readonly kind: 'result'; readonly id: unknown; readonly result: unknown }
  /** `code` null: 1.0 has only what was said. */
  | {
      readonly kind: 'error';
      readonly id: unknown;
      readonly code: number | null;
      readonly message: string;
      readonly data: unknown;
    }
  | { readonly kind: 'strange'; readonly why: string };

/** A null id makes it a notification (1.0); in 2.0 the id is left out. */
export function requestText({ method, params }: RpcCall, version: RpcVersion, id: number | null): string {
  if (version === 1) {
    return JSON.stringify({ method, params, id });
  }
  const [first] = params;
  const named = params.length === 1 && typeof first === 'object' && first !== null && !Array.isArray(first);
  const rest = params.length === 0 ? {} : { params: named ? first : params };
  return JSON.stringify({ jsonrpc: '2.0', method, ...rest, ...(id === null ? {} : { id }) });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Both versions are understood, whichever was asked: a server of 2.0 may well answer a request of 1.0. */
export function readAnswer(value: unknown): RpcAnswer {
  if (!isObject(value)) {
    return { kind: 'strange', why: 'it is no object' };
  }
  const { id = null, result, error } = value;
  if (error !== undefined && error !== null) {
    const { code, message, data } = isObject(error) ? error : { code: null, message: error, data: undefined };
    return {
      kind: 'error',
      id,
      code: typeof code === 'number' ? code : null,
      message: typeof message === 'string' ? message : JSON.stringify(message ?? error),
      data,
    };
  }
  return Object.hasOwn(value, 'result')
    ? { kind: 'result', id, result }
    : { kind: 'strange', why: 'it has neither result nor error' };
}

/** `Method JSON JSON…`, one call on a line; what is wrong with it, as a sentence. */
export function readCall(line: string): RpcCall | string {
  const [, method = '', rest = ''] = /^\s*(\S+)\s*(.*)$/s.exec(line) ?? [];
  return method === '' ? 'there is no method' : readParams(method, splitJson(rest));
}

export function readParams(method: string, texts: readonly string[] | string): RpcCall | string {
  if (typeof texts === 'string') {
    return texts;
  }
  const params: unknown[] = [];
  for (const text of texts) {
    try {
      params.push(JSON.parse(text));
    } catch {
      return `${text} is not JSON`;
    }
  }
  return { method, params };
}

/** JSON texts one after the other with white space between them; or what is wrong. */
function splitJson(text: string): readonly string[] | string {
  const texts: string[] = [];
  let rest = text.trim();
  while (rest !== '') {
    const end = endOfJson(rest);
    texts.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return texts;
}

/** Behind the first value of a text that begins with one; at least 1. */
function endOfJson(text: string): number {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (inString) {
      if (char === '\\') {
        at += 1;
      } else if (char === '"') {
        inString = false;
        if (depth === 0) {
          return at + 1;
        }
      }
    } else if (char === '"') {
      inString = true;
    } else if (char === '{' || char === '[') {
      depth += 1;
    } else if (char === '}' || char === ']') {
      depth -= 1;
      if (depth <= 0) {
        return at + 1;
      }
    } else if (depth === 0 && /\s/.test(char)) {
      return at;
    }
  }
  return text.length;
}
