/** Why a TLS handshake did not end well, in one sentence, and what to do about it. */
import { SockscopeError } from '../../errors.ts';
import type { DialPlan } from './kind.ts';

export interface TlsTrouble {
  readonly code: string;
  readonly message: string;
}

const CERTIFICATE_REMEDY = '--insecure looks at it all the same.';

/** OpenSSL's and Node's codes; what is not here is told in OpenSSL's own words. */
export function notSecured(plan: DialPlan, where: string, { code, message }: TlsTrouble): SockscopeError {
  const failed = (what: string, hint: string): SockscopeError =>
    new SockscopeError('DIAL_TLS', what, hint, 1);
  const name = plan.tls.serverName || plan.host;
  switch (code) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return failed(
        `The certificate of ${where} is signed by itself.`,
        `Trust it with --ca FILE; ${CERTIFICATE_REMEDY}`,
      );
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_GET_ISSUER_CERT':
      return failed(
        `The certificate of ${where} is signed by an authority that is not trusted here.`,
        `Name the authority with --ca FILE; ${CERTIFICATE_REMEDY}`,
      );
    case 'CERT_HAS_EXPIRED':
      return failed(
        `The certificate of ${where} has expired.`,
        `Renew it on the server; ${CERTIFICATE_REMEDY}`,
      );
    case 'CERT_NOT_YET_VALID':
      return failed(
        `The certificate of ${where} is not valid yet.`,
        `Look at the clocks; ${CERTIFICATE_REMEDY}`,
      );
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return failed(
        `The certificate of ${where} is not for ${name}, but for ${message.split('altnames: ').at(-1) ?? 'somebody else'}.`,
        `Ask for one of its names with --sni NAME; ${CERTIFICATE_REMEDY}`,
      );
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return failed(
        `${where} does not speak TLS: what it said is no handshake.`,
        `Try it plain: tcp://${where}.`,
      );
    case 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL':
    case 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL_ALERT':
      return failed(
        `${where} speaks none of the protocols ${plan.tls.protocols.join(', ')}.`,
        'Leave out --alpn, or offer another one.',
      );
    case 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED':
    case 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE':
    case 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE':
      return failed(
        `${where} refused the handshake.`,
        plan.tls.certificate === null
          ? 'It may want a certificate of yours: --cert FILE --key FILE.'
          : 'It shares no cipher with us, or does not like your certificate.',
      );
    case 'ECONNRESET':
      return failed(
        `${where} ended the connection during the handshake.`,
        `It may not speak TLS: try tcp://${where}.`,
      );
    case 'ETIMEDOUT':
      return failed(
        `${where} accepted the connection, but said nothing to our TLS greeting.`,
        `It may not speak TLS: try tcp://${where}; -w 60s waits longer.`,
      );
    default:
      return failed(
        `The TLS handshake with ${where} failed: ${message}.`,
        `\`openssl s_client -connect ${where}\` shows more.`,
      );
  }
}
