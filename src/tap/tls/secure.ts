/** Puts TLS on the two ends of a tapped connection, as its plan says. Afterwards both are streams like any other. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { duplexOf, hear, streamOf } from '../../kernel/net-streams.ts';
import type { TLSSocket } from '../../kernel/tls.ts';
import type { Stream, StreamEvents } from '../../reactor/reactor.ts';
import { accept, clientHello, HANDSHAKE_SECONDS, type Keylog, originate } from './handshake.ts';
import type { ClientHello } from './hello.ts';
import type { TlsKit } from './kit.ts';
import {
  clientRefused,
  failure,
  type TlsError,
  type TlsFailure,
  targetRefused,
  type Unfinished,
} from './refusal.ts';

/** Whoever heard of the streams hears nothing while handshakes go on. */
const SILENT: StreamEvents = { readable() {}, writable() {} };

export interface Secured {
  readonly kind: 'secured';
  readonly client: Stream;
  readonly server: Stream;
  /** As the client asked; null without one, or when the client speaks plain. */
  readonly sni: string | null;
  /** Spoken with the client and, in `both`, with the target as well. */
  readonly alpn: string | null;
  /** `TLSv1.3`; empty where that end is plain. */
  readonly clientVersion: string;
  readonly serverVersion: string;
}

export interface Ends extends Keylog {
  /** Dials the target: a stream that is connected, or -errno. Null: the client speaks plain. */
  dial(hello: ClientHello | null): Promise<Stream | number>;
  readonly clientEvents: StreamEvents;
  readonly serverEvents: StreamEvents;
  /** Of what the client sent, bytes that were read before TLS began (behind a PROXY header). */
  readonly already?: Uint8Array;
  /** What TLS says later, such as a certificate that was refused after the handshake (TLS 1.3 allows that). */
  trouble(failure: TlsFailure): void;
  /** For each handshake; 30 when absent. */
  readonly seconds?: number;
}

/** What a plain target speaks of what a client offers: nobody can ask it, and most speak HTTP/1.1 rather than HTTP/2. */
function forPlainTarget(offered: readonly string[]): string | null {
  return offered.includes('http/1.1') ? 'http/1.1' : (offered[0] ?? null);
}

/**
 * Nothing is left open after a failure: the client hears the alert the target sent (or internal_error) where it can
 * still hear one, and RST when the target could not be dialled. No event is told before this resolves; both streams
 * must be read once then, since bytes may have come meanwhile. An end that speaks plain keeps its stream.
 */
export async function secureConnection(
  kit: TlsKit,
  client: Stream,
  ends: Ends,
): Promise<Secured | TlsFailure> {
  return kit.plan.mode === 'originate' ? plainClient(kit, client, ends) : tlsClient(kit, client, ends);
}

async function plainClient(kit: TlsKit, client: Stream, ends: Ends): Promise<Secured | TlsFailure> {
  hear(client, SILENT);
  const target = await ends.dial(null);
  if (typeof target === 'number') {
    client.reset();
    return undialled(target);
  }
  const server = await secureTarget(kit, target, null, ends);
  if (server.kind === 'failure') {
    client.reset();
    return server;
  }
  hear(client, ends.clientEvents);
  return {
    kind: 'secured',
    client,
    server: server.stream(),
    sni: null,
    alpn: server.protocol,
    clientVersion: '',
    serverVersion: server.version,
  };
}

async function tlsClient(kit: TlsKit, client: Stream, ends: Ends): Promise<Secured | TlsFailure> {
  const seconds = ends.seconds ?? HANDSHAKE_SECONDS;
  const raw = taken(client);
  if (ends.already !== undefined && ends.already.length > 0) {
    raw.unshift(ends.already);
  }
  const hello = await clientHello(raw, seconds);
  if ('kind' in hello) {
    client.close();
    return hello;
  }
  const entered = client.local.kind === 'unix' ? '' : client.local.host;
  const showing = kit.shown(hello.sni, entered);
  const reaching = reach(kit, hello, ends);
  const both = await unlessGone(raw, Promise.all([reaching, showing]));
  if (both === null) {
    void reaching.then((late) => late.kind === 'reached' && late.abandon());
    return failure(
      'TLS_CLIENT',
      'client',
      'The client went away while the target was dialled.',
      'Nothing to do.',
    );
  }
  const [reached, context] = both;
  if (reached.kind === 'failure') {
    if (reached.code === 'TLS_DIAL') {
      client.reset();
    } else {
      refuse(raw, client, reached.alert);
    }
    return reached;
  }
  const socket = await accept(raw, context, reached.protocol, seconds, ends);
  if ('how' in socket) {
    client.close();
    reached.abandon();
    return clientRefused(socket, hello, kit.authority);
  }
  reportLater(socket, ends, (ended) => clientRefused(ended, hello, kit.authority));
  return {
    kind: 'secured',
    client: streamOf(socket, ends.clientEvents, client, raw as Socket),
    server: reached.stream(),
    sni: hello.sni,
    alpn: reached.protocol,
    clientVersion: socket.getProtocol() ?? '',
    serverVersion: reached.version,
  };
}

/** The target, ready for bytes, with the protocol that was agreed on. */
interface Reached {
  readonly kind: 'reached';
  readonly protocol: string | null;
  readonly version: string;
  stream(): Stream;
  abandon(): void;
}

async function reach(kit: TlsKit, hello: ClientHello, ends: Ends): Promise<Reached | TlsFailure> {
  const target = await ends.dial(hello);
  if (typeof target === 'number') {
    return undialled(target);
  }
  if (kit.plan.mode === 'both') {
    return secureTarget(kit, target, hello, ends);
  }
  hear(target, SILENT);
  return {
    kind: 'reached',
    protocol: forPlainTarget(hello.alpn),
    version: '',
    stream() {
      hear(target, ends.serverEvents);
      return target;
    },
    abandon: () => target.close(),
  };
}

async function secureTarget(
  kit: TlsKit,
  target: Stream,
  hello: ClientHello | null,
  ends: Ends,
): Promise<Reached | TlsFailure> {
  const { name, sni } = kit.asked(hello?.sni ?? null);
  const asked = { name, sni, protocols: hello?.alpn ?? [], insecure: kit.plan.insecure };
  const refused = (ended: Unfinished) => targetRefused(ended, name, kit.hasCertificate);
  const raw = taken(target);
  const socket = await originate(raw, kit.trust!, asked, ends.seconds ?? HANDSHAKE_SECONDS, ends);
  if ('how' in socket) {
    target.close();
    return refused(socket);
  }
  reportLater(socket, ends, refused);
  // Made at once: what comes while the client's handshake goes on must not be missed.
  const stream = streamOf(socket, null, target, raw as Socket);
  return {
    kind: 'reached',
    protocol: socket.alpnProtocol === false ? null : socket.alpnProtocol,
    version: socket.getProtocol() ?? '',
    stream() {
      hear(stream, ends.serverEvents);
      return stream;
    },
    abandon: () => stream.close(),
  };
}

/** What a stream is made of, and nobody else hears of it any more. Its `close`, `reset` and options still work. */
function taken(stream: Stream): Duplex {
  const duplex = duplexOf(stream);
  if (duplex === null) {
    throw new Error('TLS needs the streams of the node:net reactor');
  }
  hear(stream, SILENT);
  return duplex;
}

/** Null when the client's connection broke first. */
function unlessGone<T>(raw: Duplex, work: Promise<T>): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const gone = () => resolve(null);
    raw.once('close', gone);
    work.then(resolve, reject).finally(() => raw.off('close', gone));
  });
}

/** A fatal alert in the clear (RFC 8446, section 6), as a server sends one that refuses a ClientHello. */
function refuse(raw: Duplex, client: Stream, alert: number): void {
  // A stream that is closed with bytes unread sends RST, which overtakes the alert.
  raw.read();
  raw.write(Uint8Array.of(21, 3, 3, 0, 2, 2, alert));
  client.close();
}

/** A connection that breaks is told by the stream; that TLS failed would be told by nobody. */
function reportLater(socket: TLSSocket, ends: Ends, told: (ended: Unfinished) => TlsFailure): void {
  socket.once('error', (error: TlsError) => {
    if (error.errno === undefined) {
      ends.trouble(told({ how: 'error', error }));
    }
  });
}

const undialled = (errno: number) =>
  failure('TLS_DIAL', 'server', 'The target could not be dialled.', 'Does it listen?', { errno });
