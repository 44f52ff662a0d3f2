/** JSON-RPC 1.0 as Go's net/rpc/jsonrpc speaks it: one JSON object there, one back, nothing between them but white space. */
import { SockscopeError } from '../../errors.ts';
import { type LoadKind, NOT_THIS_PROTOCOL, type Recogniser } from './kind.ts';

const FINE = 0;
const FAILED = 1;

export const kind: LoadKind = {
  name: 'rpc',
  about: 'JSON-RPC 1.0 over TCP, as Go’s net/rpc/jsonrpc: --command METHOD PARAMS',
  manner: 'talk',
  counts: 'requests',
  canReconnect: true,
  request({ command: [method, ...params] }) {
    if (method === undefined) {
      throw new SockscopeError(
        'LOAD_METHOD',
        'An RPC needs a method.',
        `Name it, with its parameters as JSON: --command 'Arith.Multiply [{"A":7,"B":8}]'.`,
        2,
      );
    }
    // Every request is the same, and so are the answers: it does not matter which one belongs to which.
    return Buffer.from(`${JSON.stringify({ method, params: parsed(params.join(' ')), id: 1 })}\n`);
  },
  recogniser: objects,
  badStatus: (status) => (status === FINE ? null : 'error answer'),
};

function parsed(text: string): unknown[] {
  if (text.trim() === '') {
    return [];
  }
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [value];
  } catch {
    throw new SockscopeError(
      'LOAD_PARAMS',
      `The parameters are not JSON: ${text}`,
      `Write them as JSON: --command 'Arith.Multiply [{"A":7,"B":8}]'.`,
      2,
    );
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ERROR = Buffer.from('error');
const NOT_IT = -1;

/** Where the member "error" of the outermost object is looked for. */
const LOOKING = 0;
const NAME_READ = 1;
const VALUE_DUE = 2;

function objects(): Recogniser {
  let depth = 0;
  let inString = false;
  let escaped = false;
  /** Bytes of the string that are those of "error"; NOT_IT when it is another one. */
  let alike = NOT_IT;
  let search = LOOKING;
  let status = FINE;

  const made = {
    done: false,
    status: FINE,
    last: false,
    take(bytes: Uint8Array, from: number, to: number): number {
      made.done = false;
      for (let at = from; at < to; at++) {
        const byte = bytes[at]!;
        if (inString) {
          insideString(byte);
        } else if (byte === QUOTE) {
          inString = true;
          alike = depth === 1 && search === LOOKING ? 0 : NOT_IT;
          value();
        } else if (byte === 0x7b || byte === 0x5b) {
          value();
          depth++;
        } else if (byte === 0x7d || byte === 0x5d) {
          depth--;
          if (depth === 0) {
            made.status = status;
            made.done = true;
            status = FINE;
            search = LOOKING;
            return at + 1;
          }
          if (depth < 0) {
            return NOT_THIS_PROTOCOL;
          }
        } else if (byte > 0x20) {
          if (depth === 0) {
            return NOT_THIS_PROTOCOL;
          }
          plain(byte);
        }
      }
      return to;
    },
    ended: () => false,
    reset() {
      depth = 0;
      inString = false;
      escaped = false;
      search = LOOKING;
      status = FINE;
      made.done = false;
    },
  };

  function insideString(byte: number): void {
    if (escaped) {
      escaped = false;
      alike = NOT_IT;
    } else if (byte === BACKSLASH) {
      escaped = true;
    } else if (byte === QUOTE) {
      inString = false;
      if (alike === ERROR.length) {
        search = NAME_READ;
      }
    } else if (alike !== NOT_IT) {
      alike = alike < ERROR.length && ERROR[alike] === byte ? alike + 1 : NOT_IT;
    }
  }

  /** A string, an object or an array begins: where the error is due, it is one. */
  function value(): void {
    if (search === VALUE_DUE) {
      status = FAILED;
    }
    if (search !== LOOKING) {
      search = LOOKING;
    }
  }

  function plain(byte: number): void {
    if (search === NAME_READ) {
      // A string that no colon follows was a value, not a name.
      search = byte === 0x3a ? VALUE_DUE : LOOKING;
    } else if (search === VALUE_DUE) {
      status = byte === 0x6e ? FINE : FAILED; // null
      search = LOOKING;
    }
  }

  return made;
}
