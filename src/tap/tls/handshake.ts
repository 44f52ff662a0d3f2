/** The three waits of a handshake on a raw stream: for the ClientHello, for the client, for the target. */
import type { Duplex } from 'node:stream';
import { type Asked, clientSide, type SecureContext, serverSide, type TLSSocket } from '../../kernel/tls.ts';
import { firstWords } from './first-words.ts';
import { type ClientHello, helloReader } from './hello.ts';
import { failure, late, type TlsError, type TlsFailure, type Unfinished } from './refusal.ts';

/** A server's own time limit is 60 s in nginx and OpenSSH's 120 s; browsers give up earlier. */
export const HANDSHAKE_SECONDS = 30;

/** After its wait an error is told by the stream that is made of the socket; unheard it would end the process. */
const quiet = () => {};

/** Reads as far as the ClientHello and puts it back. */
export function clientHello(raw: Duplex, seconds: number): Promise<ClientHello | TlsFailure> {
  const reader = helloReader();
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    const done = (answer: ClientHello | TlsFailure): void => {
      clearTimeout(limit);
      raw.off('readable', look).off('end', gone).off('close', gone).off('error', broke);
      raw.on('error', quiet);
      resolve(answer);
    };
    const look = (): void => {
      for (let chunk: Buffer | null = raw.read(); chunk !== null; chunk = raw.read()) {
        chunks.push(chunk);
        const step = reader.take(chunk);
        if (step.kind === 'more') {
          continue;
        }
        const said = Buffer.concat(chunks);
        if (step.kind === 'hello') {
          raw.unshift(said);
          done(step.hello);
        } else {
          done(notTls(said, step.why));
        }
        return;
      }
    };
    const gone = (): void => {
      const said = chunks.length === 0 ? 'without a word' : `in the middle of its ClientHello`;
      done(failure('TLS_CLIENT', 'client', `The client closed the connection ${said}.`, 'Nothing to do.'));
    };
    const broke = (error: TlsError): void => {
      const why = `The connection to the client broke before its ClientHello (${error.message}).`;
      done(failure('TLS_CLIENT', 'client', why, 'Nothing to do.', { errno: error.errno ?? 0 }));
    };
    const limit = setTimeout(() => done(late('client', seconds)), seconds * 1000);
    raw.on('end', gone).on('close', gone).on('error', broke).on('readable', look);
    if (raw.destroyed) {
      gone();
    }
  });
}

function notTls(first: Uint8Array, why: string): TlsFailure {
  const isTls = first[0] === 22;
  return failure(
    'TLS_NOT_TLS',
    'client',
    `The client does not speak TLS: ${isTls ? why : firstWords(first)}.`,
    'This tap expects TLS from its clients; --tls originate takes plain clients to a TLS target, --tls none changes nothing.',
  );
}

export interface Keylog {
  /** One line of the NSS key log, without its end. */
  keylog(line: string): void;
}

const GONE = Promise.resolve<Unfinished>({ how: 'closed' });

/** The socket, ready, or how it ended (it is destroyed then). */
export function accept(
  raw: Duplex,
  context: SecureContext,
  protocol: string | null,
  seconds: number,
  keys: Keylog,
): Promise<TLSSocket | Unfinished> {
  return raw.destroyed ? GONE : settled(serverSide(raw, context, protocol), 'secure', raw, seconds, keys);
}

export function originate(
  raw: Duplex,
  context: SecureContext,
  asked: Asked,
  seconds: number,
  keys: Keylog,
): Promise<TLSSocket | Unfinished> {
  return raw.destroyed ? GONE : settled(clientSide(raw, context, asked), 'secureConnect', raw, seconds, keys);
}

function settled(
  socket: TLSSocket,
  ready: 'secure' | 'secureConnect',
  raw: Duplex,
  seconds: number,
  keys: Keylog,
): Promise<TLSSocket | Unfinished> {
  socket.on('keylog', (line) => keys.keylog(line.toString('latin1').trimEnd()));
  return new Promise((resolve) => {
    const done = (answer: TLSSocket | Unfinished): void => {
      clearTimeout(limit);
      socket.off(ready, secured).off('error', broke).off('close', gone).off('end', gone);
      raw.off('end', gone);
      socket.on('error', quiet);
      if (answer !== socket) {
        socket.destroy();
      }
      resolve(answer);
    };
    const secured = () => done(socket);
    const broke = (error: TlsError) => done({ how: 'error', error });
    const gone = () => done({ how: 'closed' });
    const limit = setTimeout(() => done({ how: 'timeout', seconds }), seconds * 1000);
    socket.on(ready, secured).on('error', broke).on('close', gone).on('end', gone);
    // A FIN that came before TLS was put on the stream is told there.
    raw.on('end', gone);
  });
}
