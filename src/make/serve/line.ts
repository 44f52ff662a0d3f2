/** A small text protocol to learn and test with: docs/line.md is its grammar. */
import type { RawHouse, RawService, ServerKind } from './kind.ts';
import { createStore } from './line/store.ts';
import { type LineTalk, lineTalk, type Room } from './line/talk.ts';

const SWEEP_NS = 5e9;

function service(house: RawHouse): RawService {
  const listeners = new Map<string, Set<LineTalk>>();
  const store = createStore();
  let ended = false;
  const room: Room = {
    house,
    store,
    now: () => house.reactor.now(),
    publish(channel, text) {
      const heard = listeners.get(channel);
      for (const one of heard ?? []) {
        one.tell(`EVENT ${channel} ${text}`);
      }
      return heard?.size ?? 0;
    },
    join(channel, who) {
      const all = listeners.get(channel) ?? new Set();
      listeners.set(channel, all.add(who));
    },
    leave(channel, who) {
      const all = listeners.get(channel);
      all?.delete(who);
      if (all?.size === 0) {
        listeners.delete(channel);
      }
    },
  };
  const sweep = (): void => {
    if (!ended) {
      store.sweep(house.reactor.now());
      house.reactor.after(SWEEP_NS, sweep);
    }
  };
  sweep();
  return {
    visit: (stream, visit) => lineTalk(room, stream, visit),
    close() {
      ended = true;
    },
  };
}

export const kind: ServerKind<null> = {
  name: 'line',
  about: 'a small text protocol: PING, SET, GET, SUBSCRIBE, …',
  words: '',
  options: [],
  examples: ['sockscope serve line :7777', 'telnet localhost 7777    and type HELP'],
  port: 7777,
  over: ['tcp', 'unix'],
  tls: true,
  lines: 'requests',
  alone: true,
  plan: () => null,
  tries: ({ host, port, path, tls, authority }) => {
    if (tls) {
      return `printf 'HELP\\nQUIT\\n' | openssl s_client -quiet -connect ${host}:${port} -CAfile ${authority}`;
    }
    return `printf 'SET name world\\nGET name\\nQUIT\\n' | nc ${path === '' ? `${host} ${port}` : `-U ${path}`}`;
  },
  raw: service,
};
