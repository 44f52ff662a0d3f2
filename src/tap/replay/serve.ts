/** Plays the server's side of a recording to whoever connects. */
import type { Address, Listener, Reactor, Stream, StreamEvents } from '../../reactor/reactor.ts';
import { createPool } from './pool.ts';
import type { Conversation } from './recording.ts';
import type { Manner, Stage } from './stage.ts';
import { createVisit, type Visit } from './visit.ts';

export interface ServeOptions extends Manner {
  readonly listen: Address;
  /** At least one; connections are taken for them in turns. */
  readonly conversations: readonly Conversation[];
}

export interface Serving {
  readonly address: Address;
  close(): void;
}

/** Listens, or says why not (-errno). */
export function serve(reactor: Reactor, options: ServeOptions): Serving | number {
  const { conversations, listen } = options;
  const stage: Stage = { ...options, reactor, pool: createPool(conversations) };
  const visits = new Set<Visit>();
  let count = 0;
  const events: StreamEvents = {
    readable: (stream) => (stream.owner as Visit).readable(),
    writable: (stream) => (stream.owner as Visit).writable(),
  };
  const listener: Listener | number = reactor.listen(
    listen,
    { streamWishes: listen.kind === 'tcp' ? { nodelay: 1 } : {} },
    {
      accepted(stream: Stream) {
        const own = conversations[count % conversations.length]!;
        if (count++ >= conversations.length) {
          stage.pool.again(own);
        }
        const visit = createVisit(stage, stream, own, count, () => visits.delete(visit));
        visits.add(visit);
        stream.owner = visit;
        options.tell({
          type: 'accepted',
          at: reactor.now(),
          number: count,
          client: stream.remote,
          stream: own.stream,
        });
        visit.begin();
        return events;
      },
      paused() {},
      resumed() {},
    },
  );
  if (typeof listener === 'number') {
    return listener;
  }
  return {
    address: listener.address,
    close() {
      listener.close();
      for (const visit of [...visits]) {
        visit.close();
      }
    },
  };
}
