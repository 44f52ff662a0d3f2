/** Plays the server's side of a recording to whoever connects. */
import type { Address, Listener, Reactor, Stream, StreamEvents } from '../../reactor/reactor.ts';
import { createPool, type Pool } from './pool.ts';
import type { Conversation } from './recording.ts';
import { createVisit, type Visit } from './visit.ts';

export type ServeEvent = { readonly at: number; readonly number: number } & (
  | { readonly type: 'accepted'; readonly client: Address; readonly stream: number }
  /** `alike`: by what it means; its bytes are others. `stream`: whose reply it was. */
  | { readonly type: 'answered'; readonly shown: string; readonly stream: number; readonly alike: boolean }
  /** In order: what was said is not what had been recorded there, and it is answered all the same. */
  | { readonly type: 'differs'; readonly shown: string; readonly recorded: string }
  | { readonly type: 'unmatched'; readonly shown: string; readonly told: 'error' | 'closed' }
  | { readonly type: 'ended' }
);

export interface ServeOptions {
  readonly listen: Address;
  /** At least one; connections are taken for them in turns. */
  readonly conversations: readonly Conversation[];
  readonly inOrder: boolean;
  /** 1: as recorded; 10: ten times as fast; 0: at once. */
  readonly speed: number;
  readonly reveal: boolean;
  readonly tell: (event: ServeEvent) => void;
}

export interface Serving {
  readonly address: Address;
  close(): void;
}

/** Shared by the visits of one listener. */
export interface Stage extends Omit<ServeOptions, 'listen' | 'conversations'> {
  readonly reactor: Reactor;
  readonly pool: Pool;
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
