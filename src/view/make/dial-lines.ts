/** What happened in a conversation, one line each, for people. */
import type { DialEvent, DialSummary, Ending } from '../../session/dial-events.ts';
import { printable } from '../../wire/printable.ts';
import type { Painter } from '../colour.ts';
import { bytes, duration, several } from '../units.ts';
import { hexLines } from '../wire/hexdump.ts';

const NS_PER_US = 1000;

function time(ns: number): string {
  return duration(ns / NS_PER_US);
}

const HOW: Readonly<Record<Ending, string>> = {
  fin: 'with FIN',
  rst: 'with RST',
  close: 'with a close frame',
  idle: 'because nothing came',
  interrupt: 'by interrupting it',
  quit: 'by itself',
  error: 'by an error',
};

function summaryLine({ sent, received, sentPieces, receivedPieces, ns, first }: DialSummary): string {
  const pieces = (count: number | null): string => (count === null ? '' : ` in ${several(count, 'piece')}`);
  const who =
    first === null
      ? 'nobody ended it'
      : first.by === 'peer'
        ? `the peer ended first, ${HOW[first.how]}`
        : `you ended first, ${HOW[first.how]}`;
  return `sent ${bytes(sent)}${pieces(sentPieces)}, received ${bytes(received)}${pieces(receivedPieces)} in ${time(ns)}; ${who}`;
}

type Failed = Extract<DialEvent, { type: 'failed' }>;

function failureWords({ error, meaning, state, syns, took }: Failed): string {
  const after = `after ${time(took)}`;
  if (error === 'ETIMEDOUT') {
    const sent = syns > 0 ? ` (${several(syns, 'SYN')} sent, none answered)` : '';
    return `timed out${state === null ? '' : ` in ${state}`} ${after}${sent}`;
  }
  return error === 'ECONNREFUSED' ? `refused ${after}` : `${error} ${after}: ${meaning}`;
}

type Option = Extract<DialEvent, { type: 'option' }>;

function optionWords({ name, wanted, got, error, unit }: Option): string {
  if (error !== null) {
    return `${name}=${wanted} was set; the kernel does not say what became of it (${error})`;
  }
  const measure = unit === 'on/off' || unit === 'number' ? '' : ` ${unit}`;
  return `${name}=${wanted}: the kernel made it ${got}${measure}`;
}

export interface DialLines {
  /** Null: not worth a line. */
  line(event: DialEvent): string | null;
}

export function createDialLines(paint: Painter, options: { verbose: boolean; terminal: boolean }): DialLines {
  const { verbose, terminal } = options;
  let several = false;
  let datagrams = false;

  function line(event: DialEvent): string | null {
    switch (event.type) {
      case 'resolved':
        return verbose
          ? `${event.name} is ${event.addresses.join(', ')} (asked for ${time(event.ns)})`
          : null;
      case 'try':
        several = true;
        return verbose ? `trying ${event.address} at ${time(event.ns)}` : null;
      case 'failed': {
        const began = several ? `, tried at ${time(event.ns - event.took)}` : '';
        // Of a single address the error itself tells the same.
        const told = several || datagrams || verbose || event.state !== null || event.error === 'ETIMEDOUT';
        return told ? `${event.address}${began}: ${failureWords(event)}` : null;
      }
      case 'dropped':
        return `${event.address}, tried at ${time(event.ns - event.took)}: not waited for, another address was faster`;
      case 'connected':
        return `${paint.green('connected')} to ${event.address}${named(event)} in ${time(event.took)}${
          verbose ? ` from ${event.local}` : ''
        }`;
      case 'ready':
        datagrams = true;
        return `${paint.green('ready')} for ${event.address}${named(event)}: datagrams go there, nobody was asked`;
      case 'option':
        return optionWords(event);
      case 'secured': {
        const { protocol, cipher, alpn, certificate, distrust, took } = event;
        const whose =
          certificate === null
            ? ''
            : `\n  certificate of ${printable(certificate.subject)}, signed by ${printable(certificate.issuer)}, expires ${certificate.expires.slice(0, 10)}`;
        const bad = distrust === null ? '' : `\n  ${paint.yellow('not trusted')}: ${distrust}`;
        const spoken = alpn === null ? '' : `, ${printable(alpn)}`;
        return `${paint.green('secured')} with ${protocol}, ${cipher}${spoken} in ${time(took)}${whose}${bad}`;
      }
      case 'upgraded':
        return `${paint.green('WebSocket')} at ${event.url} in ${time(event.took)}`;
      case 'negotiated':
        return verbose ? `${event.by === 'you' ? 'sent' : 'got '} ${event.text}` : null;
      case 'mode':
        return modeLine(event, terminal);
      case 'latency':
        return `pong after ${time(event.took)}`;
      case 'half-closed':
        return event.by === 'you'
          ? `you half-closed (FIN) after ${time(event.ns)}`
          : `${paint.yellow('peer half-closed')} (FIN) after ${time(event.ns)}`;
      case 'reset':
        return event.by === 'you'
          ? `you reset (RST) after ${time(event.ns)}`
          : `${paint.red('peer reset')} (RST) after ${time(event.ns)}`;
      case 'closing': {
        const why = event.reason === '' ? '' : ` "${printable(event.reason)}"`;
        return `${event.by} closed with code ${event.code}${why} after ${time(event.ns)}`;
      }
      case 'broken':
        return `${paint.red('broken')} after ${time(event.ns)}: ${printable(event.meaning)} (${event.error})`;
      case 'idle':
        return `nothing happened for so long: ended after ${time(event.ns)}`;
      case 'note':
        return event.text;
      case 'summary':
        return paint.dim(summaryLine(event));
    }
  }
  return { line };
}

function named({ name, address }: { name: string; address: string }): string {
  const bare = address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  return name === '' || name === bare ? '' : ` (${name})`;
}

function modeLine(event: { character: boolean; echo: boolean }, terminal: boolean): string | null {
  if (!terminal) {
    return null;
  }
  if (event.character) {
    return 'every key goes to the server now; Ctrl-] ends';
  }
  return event.echo ? 'lines again' : null;
}

/** `→` is what was sent, `←` what came; offsets count from the beginning of each direction. */
export function dialHexLines(chunk: Uint8Array, sent: boolean, offset: number): string {
  return `${hexLines(chunk, 0, chunk.length, sent ? '→ ' : '← ', offset).join('\n')}\n`;
}

/** One object per line, `"v":1` first. Bytes that are no text are base64. */
export function dialJson(event: DialEvent): string {
  return `${JSON.stringify({ v: 1, ...event })}\n`;
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function dialDataJson(chunk: Uint8Array, sent: boolean, ns: number): string {
  const type = sent ? 'sent' : 'received';
  try {
    return `${JSON.stringify({ v: 1, type, size: chunk.length, text: strict.decode(chunk), ns })}\n`;
  } catch {
    return `${JSON.stringify({ v: 1, type, size: chunk.length, base64: Buffer.from(chunk).toString('base64'), ns })}\n`;
  }
}
