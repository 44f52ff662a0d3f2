/** The door to node:tls: both sides of TLS on a stream that is connected already. */
import { readFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  type PeerCertificate,
  rootCertificates,
  type SecureContext,
  type SecureContextOptions,
  TLSSocket,
} from 'node:tls';

export type { SecureContext, TLSSocket };

/** Certificate and key in PEM, as a server shows them. */
export function serverContext(certificate: string, key: string): SecureContext {
  return createSecureContext({ cert: certificate, key });
}

export interface Trust {
  /** In PEM: only these may sign. Null: whom Node and this system trust. */
  readonly authority: string | null;
  /** Our own, for a server that asks. */
  readonly certificate: string | null;
  readonly key: string | null;
}

/** Throws what OpenSSL says about the files. */
export function clientContext({ authority, certificate, key }: Trust): SecureContext {
  const options: SecureContextOptions = { ca: authority === null ? trustedHere() : [authority] };
  if (certificate !== null && key !== null) {
    options.cert = certificate;
    options.key = key;
  }
  return createSecureContext(options);
}

const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** Node 20 knows Mozilla's authorities only; what somebody added to the system (a company's, a tool's for development) counts too. */
function trustedHere(): string[] {
  const named = process.env.SSL_CERT_FILE;
  for (const path of named ? [named] : SYSTEM_BUNDLES) {
    try {
      return [...rootCertificates, readFileSync(path, 'utf8')];
    } catch {
      // Another distribution keeps it elsewhere.
    }
  }
  return [...rootCertificates];
}

/** The server's side, which begins to read at once. `secure` tells the end of the handshake; Node may emit `error` more than once. */
export function serverSide(under: Duplex, context: SecureContext, protocol: string | null): TLSSocket {
  return new TLSSocket(under, {
    isServer: true,
    secureContext: context,
    ...(protocol === null ? {} : { ALPNProtocols: protocolList([protocol]) }),
  });
}

export interface Asked {
  /** Sent as SNI; an empty one is not sent. */
  readonly sni: string;
  /** Whom the certificate must name. */
  readonly name: string;
  readonly protocols: readonly string[];
  readonly insecure: boolean;
}

/** The client's side; `secureConnect` tells the end of the handshake. */
export function clientSide(under: Duplex, context: SecureContext, asked: Asked): TLSSocket {
  return connect({
    socket: under,
    secureContext: context,
    servername: asked.sni,
    rejectUnauthorized: !asked.insecure,
    checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
      checkServerIdentity(asked.name, certificate),
    ...(asked.protocols.length === 0 ? {} : { ALPNProtocols: protocolList(asked.protocols) }),
  });
}

/** As RFC 7301 writes them; each character is one byte. */
function protocolList(names: readonly string[]): Buffer {
  return Buffer.from(names.map((name) => String.fromCharCode(name.length) + name).join(''), 'latin1');
}
