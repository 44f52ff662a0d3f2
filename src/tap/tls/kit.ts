/** What a tap needs for TLS, read and checked once when it starts: the local CA, the files of the plan. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { SockscopeError } from '../../errors.ts';
import { clientContext, type SecureContext, serverContext } from '../../kernel/tls.ts';
import type { TlsPlan } from '../plan.ts';
import { type AuthorityOptions, openAuthority } from './ca.ts';
import { leavesOf } from './leaf.ts';
import { namesToShow, nameToAsk } from './names.ts';

export interface TlsKit {
  readonly plan: TlsPlan;
  /** ca.pem; empty when this tap shows no certificates. */
  readonly authority: string;
  readonly hasCertificate: boolean;
  /** Of the target; only where the mode speaks TLS to it. */
  readonly trust: SecureContext | null;
  /** What a client is shown that asks for `sni`, or came to the address `entered`. */
  shown(sni: string | null, entered: string): Promise<SecureContext>;
  /** Whom to ask the target for, and what to send as SNI (no address: RFC 6066, section 3). */
  asked(sni: string | null): { readonly name: string; readonly sni: string };
}

/** `host`: the target's, as it was written. Throws a SockscopeError: a file that cannot be read, or the local CA. */
export async function tlsKit(plan: TlsPlan, host: string, options: AuthorityOptions = {}): Promise<TlsKit> {
  const terminates = plan.mode === 'terminate' || plan.mode === 'both';
  const originates = plan.mode === 'originate' || plan.mode === 'both';
  const trust = originates ? trustOf(plan) : null;
  const authority = terminates ? await openAuthority(options) : null;
  const leaves = authority === null ? null : await leavesOf(authority);
  const contexts = new WeakMap<object, SecureContext>();
  return {
    plan,
    authority: authority?.path ?? '',
    hasCertificate: plan.certificate !== '',
    trust,
    async shown(sni, entered) {
      const leaf = await leaves!.of(namesToShow(sni, entered));
      const context = contexts.get(leaf) ?? serverContext(leaf.certificate, leaf.key);
      contexts.set(leaf, context);
      return context;
    },
    asked(sni) {
      const name = nameToAsk(plan.serverName, sni, host);
      return { name, sni: isIP(name) === 0 ? name : '' };
    },
  };
}

function trustOf({ authority, certificate, key }: TlsPlan): SecureContext {
  if ((certificate === '') !== (key === '')) {
    throw new SockscopeError(
      'TLS_FILES',
      `A client certificate needs two files, and there is only the ${key === '' ? 'certificate' : 'key'}.`,
      'Give both; one PEM file that holds certificate and key can be named twice.',
      2,
    );
  }
  const files = {
    authority: authority === '' ? null : pemFile(authority, 'CERTIFICATE'),
    certificate: certificate === '' ? null : pemFile(certificate, 'CERTIFICATE'),
    key: key === '' ? null : pemFile(key, 'PRIVATE KEY'),
  };
  try {
    return clientContext(files);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const named = [authority, certificate, key].filter((path) => path !== '').join(', ');
    const why =
      code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH'
        ? `The key ${key} does not belong to the certificate ${certificate}.`
        : `OpenSSL cannot use ${named}: ${message}.`;
    throw new SockscopeError(
      'TLS_FILES',
      why,
      'Look at them with: openssl x509 -noout -subject -in FILE',
      2,
      error,
    );
  }
}

/** OpenSSL would take a file without any certificate in it for a list of none. */
function pemFile(path: string, holds: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SockscopeError(
      'TLS_FILES',
      `The file ${path} cannot be read: ${(error as Error).message}.`,
      'Give the path of a PEM file.',
      2,
      error,
    );
  }
  if (!new RegExp(`-----BEGIN [A-Z ]*${holds}-----`).test(text)) {
    const word = holds === 'CERTIFICATE' ? 'certificate' : 'private key';
    throw new SockscopeError(
      'TLS_FILES',
      `The file ${path} holds no ${word} in PEM.`,
      'A DER file becomes PEM with: openssl x509 -inform der -in FILE',
      2,
    );
  }
  return text;
}
