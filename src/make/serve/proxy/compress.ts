/** gzip or brotli on the way to the client, where that helps and nobody forbade it. */
import type { Transform } from 'node:stream';
import { constants, createBrotliCompress, createGzip } from 'node:zlib';
import { readDirectives } from '../../cache/directives.ts';
import { type Fields, fieldOf, without } from '../../cache/fields.ts';

export type Coding = 'br' | 'gzip';

/** Below this a body grows, or is one packet anyway. */
const LEAST = 256;
/** Between time and size; what nginx and others take for answers made on the fly. */
const GZIP_LEVEL = 5;
const BROTLI_QUALITY = 4;
const TYPES =
  /^(?:text\/(?!event-stream)|application\/(?:[\w.-]+\+)?(?:json|xml|javascript|wasm|manifest)\b|image\/svg)/i;

/** Null: it stays as it is. `varies` is told to caches even then: another client's answer would be another one. */
export interface Packed {
  readonly fields: Fields;
  readonly coding: Coding | null;
}

export function packed(status: number, fields: Fields, accept: string | undefined): Packed {
  if (!isPackable(status, fields)) {
    return { fields, coding: null };
  }
  const vary = fieldOf(fields, 'vary');
  const names = vary?.split(',').map((one) => one.trim().toLowerCase()) ?? [];
  const told = names.includes('accept-encoding') || names.includes('*');
  const varied = told
    ? fields
    : [
        ...without(fields, (name) => name === 'vary'),
        'Vary',
        vary === undefined ? 'Accept-Encoding' : `${vary}, Accept-Encoding`,
      ];
  const coding = chosen(accept);
  if (coding === null) {
    return { fields: varied, coding };
  }
  // Other bytes than the origin's: its strong validator is no longer true, and parts of it cannot be asked for.
  const kept = without(varied, (name) => name === 'content-length' || name === 'accept-ranges').map(
    (value, i, all) => (all[i - 1]?.toLowerCase() === 'etag' && value.startsWith('"') ? `W/${value}` : value),
  );
  return { fields: [...kept, 'Content-Encoding', coding], coding };
}

function isPackable(status: number, fields: Fields): boolean {
  const length = fieldOf(fields, 'content-length');
  return (
    status >= 200 &&
    status !== 204 &&
    status !== 206 &&
    status !== 304 &&
    fieldOf(fields, 'content-encoding') === undefined &&
    TYPES.test(fieldOf(fields, 'content-type') ?? '') &&
    (length === undefined || Number(length) >= LEAST) &&
    !readDirectives(fieldOf(fields, 'cache-control')).has('no-transform')
  );
}

/** What the client likes best; of equals brotli. q=0 is a no (RFC 9110, section 12.5.3). */
function chosen(accept: string | undefined): Coding | null {
  const wishes = new Map<string, number>();
  for (const one of (accept ?? '').split(',')) {
    const [name = '', ...more] = one.split(';').map((part) => part.trim().toLowerCase());
    const q = more.find((part) => part.startsWith('q='));
    const weight = q === undefined ? 1 : Number(q.slice(2));
    wishes.set(name === 'x-gzip' ? 'gzip' : name, Number.isNaN(weight) ? 0 : weight);
  }
  const any = wishes.get('*') ?? 0;
  const [br, gzip] = [wishes.get('br') ?? any, wishes.get('gzip') ?? any];
  return Math.max(br, gzip) === 0 ? null : br >= gzip ? 'br' : 'gzip';
}

/** `flowing`: nobody knows how long it is, so each piece leaves at once. */
export function packer(coding: Coding, flowing: boolean): Transform {
  if (coding === 'gzip') {
    return createGzip({ level: GZIP_LEVEL, ...(flowing ? { flush: constants.Z_SYNC_FLUSH } : {}) });
  }
  return createBrotliCompress({
    params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY },
    ...(flowing ? { flush: constants.BROTLI_OPERATION_FLUSH } : {}),
  });
}
