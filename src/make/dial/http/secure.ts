/** TLS above a connection for HTTP: ALPN, and what the certificate says. */
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { SockscopeError } from '../../../errors.ts';
import { dialContext } from '../../../kernel/dial-tls.ts';
import { clientSide, type SecureContext, type TLSSocket } from '../../../kernel/tls.ts';
import type { HttpTlsFacts } from '../../../session/http-exchange.ts';
import { notSecured } from '../tls-refusal.ts';
import type { RequestClock } from './clock.ts';
import { asDialPlan } from './connect.ts';
import type { WayPlan } from './plan.ts';

export interface SecuredHttp {
  readonly socket: TLSSocket;
  readonly second: boolean;
  readonly facts: HttpTlsFacts;
}

interface Trouble {
  readonly code: string;
  readonly message: string;
}

/** Reading the authorities of a system takes longer than most handshakes: once for all connections, and outside their time. */
export function contextFor({ tls }: WayPlan): SecureContext | SockscopeError {
  try {
    const { certificate, key } = tls;
    return dialContext({ authority: tls.only, certificate, key }, tls.only === null ? tls.besides : null);
  } catch (error) {
    return new SockscopeError(
      'HTTP_TLS_FILES',
      `The certificate or its key cannot be used: ${(error as Error).message}.`,
      'Both are PEM files, and belong together.',
      2,
    );
  }
}

function remedyOf(code: string): string {
  switch (code) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_GET_ISSUER_CERT':
      return 'Name who signed it with --cacert FILE; -k looks at it all the same.';
    case 'CERT_HAS_EXPIRED':
      return 'Renew it on the server; -k looks at it all the same.';
    case 'CERT_NOT_YET_VALID':
      return 'Look at the clocks; -k looks at it all the same.';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'Ask for one of its names (--resolve NAME:PORT:ADDRESS leads it here); -k looks at it all the same.';
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'ECONNRESET':
      return 'It may speak plain HTTP: try http:// instead of https://.';
    case 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL':
      return 'Leave out --http1.1 and --http2.';
    default:
      return 'It may want a certificate of yours (--cert FILE --key FILE); `openssl s_client -connect` shows more.';
  }
}

function troubleOf(error: unknown): Trouble {
  const { code, message, reason } = error as NodeJS.ErrnoException & { reason?: string };
  return { code: code ?? '', message: reason ?? message };
}

function factsOf(socket: TLSSocket, distrust: string | null): HttpTlsFacts {
  const { subjectaltname = '', subject, issuer, valid_to } = socket.getPeerCertificate();
  const names = subjectaltname
    .split(', ')
    .filter((each) => each !== '')
    .map((each) => each.replace(/^(DNS|IP Address):/, ''));
  const common = [subject?.CN ?? []].flat();
  return {
    version: socket.getProtocol() ?? '',
    cipher: socket.getCipher().standardName,
    names: names.length === 0 ? common : names,
    issuer: [issuer?.CN ?? issuer?.O ?? ''].flat().join(', '),
    expires: valid_to === undefined ? '' : new Date(valid_to).toISOString(),
    distrust,
  };
}

const OFFERS: Readonly<Record<WayPlan['protocols'], readonly string[]>> = {
  any: ['h2', 'http/1.1'],
  h2: ['h2', 'http/1.1'],
  'http/1.1': ['http/1.1'],
  'h2 at once': ['h2'],
};

/** Null: the clock says why. */
export function secureFor(
  way: WayPlan,
  context: SecureContext,
  under: Duplex,
  host: string,
  port: number,
  clock: RequestClock,
): Promise<SecuredHttp | SockscopeError | null> {
  clock.begin('tls');
  const plan = asDialPlan(way, host, port);
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const failed = (trouble: Trouble): SockscopeError =>
    new SockscopeError('HTTP_TLS', notSecured(plan, where, trouble).message, remedyOf(trouble.code), 1);
  const { insecure } = way.tls;
  // RFC 6066 section 3: an address is no server name.
  const sni = isIP(host) === 0 ? host : '';
  const socket = clientSide(under, context, { sni, name: host, protocols: OFFERS[way.protocols], insecure });
  let last: Trouble | null = null;
  socket.on('error', (error) => {
    last ??= troubleOf(error);
  });
  return new Promise((resolve) => {
    const finish = (result: SecuredHttp | SockscopeError | null): void => {
      clock.signal.removeEventListener('abort', stop);
      socket.off('close', ended);
      if (result === null || result instanceof SockscopeError) {
        socket.destroy();
      }
      resolve(result);
    };
    const stop = (): void => finish(null);
    const ended = (): void => finish(failed(last ?? { code: 'ECONNRESET', message: '' }));
    socket.once('close', ended);
    clock.signal.addEventListener('abort', stop, { once: true });
    socket.once('secureConnect', () => {
      clock.end();
      const second = socket.alpnProtocol === 'h2';
      if (way.protocols === 'h2 at once' && !second) {
        finish(failed({ code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL', message: '' }));
        return;
      }
      // Node has a code where its types promise an error.
      const why: unknown = socket.authorizationError;
      const trouble = why instanceof Error ? troubleOf(why) : { code: String(why), message: String(why) };
      finish({ socket, second, facts: factsOf(socket, socket.authorized ? null : failed(trouble).message) });
    });
  });
}
