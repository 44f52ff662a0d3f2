/** TLS on the ends of a tapped connection: handshakes first, and then a connection like any other. */
import type { Stream } from '../reactor/reactor.ts';
import {
  attachClient,
  attachServer,
  type Connection,
  clientEvents,
  happen,
  serverEvents,
} from './connection.ts';
import { dial } from './dial.ts';
import type { TapHost } from './host.ts';
import type { Resolved, TapPlan } from './plan.ts';
import { writeProxyHeader } from './proxy-protocol.ts';
import type { TlsKit } from './tls/kit.ts';
import { secureConnection } from './tls/secure.ts';

export interface Securing {
  readonly host: TapHost;
  readonly plan: TapPlan;
  readonly kit: TlsKit;
  readonly addresses: Resolved;
  /** What the client said before TLS began, and was read with its greeting. */
  readonly already: Uint8Array;
  /** The target has answered, in `took` nanoseconds. */
  dialled(stream: Stream, took: number): void;
  /** The target has not. */
  undialled(errno: number, took: number): void;
  failed(message: string, hint: string): void;
  stands(): void;
}

export function secure(connection: Connection, options: Securing): void {
  const { host, plan, kit, addresses, already } = options;
  const { reactor } = host;
  const entered = connection.client!;
  const dialTarget = (): Promise<Stream | number> =>
    new Promise((resolve) => {
      const began = reactor.now();
      connection.dialling = dial(
        reactor,
        { addresses, timeout: plan.dialTimeout, wishes: plan.wishes },
        serverEvents,
        connection,
        (stream, result) => {
          connection.dialling = null;
          if (stream === null) {
            options.undialled(result, reactor.now() - began);
            resolve(result);
            return;
          }
          options.dialled(stream, reactor.now() - began);
          if (plan.proxyOut !== 0) {
            const header = writeProxyHeader(plan.proxyOut, entered.remote, entered.local);
            stream.write(header, 0, header.length);
          }
          resolve(stream);
        },
      );
    });

  void secureConnection(kit, entered, {
    dial: dialTarget,
    clientEvents,
    serverEvents,
    already,
    keylog(line) {
      host.tell({ type: 'key', at: host.now(), line: String(line).trim() });
    },
    trouble: ({ message, hint }) => options.failed(message, hint),
  }).then((secured) => {
    if (secured.kind === 'failure') {
      // Both ends are closed already.
      connection.client = null;
      if (secured.code !== 'TLS_DIAL') {
        options.failed(secured.message, secured.hint);
      }
      connection.how = 'dial';
      happen(connection, 'close both');
      return;
    }
    if (connection.relay.phase === 'over') {
      secured.client.close();
      secured.server.close();
      return;
    }
    attachClient(connection, secured.client);
    attachServer(connection, secured.server);
    options.stands();
    happen(connection, 'dialled');
    // Bytes may have come while the handshakes went on, and nobody was told.
    happen(connection, 'client readable');
    happen(connection, 'server readable');
  });
}
