/** Runs a kind that stands on Node's own streams: accepts, counts, drains. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { acceptOn, type NetAcceptor } from '../../kernel/net-accept.ts';
import { addressesOf, hear, streamOf } from '../../kernel/net-streams.ts';
import { openListening } from '../../reactor/listening.ts';
import { createNodeReactor } from '../../reactor/node.ts';
import type { Address } from '../../reactor/reactor.ts';
import { asDuplex } from './as-duplex.ts';
import type { AnyKind, NodeHouse, TlsFiles } from './kind.ts';
import type { Ledger } from './ledger.ts';
import { misbehave } from './misbehave.ts';
import { peerText, type RunningHost } from './raw-host.ts';

export interface NodeHostOptions {
  readonly kind: AnyKind;
  readonly plan: unknown;
  readonly ledger: Ledger;
  readonly reusePort: boolean;
  readonly tls: TlsFiles | null;
}

/** -errno when it cannot listen. What the kind itself cannot do (a directory that is not there) is thrown. */
export async function openNodeHost(
  address: Address,
  { kind, plan, ledger, reusePort, tls }: NodeHostOptions,
): Promise<RunningHost | number> {
  const { common } = ledger.house;
  const listening = openListening(address, {
    ...(common.backlog > 0 ? { backlog: common.backlog } : {}),
    reusePort,
    streamWishes: common.wishes,
  });
  if (typeof listening === 'number') {
    return listening;
  }
  const { path: socketFile } = listening;
  const house: NodeHouse = { ...ledger.house, tls };
  const service = await kind.node!(house, plan);
  const reactor = common.misbehaviour === null ? null : createNodeReactor();
  const sockets = new Set<Socket>();
  /** Beyond --max-connections clients wait here. */
  const waiting: Socket[] = [];
  let drained = 0;
  let draining = false;

  function take(socket: Socket): void {
    // Whoever uses it hears of the error as well; alone it would end the thread.
    socket.on('error', () => {});
    if (common.maxConnections > 0 && sockets.size >= common.maxConnections) {
      waiting.push(socket);
      return;
    }
    admit(socket);
  }

  function admit(socket: Socket): void {
    ledger.opened();
    sockets.add(socket);
    const path = address.kind === 'unix' ? address.path : null;
    const addresses = addressesOf(socket, path);
    const peer = peerText(addresses.remote);
    const client = addresses.remote.kind === 'unix' ? 'local' : addresses.remote.host;
    socket.once('close', () => {
      ledger.closed();
      sockets.delete(socket);
      if (draining) {
        drained++;
      }
      // Some gave up while they waited.
      let next = waiting.shift();
      while (next?.destroyed === true) {
        next = waiting.shift();
      }
      if (next !== undefined) {
        admit(next);
      }
    });
    service.connection(spoilt(socket), peer, client);
  }

  /** The socket itself unless the server misbehaves. */
  function spoilt(socket: Socket): Duplex {
    if (reactor === null || common.misbehaviour === null) {
      return socket;
    }
    const stream = streamOf(socket, null, addressesOf(socket, null), socket);
    const bad = misbehave(stream, common.misbehaviour, reactor);
    const { duplex, events } = asDuplex(bad.stream);
    duplex.on('error', () => {});
    hear(stream, bad.hear(events));
    return duplex;
  }

  const acceptor: NetAcceptor | null =
    common.misbehaviour?.noAccept === true
      ? null
      : acceptOn(
          listening.fd,
          (socket, fd) => {
            listening.inheritance.apply(fd);
            take(socket);
          },
          (error) => house.say(`cannot accept: ${error.message}`),
        );

  async function end(): Promise<void> {
    socketFile?.remove();
    acceptor?.close();
    service.close();
    await reactor?.close();
  }

  return {
    address: listening.address,
    drain(done) {
      draining = true;
      socketFile?.remove();
      let unheard = 0;
      const late = setTimeout(() => {
        for (const socket of waiting.splice(0)) {
          unheard++;
          socket.destroy();
        }
      }, common.drainNs / 1e6);
      const finish = async (): Promise<void> => {
        const dropped = (await service.drain()) + unheard;
        clearTimeout(late);
        await end();
        done({ drained: Math.max(0, drained + unheard - dropped), dropped });
      };
      if (acceptor === null) {
        void finish();
      } else {
        // New requests still arrive on connections that are let in meanwhile, so the service drains right behind.
        acceptor.retire(() => void finish());
      }
    },
    close() {
      for (const socket of [...sockets, ...waiting]) {
        socket.destroy();
      }
      void end();
    },
  };
}
