/** TLS in front of a kind that stands on the reactor: Node's loop accepts and shakes hands, the kind sees a stream. */
import { acceptOn } from '../../kernel/net-accept.ts';
import { addressesOf, hear, streamOf } from '../../kernel/net-streams.ts';
import { serverContext, serverSide } from '../../kernel/tls.ts';
import { openListening } from '../../reactor/listening.ts';
import type { Address, Stream, StreamEvents } from '../../reactor/reactor.ts';
import type { Common, TlsFiles } from './kind.ts';
import type { Source } from './raw-host.ts';

/** A handshake that takes longer is somebody who wants a thread of ours, or died. */
const HANDSHAKE_MS = 10_000;

export interface SecureOptions {
  readonly tls: TlsFiles;
  readonly common: Common;
  readonly reusePort: boolean;
  readonly say: (text: string) => void;
}

export function secureListener(
  address: Address,
  { tls, common, reusePort, say }: SecureOptions,
): (accepted: (stream: Stream) => StreamEvents | null) => Source | number {
  return (accepted) => {
    const context = serverContext(tls.certificate, tls.key);
    const listening = openListening(address, {
      ...(common.backlog > 0 ? { backlog: common.backlog } : {}),
      reusePort,
      streamWishes: common.wishes,
    });
    if (typeof listening === 'number') {
      return listening;
    }
    let held: (() => void)[] | null = null;
    const acceptor = acceptOn(
      listening.fd,
      (socket, fd) => {
        listening.inheritance.apply(fd);
        const shake = (): void => {
          const addresses = addressesOf(socket, address.kind === 'unix' ? address.path : null);
          const secured = serverSide(socket, context, null);
          const late = setTimeout(() => socket.destroy(), HANDSHAKE_MS);
          socket.on('error', () => {});
          secured.on('error', (error) => {
            if (late.hasRef()) {
              say(`a TLS handshake failed: ${error.message}`);
            }
            clearTimeout(late);
          });
          secured.once('close', () => clearTimeout(late));
          secured.once('secure', () => {
            clearTimeout(late);
            late.unref();
            const stream = streamOf(secured, null, addresses, socket);
            const events = accepted(stream);
            if (events === null) {
              stream.reset();
            } else {
              hear(stream, events);
            }
          });
        };
        if (held === null) {
          shake();
        } else {
          held.push(shake);
        }
      },
      (error) => say(`cannot accept: ${error.message}`),
    );
    return {
      address: listening.address,
      hold(on) {
        const waiting = held ?? [];
        held = on ? waiting : null;
        if (!on) {
          for (const shake of waiting) {
            shake();
          }
        }
      },
      retire(done) {
        listening.path?.remove();
        acceptor.retire(done);
      },
      close() {
        listening.path?.remove();
        acceptor.close();
      },
    };
  };
}
