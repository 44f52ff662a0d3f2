/** What went wrong in a handshake, in words: what happened, and what to do about it. */
import { alertName, versionName } from '../../wire/app/tls-names.ts';
import type { ClientHello } from './hello.ts';

export interface TlsFailure {
  readonly kind: 'failure';
  readonly code:
    | 'TLS_NOT_TLS'
    | 'TLS_CLIENT_TRUST'
    | 'TLS_CLIENT'
    | 'TLS_TARGET_CERTIFICATE'
    | 'TLS_TARGET_WANTS_CERTIFICATE'
    | 'TLS_TARGET'
    | 'TLS_TIMEOUT'
    | 'TLS_DIAL';
  readonly side: 'client' | 'server';
  /** Of the dial, or of a connection that broke; 0 when it was TLS that failed. */
  readonly errno: number;
  readonly message: string;
  readonly hint: string;
  /** The alert that the other end may be told; 80 (internal_error) when there was none. */
  readonly alert: number;
}

/** How a handshake ended other than well. */
export type Unfinished =
  | { readonly how: 'error'; readonly error: TlsError }
  | { readonly how: 'closed' }
  | { readonly how: 'timeout'; readonly seconds: number };

export interface TlsError extends Error {
  readonly code?: string;
  readonly errno?: number;
  readonly reason?: string;
  readonly cert?: {
    readonly subjectaltname?: string;
    readonly valid_to?: string;
    readonly valid_from?: string;
  };
}

const INTERNAL_ERROR = 80;
const CERTIFICATE_REQUIRED = 116;
/** What a client says of a certificate that it does not like: bad, unsupported, revoked, expired, unknown, unknown CA. */
const ABOUT_CERTIFICATES = [42, 43, 44, 45, 46, 48];

const NO_COMMON_GROUND = new Set([
  'ERR_SSL_UNSUPPORTED_PROTOCOL',
  'ERR_SSL_VERSION_TOO_LOW',
  'ERR_SSL_NO_SHARED_CIPHER',
  'ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS',
  'ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM',
]);

const NOT_TLS = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_RECORD_LAYER_FAILURE',
  'ERR_SSL_HTTP_REQUEST',
]);

export function failure(
  code: TlsFailure['code'],
  side: TlsFailure['side'],
  message: string,
  hint: string,
  { errno = 0, alert = INTERNAL_ERROR } = {},
): TlsFailure {
  return { kind: 'failure', code, side, errno, message, hint, alert };
}

/** The number of the alert the other end sent, or null: OpenSSL tells it in its message only. */
export function alertOf(error: TlsError): number | null {
  const found = /SSL alert number (\d+)/.exec(error.message);
  return found === null ? null : Number(found[1]);
}

export function clientRefused(ended: Unfinished, hello: ClientHello, authority: string): TlsFailure {
  const trust = `Let it trust the local CA ${authority} (curl --cacert, NODE_EXTRA_CA_CERTS; \`sockscope tap --ca\` tells all ways), or tell it not to check.`;
  const about = hello.sni === null ? '' : ` for ${hello.sni}`;
  if (ended.how === 'timeout') {
    return late('client', ended.seconds);
  }
  if (ended.how === 'closed' || isReset(ended.error)) {
    const errno = ended.how === 'error' ? (ended.error.errno ?? 0) : 0;
    return failure(
      'TLS_CLIENT_TRUST',
      'client',
      `The client went away in the middle of the handshake${about}, most likely because it does not trust the local CA.`,
      trust,
      { errno },
    );
  }
  const alert = alertOf(ended.error);
  if (alert !== null && ABOUT_CERTIFICATES.includes(alert)) {
    return failure(
      'TLS_CLIENT_TRUST',
      'client',
      `The client does not accept the certificate it was shown${about} (alert ${alertName(alert)}).`,
      trust,
    );
  }
  if (NO_COMMON_GROUND.has(ended.error.code ?? '')) {
    const offered = hello.versions.map((version) => versionName(version)).join(', ');
    return failure(
      'TLS_CLIENT',
      'client',
      `The client and this tap have nothing in common to speak (${ended.error.reason ?? ended.error.message}); the client offers ${offered}.`,
      'The tap speaks TLS 1.2 and 1.3 with an ECDSA certificate; --tls peek leaves the connection as it is.',
    );
  }
  const said = alert === null ? reasonOf(ended.error) : `alert ${alertName(alert)}`;
  return failure(
    'TLS_CLIENT',
    'client',
    `The handshake with the client failed${about}: ${said}.`,
    '--tls peek leaves the connection as it is.',
  );
}

export function targetRefused(ended: Unfinished, name: string, hasCertificate: boolean): TlsFailure {
  if (ended.how === 'timeout') {
    return late('server', ended.seconds);
  }
  if (ended.how === 'closed' || isReset(ended.error)) {
    const errno = ended.how === 'error' ? (ended.error.errno ?? 0) : 0;
    return failure(
      'TLS_TARGET',
      'server',
      `The target closed the connection in the middle of the handshake (asked for ${name}).`,
      'Does it speak TLS on this port? --tls terminate speaks plain to the target.',
      { errno },
    );
  }
  const { error } = ended;
  const problem = certificateProblem(error, name);
  if (problem !== null) {
    return failure('TLS_TARGET_CERTIFICATE', 'server', problem[0], problem[1]);
  }
  const alert = alertOf(error);
  if (alert === CERTIFICATE_REQUIRED || (alert !== null && ABOUT_CERTIFICATES.includes(alert))) {
    return wantsCertificate(alert, hasCertificate);
  }
  if (NOT_TLS.has(error.code ?? '')) {
    return failure(
      'TLS_TARGET',
      'server',
      `The target does not speak TLS on this port (${reasonOf(error)}).`,
      '--tls terminate speaks plain to the target.',
    );
  }
  const said = alert === null ? reasonOf(error) : `alert ${alertName(alert)}`;
  const hint =
    alertName(alert ?? INTERNAL_ERROR) === 'unrecognized_name'
      ? 'It does not know that name; --server-name gives another.'
      : 'What the same handshake says without the tap: openssl s_client -connect HOST:PORT -servername NAME';
  return failure(
    'TLS_TARGET',
    'server',
    `The handshake with the target failed (asked for ${name}): ${said}.`,
    hint,
    { alert: alert ?? INTERNAL_ERROR },
  );
}

function wantsCertificate(alert: number, has: boolean): TlsFailure {
  return failure(
    'TLS_TARGET_WANTS_CERTIFICATE',
    'server',
    has
      ? `The target does not accept the client certificate that was given (alert ${alertName(alert)}).`
      : `The target wants a client certificate (alert ${alertName(alert)}).`,
    has
      ? 'Is it signed by an authority that the target trusts, and still valid?'
      : 'Give one with --tls-cert FILE and --tls-key FILE.',
    { alert },
  );
}

const TRY_ANYWAY = '--insecure goes on without checking';

/** What is wrong with the target's certificate, and what to do; null when it is something else. */
function certificateProblem(error: TlsError, name: string): readonly [string, string] | null {
  const signed = `Give the authority that signed it with --tls-ca FILE; ${TRY_ANYWAY}.`;
  switch (error.code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID': {
      const names = error.cert?.subjectaltname ?? 'no name at all';
      return [
        `The target's certificate is not for ${name}; it is for ${names}.`,
        `Ask for another name with --server-name; ${TRY_ANYWAY}.`,
      ];
    }
    case 'CERT_HAS_EXPIRED':
      return [`The target's certificate for ${name} has expired.`, `Renew it; ${TRY_ANYWAY}.`];
    case 'CERT_NOT_YET_VALID':
      return [
        `The target's certificate for ${name} is not valid yet.`,
        `Is the clock right on both machines? ${TRY_ANYWAY}.`,
      ];
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return [`The target's certificate for ${name} is self-signed, and not trusted here.`, signed];
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return [
        `The target's certificate for ${name} is signed by an authority that is not trusted here.`,
        signed,
      ];
    case 'CERT_UNTRUSTED':
    case 'CERT_REJECTED':
    case 'CERT_REVOKED':
    case 'CERT_SIGNATURE_FAILURE':
    case 'CERT_CHAIN_TOO_LONG':
    case 'PATH_LENGTH_EXCEEDED':
    case 'INVALID_CA':
    case 'INVALID_PURPOSE':
    case 'HOSTNAME_MISMATCH':
      return [`The target's certificate for ${name} is refused: ${error.message}.`, `${TRY_ANYWAY}.`];
    default:
      return null;
  }
}

export function late(side: TlsFailure['side'], seconds: number): TlsFailure {
  const who = side === 'client' ? 'client' : 'target';
  return failure(
    'TLS_TIMEOUT',
    side,
    `The ${who} did not finish the TLS handshake within ${seconds} s.`,
    'A protocol that begins in the clear (STARTTLS) needs --tls none or peek.',
    { errno: -110 },
  );
}

const isReset = (error: TlsError) => error.errno !== undefined && error.errno < 0;

const reasonOf = (error: TlsError) => error.reason ?? error.message.trim().split('\n')[0] ?? '';
