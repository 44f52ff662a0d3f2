/** Certificates for the names clients ask for, signed by the local CA when they are first asked for, and kept. */
import type { Authority } from './ca.ts';
import { daysFromNow, newKeyPair, pemOf, type Span, signedCertificate } from './mint.ts';

/** Apple's and the browsers' limit is 398 days. */
const DAYS = 397;
const LEAVES_KEPT = 1024;

export interface Leaf {
  readonly certificate: string;
  /** The same for all of them. */
  readonly key: string;
  readonly to: Date;
}

export interface Leaves {
  /** For a host name or IP address, or several. They have been checked: `tlsName` of names.ts. */
  of(names: readonly string[]): Promise<Leaf>;
  readonly kept: number;
}

export async function leavesOf(authority: Authority, most = LEAVES_KEPT): Promise<Leaves> {
  const { publicKey, privateKey } = await newKeyPair();
  const key = await pemOf(privateKey);
  /** In the order of their last use. */
  const kept = new Map<string, { readonly leaf: Promise<Leaf>; readonly to: number }>();

  async function make(names: readonly string[], span: Span): Promise<Leaf> {
    const certificate = await signedCertificate(authority, { names, publicKey, span, use: 'server' });
    return { certificate, key, to: span.to };
  }

  return {
    of(names) {
      const id = names.join('\n');
      let one = kept.get(id);
      kept.delete(id);
      if (one === undefined || one.to <= Date.now()) {
        const span = within(daysFromNow(DAYS), authority);
        one = { leaf: make(names, span), to: span.to.getTime() };
        if (kept.size >= most) {
          kept.delete(kept.keys().next().value!);
        }
      }
      kept.set(id, one);
      return one.leaf;
    },
    get kept() {
      return kept.size;
    },
  };
}

/** Some verifiers want a certificate's life inside its signer's. */
function within(span: Span, outer: Span): Span {
  return {
    from: new Date(Math.max(span.from.getTime(), outer.from.getTime())),
    to: new Date(Math.min(span.to.getTime(), outer.to.getTime())),
  };
}
