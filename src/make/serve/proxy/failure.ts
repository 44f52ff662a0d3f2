/** What went wrong with an upstream, as a status and one sentence. */
import { durationText } from '../../../session/quantities.ts';
import type { Failure } from './ask.ts';

export interface Refusal {
  readonly status: number;
  readonly text: string;
}

export function refusalFor({ code, stood }: Failure, name: string, timeoutMs: number): Refusal {
  switch (code) {
    case 'ETIMEDOUT':
      return { status: 504, text: `${name} did not answer within ${durationText(timeoutMs * 1e6)}` };
    case 'E2BIG':
      return { status: 413, text: 'the body is larger than what is taken here' };
    case 'ECONNREFUSED':
      return { status: 502, text: `${name} refused the connection: nothing listens there` };
    case 'ENOENT':
      return { status: 502, text: `${name} is not there: no such socket` };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { status: 502, text: `${name} cannot be found: its name is unknown` };
    case 'EACCES':
      return { status: 403, text: `${name} is not allowed here` };
  }
  if (code.startsWith('HPE_')) {
    return { status: 502, text: `${name} answered what is no HTTP: ${code}` };
  }
  if (/CERT|SIGNATURE|_ISSUER|ALTNAME/.test(code)) {
    return { status: 502, text: `the certificate of ${name} is not trusted: ${code}` };
  }
  return {
    status: 502,
    text: stood ? `${name} broke off before it answered: ${code}` : `${name} cannot be reached: ${code}`,
  };
}
