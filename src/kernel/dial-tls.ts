/** Trust for somebody who dials: the authorities of this system, and one more of our own. */
import { clientContext, type SecureContext, type Trust } from './tls.ts';

interface Native {
  readonly context: { addCACert(pem: string): void };
}

/** Throws what OpenSSL says about the files. `besides`, in PEM, may sign as well as those that `trust` names. */
export function dialContext(trust: Trust, besides: string | null): SecureContext {
  const context = clientContext(trust);
  if (besides !== null) {
    // What createSecureContext itself calls for each of `ca`; the list of Node and the system is only known inside kernel/tls.ts.
    (context as unknown as Native).context.addCACert(besides);
  }
  return context;
}
