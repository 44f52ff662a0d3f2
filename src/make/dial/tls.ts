/** Bytes over TLS, on a connection that was made like any other. */
import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import { SockscopeError } from '../../errors.ts';
import type { Dialled } from '../../kernel/dial-socket.ts';
import { dialContext } from '../../kernel/dial-tls.ts';
import { streamOf } from '../../kernel/net-streams.ts';
import { clientSide, type SecureContext, type TLSSocket } from '../../kernel/tls.ts';
import type { PeerCertificateFacts } from '../../session/dial-events.ts';
import { connectTcp, interrupted } from './connect.ts';
import type { DialEar, DialKind, DialPlan } from './kind.ts';
import { StreamConversation } from './stream.ts';
import { goneOf } from './tcp.ts';
import { notSecured, type TlsTrouble } from './tls-refusal.ts';

const NS_PER_MS = 1e6;

export interface Secured {
  readonly tls: TLSSocket;
  /** What TLS said last, for what comes after the handshake. */
  readonly why: () => { readonly error: string; readonly meaning: string } | null;
}

function contextOf({ tls }: DialPlan): SecureContext | SockscopeError {
  try {
    const { certificate, key } = tls;
    return dialContext({ authority: tls.only, certificate, key }, tls.only === null ? tls.besides : null);
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    return new SockscopeError(
      'DIAL_TLS_FILES',
      `The certificate or its key cannot be used: ${what}.`,
      'Both are PEM files, and belong together.',
      2,
    );
  }
}

/** Node's parts of a name may be lists. */
function nameText(name: Readonly<Record<string, unknown>> | undefined): string {
  const parts = Object.entries(name ?? {}).map(([key, value]) => `${key}=${[value].flat().join('+')}`);
  return parts.join(', ') || 'nobody';
}

function certificateOf(tls: TLSSocket): PeerCertificateFacts | null {
  const certificate = tls.getPeerCertificate();
  if (certificate.valid_to === undefined) {
    return null;
  }
  return {
    subject: nameText({ ...certificate.subject }),
    issuer: nameText({ ...certificate.issuer }),
    expires: new Date(certificate.valid_to).toISOString(),
  };
}

function troubleOf(error: unknown): TlsTrouble {
  const { code, message, reason } = error as NodeJS.ErrnoException & { reason?: string };
  return { code: code ?? '', message: reason ?? message };
}

/** Node has a code where its types promise an error. */
function distrustOf(tls: TLSSocket): TlsTrouble {
  const why: unknown = tls.authorizationError;
  return why instanceof Error ? troubleOf(why) : { code: String(why), message: String(why) };
}

/** `protocols` are offered by ALPN. */
export function secure(
  plan: DialPlan,
  { socket }: Dialled,
  protocols: readonly string[],
  ear: DialEar,
  cancelled: AbortSignal,
): Promise<Secured | SockscopeError> {
  const context = contextOf(plan);
  if (context instanceof SockscopeError) {
    socket.destroy();
    return Promise.resolve(context);
  }
  const name = plan.tls.serverName || plan.host;
  const where = `${plan.host.includes(':') ? `[${plan.host}]` : plan.host}:${plan.port}`;
  const began = ear.now();
  // RFC 6066 section 3: an address is no server name.
  const sni = isIP(name) === 0 ? name : '';
  const tls = clientSide(socket, context, { sni, name, protocols, insecure: plan.tls.insecure });
  let last: TlsTrouble | null = null;
  tls.on('error', (error) => {
    last = troubleOf(error);
  });
  return new Promise((resolve) => {
    const finish = (result: Secured | SockscopeError): void => {
      clearTimeout(limit);
      cancelled.removeEventListener('abort', stop);
      tls.off('close', ended);
      if (result instanceof SockscopeError) {
        tls.destroy();
        socket.destroy();
      }
      resolve(result);
    };
    const stop = (): void => finish(interrupted());
    const ended = (): void => finish(notSecured(plan, where, last ?? { code: 'ECONNRESET', message: '' }));
    const late = (): void => finish(notSecured(plan, where, { code: 'ETIMEDOUT', message: '' }));
    const limit = setTimeout(late, plan.patience / NS_PER_MS);
    cancelled.addEventListener('abort', stop, { once: true });
    tls.once('close', ended);
    tls.once('secureConnect', () => {
      const ns = ear.now();
      ear.tell({
        type: 'secured',
        protocol: tls.getProtocol() ?? '',
        cipher: tls.getCipher().standardName,
        alpn: typeof tls.alpnProtocol === 'string' ? tls.alpnProtocol : null,
        certificate: certificateOf(tls),
        distrust: tls.authorized ? null : notSecured(plan, where, distrustOf(tls)).message,
        took: ns - began,
        ns,
      });
      const why = (): { error: string; meaning: string } | null =>
        last === null || /^E[A-Z]+$/.test(last.code) ? null : { error: last.code, meaning: last.message };
      finish({ tls, why });
    });
  });
}

export const kind: DialKind = {
  name: 'tls',
  schemes: ['tls'],
  about: 'bytes over TLS',
  port: 0,
  async open(plan, ear, cancelled) {
    const dialled = await connectTcp(plan, ear, cancelled);
    if (dialled instanceof SockscopeError) {
      return dialled;
    }
    const secured = await secure(plan, dialled, plan.tls.protocols, ear, cancelled);
    if (secured instanceof SockscopeError) {
      return secured;
    }
    const { tls, why } = secured;
    const stream = streamOf(tls, null, dialled.addresses, dialled.socket as Socket);
    return new StreamConversation(stream, goneOf(tls), ear, { why }).begin();
  },
};
