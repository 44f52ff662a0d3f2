/** The words behind `watch` and `open`: a display filter or tcpdump's words, told apart by which of them they are. */
import { SockscopeError } from '../errors.ts';
import { filterLookups } from '../watch/lookups.ts';
import { decoders, vocabulary } from '../wire/app/decoders.ts';
import type { DisplayFilter } from '../wire/display/filter.ts';
import { packetFields } from '../wire/display/packet-fields.ts';
import { compileFilter, type FilterFault, type FilterTarget, type Program } from '../wire/filter.ts';
import { readDisplay } from './wire-options.ts';

export type WireFilter =
  | { readonly kind: 'none' }
  | { readonly kind: 'capture'; readonly program: Program; readonly text: string }
  | { readonly kind: 'display'; readonly filter: DisplayFilter; readonly text: string };

/** Signs that only a display filter has. */
const DISPLAY_ONLY =
  /==|!=|"|'|~|\bcontains\b|\bmatches\b|\b[a-z0-9]+:[a-z]|\b(latency|note|pid|program|stream|failed)\b/i;
/** `tcp[13] & 2 != 0` is tcpdump's, although it has a sign of the other. */
const CAPTURE_ONLY = /\[[^\]]+\]/;

/** A field, right or wrong, of something that only the other language has fields of: `http.satus >= 500`. */
function namesField(text: string): boolean {
  const protocols = new Set([...vocabulary(decoders).keys(), ...[...packetFields.keys()].map(beforeDot)]);
  return [...text.matchAll(/([a-z0-9]+)\.[a-z]/gi)].some(([, word]) => protocols.has(word!.toLowerCase()));
}

function beforeDot(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf('.')));
}

function isDisplay(text: string): boolean {
  return (
    (DISPLAY_ONLY.test(text) && !CAPTURE_ONLY.test(text)) || namesField(text) || !/[\s[(]/.test(text.trim())
  );
}

export function wireFilter(text: string, target: FilterTarget, prefer: 'capture' | 'display'): WireFilter {
  if (text.trim() === '') {
    return { kind: 'none' };
  }
  const captured = compileFilter(text, { ...target, lookups: filterLookups });
  const isCapture = 'program' in captured;
  if (isCapture && prefer === 'capture') {
    return { kind: 'capture', program: captured, text };
  }
  let displayError: unknown;
  try {
    return { kind: 'display', filter: readDisplay(text)!, text };
  } catch (error) {
    displayError = error;
  }
  if (isCapture) {
    return { kind: 'capture', program: captured, text };
  }
  throw isDisplay(text) ? displayError : captureError(text, captured);
}

function captureError(text: string, fault: FilterFault): SockscopeError {
  const carets = '^'.repeat(Math.max(1, Math.min(fault.to, text.length) - fault.from));
  return new SockscopeError(
    'CAPTURE_FILTER',
    `${sentence(fault.message)}\n  ${text.replace(/\s/g, ' ')}\n  ${' '.repeat(fault.from)}${carets}`,
    `${fault.hint === '' ? '' : `${sentence(fault.hint)} `}Or a display filter: tcp.port == 443, redis.command == "SET", note:retransmission.`,
    2,
  );
}

function sentence(text: string): string {
  return /[.?!]$/.test(text) ? capital(text) : `${capital(text)}.`;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
