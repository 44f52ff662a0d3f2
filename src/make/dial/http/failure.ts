/** Why there was no whole answer, in one sentence, and what to do about it. */
import { SockscopeError } from '../../../errors.ts';
import type { WebTrouble } from '../../../kernel/http-exchange.ts';
import type { HttpPhaseName } from '../../../session/http-exchange.ts';
import { printable } from '../../../wire/printable.ts';

export interface Reached {
  readonly where: string;
  readonly phase: HttpPhaseName | null;
  /** The head of the answer is read. */
  readonly head: boolean;
  /** Bytes of the body. */
  readonly received: number;
  /** What Content-Length announced. */
  readonly announced: number | null;
  readonly second: boolean;
}

const MOST_SHOWN = 60;

/** Line ends are named, so that one line stays one. */
export function firstBytes(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MOST_SHOWN)).toString(
    'latin1',
  );
  const named = text.replaceAll('\r', '\\r').replaceAll('\n', '\\n').replaceAll('\t', '\\t');
  return `"${printable(named).replaceAll('\ufffd', '.')}"${bytes.length > MOST_SHOWN ? '…' : ''}`;
}

const WHEN: Readonly<Record<HttpPhaseName, string>> = {
  resolve: 'while its name was resolved',
  connect: 'while it was connected to',
  proxy: 'while the proxy was asked',
  tls: 'during the TLS handshake',
  send: 'while the request was sent',
  'first byte': 'after the request, before a byte of an answer',
  body: 'in the middle of the answer',
};

export function failureOf({ code, message, bytes }: WebTrouble, reached: Reached): SockscopeError {
  const { where, phase, head, received, announced, second } = reached;
  const failed = (name: string, what: string, hint: string): SockscopeError =>
    new SockscopeError(`HTTP_${name}`, what, hint, 1);
  const when = phase === null ? '' : ` ${WHEN[phase]}`;
  if (code.startsWith('HPE_')) {
    if (code === 'HPE_HEADER_OVERFLOW') {
      return failed(
        'MALFORMED',
        `The head of the answer of ${where} is too large.`,
        'More than 16 KiB is not read.',
      );
    }
    if (code === 'HPE_INVALID_EOF_STATE') {
      return truncated(reached);
    }
    const shown = bytes === null || bytes.length === 0 ? '' : `: ${firstBytes(bytes)}`;
    return failed(
      'MALFORMED',
      `What ${where} answered is not HTTP/1.1 (${message.replace(/^Parse Error: /, '')})${shown}.`,
      `\`sockscope dial ${where}\` shows every byte.`,
    );
  }
  // What nghttp2 calls a body that is shorter than it was announced (RFC 9113 section 8.1.1).
  if (second && head && message.includes('PROTOCOL_ERROR') && received < (announced ?? 0)) {
    return truncated(reached);
  }
  if (second && (code.startsWith('ERR_HTTP2') || code === 'GOAWAY' || code === 'EPROTO')) {
    return failed(
      'HTTP2',
      `HTTP/2 with ${where} broke${when}: ${message}.`,
      'Try --http1.1: it may not speak HTTP/2.',
    );
  }
  if (code.startsWith('ERR_SSL')) {
    return failed(
      'TLS',
      `${where} ended TLS${when}: ${message}.`,
      'It may want a certificate of yours: --cert FILE --key FILE.',
    );
  }
  switch (code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return failed(
        'RESET',
        `${where} reset the connection${when}${head ? ` (${progress(received, announced)})` : ''}.`,
        'Its log may say why; `sockscope watch` shows who sent the RST.',
      );
    case 'CLOSED':
      return phase === 'body'
        ? truncated(reached)
        : failed(
            'EMPTY',
            `${where} closed the connection${when}: an empty reply.`,
            'It may want TLS (https://), or have crashed over the request.',
          );
    case 'UPGRADED':
      return failed(
        'UPGRADED',
        `${where} left HTTP: ${message}.`,
        '`sockscope dial ws://…` speaks WebSocket.',
      );
    default:
      return failed(
        'FAILED',
        `The connection with ${where} failed${when}: ${message}.`,
        'Nothing more is known.',
      );
  }
}

function progress(received: number, announced: number | null): string {
  return announced === null ? `got ${received} bytes` : `got ${received} of ${announced} bytes`;
}

export function truncated({ where, head, received, announced }: Reached): SockscopeError {
  return new SockscopeError(
    'HTTP_TRUNCATED',
    head
      ? `The body of the answer of ${where} was cut: ${progress(received, announced)}.`
      : `The head of the answer of ${where} was cut: the connection ended inside it.`,
    'The server closed the connection too early, or something between you and it did.',
    1,
  );
}
