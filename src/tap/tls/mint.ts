/** Makes certificates: our own authority's, and those it signs (RFC 5280). ECDSA on P-256 throughout. */
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { x509 } from './x509.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY = 86_400_000;
/** ub-common-name (RFC 5280, appendix A.1). */
const LONGEST_COMMON_NAME = 64;

export interface Signer {
  readonly certificate: string;
  readonly key: webcrypto.CryptoKey;
}

export interface Span {
  readonly from: Date;
  readonly to: Date;
}

export interface Wanted {
  /** Host names and IP addresses; the first becomes the common name where it fits. */
  readonly names: readonly string[];
  readonly publicKey: webcrypto.CryptoKey;
  readonly span: Span;
  readonly use: 'server' | 'client';
}

/** A key as PKCS #8 in PEM, for a file. */
export async function newKey(): Promise<string> {
  return await pemOf((await newKeyPair()).privateKey);
}

export async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

export async function newKeyPair(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

/** `pkcs8` in DER. */
export async function signingKey(pkcs8: Uint8Array): Promise<webcrypto.CryptoKey> {
  return await webcrypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, true, ['sign']);
}

export async function verifyingKey(spki: Uint8Array): Promise<webcrypto.CryptoKey> {
  return await webcrypto.subtle.importKey('spki', spki, ALGORITHM, true, ['verify']);
}

/** An authority's own certificate, which may sign servers and clients but no further authority. */
export async function authorityCertificate(
  name: string,
  keys: webcrypto.CryptoKeyPair,
  days: number,
): Promise<string> {
  const lib = await x509();
  const identifier = await lib.SubjectKeyIdentifierExtension.create(keys.publicKey);
  const made = await lib.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [fitting(name)] }],
    ...dates(daysFromNow(days)),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new lib.BasicConstraintsExtension(true, 0, true),
      new lib.KeyUsagesExtension(lib.KeyUsageFlags.keyCertSign | lib.KeyUsageFlags.cRLSign, true),
      identifier,
      await lib.AuthorityKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return withNewline(made.toString('pem'));
}

export async function signedCertificate(signer: Signer, wanted: Wanted): Promise<string> {
  const lib = await x509();
  const authority = new lib.X509Certificate(signer.certificate);
  const [first = ''] = wanted.names;
  // Without a subject the names must be marked critical (RFC 5280, section 4.2.1.6).
  const subject = first !== '' && first.length <= LONGEST_COMMON_NAME ? [{ CN: [first] }] : [];
  const use = wanted.use === 'server' ? lib.ExtendedKeyUsage.serverAuth : lib.ExtendedKeyUsage.clientAuth;
  const made = await lib.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer: authority.subjectName.toJSON(),
    ...dates(wanted.span),
    signingAlgorithm: ALGORITHM,
    publicKey: wanted.publicKey,
    signingKey: signer.key,
    extensions: [
      new lib.BasicConstraintsExtension(false, undefined, true),
      new lib.KeyUsagesExtension(lib.KeyUsageFlags.digitalSignature, true),
      new lib.ExtendedKeyUsageExtension([use]),
      new lib.SubjectAlternativeNameExtension(
        wanted.names.map((value) => ({
          type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const),
          value,
        })),
        subject.length === 0,
      ),
      await lib.SubjectKeyIdentifierExtension.create(wanted.publicKey),
      await lib.AuthorityKeyIdentifierExtension.create(authority),
    ],
  });
  return withNewline(made.toString('pem'));
}

/** Begins a day earlier: clocks of two machines differ. */
export function daysFromNow(days: number): Span {
  const now = Date.now();
  return { from: new Date(now - DAY), to: new Date(now + (days - 1) * DAY) };
}

/** Cut between characters to what a common name may hold. */
function fitting(name: string): string {
  return [...name].slice(0, LONGEST_COMMON_NAME).join('');
}

function dates({ from, to }: Span): { notBefore: Date; notAfter: Date } {
  return { notBefore: from, notAfter: to };
}

/** Positive, 127 bits of it random (RFC 5280, section 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString('hex');
}

const withNewline = (pem: string) => (pem.endsWith('\n') ? pem : `${pem}\n`);
