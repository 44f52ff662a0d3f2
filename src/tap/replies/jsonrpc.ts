/** `[CODE] MESSAGE`: an error of JSON-RPC 2.0 with the request's id; framed as the request was. */
import type { Heard } from '../../wire/heard.ts';
import type { TextError } from '../rewrite-text.ts';
import type { Made } from './made.ts';

/** JSON-RPC 2.0 section 5.1: "Internal error". */
const INTERNAL = -32603;

export function jsonrpcReply(text: string): ((request: Heard) => Made) | TextError {
  const [, code, words] = /^(-?\d{1,9})?\s*(.*)$/s.exec(text.trim())!;
  const error = { code: code === undefined ? INTERNAL : Number(code), message: words || 'Internal error' };
  return ({ fields }) => {
    const { id } = fields;
    const known = typeof id === 'string' || typeof id === 'number' ? id : null;
    const said = JSON.stringify({ jsonrpc: '2.0', id: known, error });
    return { bytes: new Uint8Array(Buffer.from(`${said}\n`, 'utf8')), closes: false };
  };
}
