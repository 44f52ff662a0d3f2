/** What the control API refuses: a status and a sentence, in the form that Toxiproxy's clients read. */
import type { SockscopeError } from '../../errors.ts';

/** A class, so that no body that a client sent can be taken for one. */
export class Refusal {
  readonly status: number;
  readonly error: string;
  /** What a person can do; a field that Toxiproxy does not have. */
  readonly hint: string;

  constructor(status: number, error: string, hint = '') {
    this.status = status;
    this.error = error;
    this.hint = hint;
  }

  /** The fields of the answer. */
  toJSON(): Record<string, unknown> {
    const { error, status, hint } = this;
    return hint === '' ? { error, status } : { error, status, hint };
  }
}

export const PROXY_NOT_FOUND = new Refusal(404, 'proxy not found');
export const PROXY_EXISTS = new Refusal(409, 'proxy already exists');
export const TOXIC_NOT_FOUND = new Refusal(404, 'toxic not found');
export const TOXIC_EXISTS = new Refusal(409, 'toxic already exists');
export const BAD_TYPE = new Refusal(400, 'invalid toxic type');
export const BAD_STREAM = new Refusal(400, 'stream was invalid, can be either upstream or downstream');

export function badBody(why: string): Refusal {
  return new Refusal(400, `bad request body: ${why}`);
}

export function missingField(name: string): Refusal {
  return new Refusal(400, `missing required field: ${name}`);
}

/** A mistake of whoever asked is 400; what this machine did not allow (a port in use) is 500, as Toxiproxy has it. */
export function failed(error: SockscopeError): Refusal {
  return new Refusal(error.exit === 2 ? 400 : 500, error.message, error.hint);
}
