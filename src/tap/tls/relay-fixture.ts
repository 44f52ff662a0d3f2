/** For tests: a relay without any of the engine, on the node:net reactor. */
import { createNodeReactor } from '../../reactor/node.ts';
import { AGAIN, type Stream, type StreamEvents } from '../../reactor/reactor.ts';
import type { TlsPlan } from '../plan.ts';
import type { ClientHello } from './hello.ts';
import { type TlsKit, tlsKit } from './kit.ts';
import type { TlsFailure } from './refusal.ts';
import { type Secured, secureConnection } from './secure.ts';

export interface TestRelay {
  readonly port: number;
  readonly kit: TlsKit;
  /** What became of each connection, in order. */
  readonly outcomes: (Secured | TlsFailure)[];
  readonly keys: string[];
  readonly troubles: TlsFailure[];
  readonly hellos: (ClientHello | null)[];
  /** Of the connections so far, both ends read to their end or broke. */
  outcome(): Promise<Secured | TlsFailure>;
  trouble(): Promise<TlsFailure>;
  close(): Promise<void>;
}

export const PLAN: TlsPlan = {
  mode: 'both',
  insecure: false,
  serverName: '',
  certificate: '',
  key: '',
  authority: '',
};

/** A relay on a free port in front of `port`. */
export async function testRelay(
  plan: Partial<TlsPlan>,
  port: number,
  { folder, host = 'localhost', seconds = 10 }: { folder: string; host?: string; seconds?: number },
): Promise<TestRelay> {
  const kit = await tlsKit({ ...PLAN, ...plan }, host, { folder });
  const outcomes: (Secured | TlsFailure)[] = [];
  const keys: string[] = [];
  const troubles: TlsFailure[] = [];
  const hellos: (ClientHello | null)[] = [];
  let heard = () => {};
  const reactor = createNodeReactor();
  const listener = reactor.listen(
    { kind: 'tcp', host: '127.0.0.1', port: 0 },
    {},
    {
      accepted(client) {
        const pumps = { up: () => {}, down: () => {} };
        const clientEvents: StreamEvents = { readable: () => pumps.up(), writable: () => pumps.down() };
        const serverEvents: StreamEvents = { readable: () => pumps.down(), writable: () => pumps.up() };
        const ends = {
          clientEvents,
          serverEvents,
          seconds,
          keylog: (line: string) => void keys.push(line),
          trouble(failure: TlsFailure) {
            troubles.push(failure);
            heard();
          },
          dial(hello: ClientHello | null) {
            hellos.push(hello);
            return new Promise<Stream | number>((resolve) => {
              const connected = (stream: Stream, result: number) => resolve(result === 0 ? stream : result);
              const target = { kind: 'tcp', host: '127.0.0.1', port } as const;
              const begun = reactor.connect(target, {}, { ...serverEvents, connected });
              if (typeof begun === 'number') {
                resolve(begun);
              }
            });
          },
        };
        void secureConnection(kit, client, ends).then((outcome) => {
          outcomes.push(outcome);
          heard();
          if (outcome.kind === 'secured') {
            pumps.up = pump(outcome.client, outcome.server);
            pumps.down = pump(outcome.server, outcome.client);
            pumps.up();
            pumps.down();
          }
        });
        return clientEvents;
      },
      paused() {},
      resumed() {},
    },
  );
  if (typeof listener === 'number' || listener.address.kind !== 'tcp') {
    throw new Error(`listen: ${listener}`);
  }
  const first = async <T>(list: T[]): Promise<T> => {
    while (list.length === 0) {
      await new Promise<void>((resolve) => {
        heard = resolve;
      });
    }
    return list.shift()!;
  };
  return {
    port: listener.address.port,
    kit,
    outcomes,
    keys,
    troubles,
    hellos,
    outcome: () => first(outcomes),
    trouble: () => first(troubles),
    close: () => reactor.close(),
  };
}

/** One direction: bytes, FIN as FIN, RST as RST. */
function pump(from: Stream, to: Stream): () => void {
  const room = new Uint8Array(16_384);
  let kept = 0;
  let sent = 0;
  let over = false;
  return () => {
    while (!over) {
      if (sent === kept) {
        kept = from.read(room, 0, room.length);
        sent = 0;
        if (kept <= 0) {
          over = kept !== AGAIN;
          if (kept === 0) {
            to.shutdown();
          } else if (over) {
            to.reset();
          }
          kept = 0;
          return;
        }
      }
      const taken = to.write(room, sent, kept);
      if (taken < 0) {
        return;
      }
      sent += taken;
    }
  };
}
