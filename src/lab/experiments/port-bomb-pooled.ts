/** A pool against the port bomb, and why a pool that keeps too few is none. */
import type { Host } from '../api.ts';
import { atLeast, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const PORTS = 10;
const AT_ONCE = 4;
const REQUESTS = 60;

export const experiment = defineExperiment(
  { keeps: 2 },
  {
    name: 'port-bomb-pooled',
    theme: 'ports',
    asks: 'The same client with a pool. Does it get through?',
    question:
      'Against the port bomb the client now has a pool of connections. It sends sixty requests, four at a time, and keeps two idle connections, as Go’s HTTP client does as it comes. It has ten local ports. Does it get through?',
    answers: {
      a: 'Yes: two connections are kept and used again, so no more than four ports are ever needed.',
      b: 'Yes, but it is slower, since two of four requests must wait for a connection.',
      c: 'No: of every four connections two are closed and leave TIME_WAIT, until no port is left.',
      d: 'No: the server refuses more than two connections.',
    },
    answer: 'c',
    seconds: 1,
    shortened: 'Ten ports stand for the 28 232 of a usual machine.',
    stage: () => ({
      hosts: {
        client: { sysctl: { 'net.ipv4.ip_local_port_range': `40000 ${40000 + PORTS - 1}` } },
        server: {},
      },
    }),
    async story({ client, server, stage, say }, { keeps }) {
      const listener = await server.listening('*:80');
      const idle: Connection[] = [];
      let answered = 0;
      let failure: string | null = null;

      await say(`${REQUESTS} requests, ${AT_ONCE} at a time; ${keeps} idle connections are kept.`);
      while (answered < REQUESTS && failure === null) {
        const busy: Connection[] = [];
        while (busy.length < AT_ONCE && failure === null) {
          const one = idle.pop() ?? (await opened(client, server, listener));
          if (typeof one === 'string') {
            failure = one;
          } else {
            busy.push(one);
          }
        }
        await Promise.all(busy.map((one) => exchange(client, server, one)));
        answered += busy.length;
        idle.push(...busy.splice(0, keeps));
        for (const one of busy) {
          await closed(client, server, one);
        }
      }
      await stage.settled();
      const left = (await client.sockets()).filter(({ peer }) => peer.port === 80);
      const inState = (wanted: string) => left.filter(({ state }) => state === wanted).length;
      return { answered, failure, waiting: inState('TIME-WAIT'), established: inState('ESTABLISHED') };
    },
    expect: ({ answered, failure, waiting, established }, seen) => [
      is('a connect fails', failure, 'EADDRNOTAVAIL'),
      is('after so many requests', answered, 18),
      is('two ports are in use', established, 2),
      is('and all others in TIME-WAIT', waiting, PORTS - 2),
      atLeast('connections opened', seen.packets({ from: 'client', flags: 'S' }).length, PORTS),
    ],
    moment: (_, seen) => seen.calls({ host: 'client', name: 'connect', errno: 'EADDRNOTAVAIL' })[0],
    explanation:
      'A pool helps only as far as it keeps what it is given back. Four requests at a time need four connections; when they are done two find room in the pool, and two are closed by the client, which then sits on their ports for a minute. The next four open two new ones, and so on: every round costs two ports, although there is a pool. The busier the client, the nearer it is to having none. With room for as many as are used at a time, sixty requests need four ports.',
    remedy:
      'Let the pool keep as many idle connections per server as there are requests at a time (Go: Transport.MaxIdleConnsPerHost, which is 2; Node: Agent maxFreeSockets, which is 256), and limit the requests at a time. Whether a pool leaks shows in `sockscope ls state time-wait`: closed by us, to the same server, more every second. `sockscope limits` shows how full the range is.',
    references: [
      'RFC 9293 section 3.6.1',
      'RFC 9112 section 9.3',
      'ip-sysctl: ip_local_port_range',
      'Go: net/http, DefaultMaxIdleConnsPerHost',
    ],
    twin: {
      title: 'The pool keeps as many as are used at a time.',
      knobs: { keeps: AT_ONCE },
      expect: ({ answered, failure, waiting, established }, seen) => [
        is('every request is answered', answered, REQUESTS),
        is('no connect fails', failure, null),
        is('four ports are in use', established, AT_ONCE),
        is('none is in TIME-WAIT', waiting, 0),
        is('four handshakes crossed the wire', seen.packets({ from: 'client', flags: 'S' }).length, AT_ONCE),
      ],
    },
  },
);

/** Both ends of a connection. */
interface Connection {
  readonly c: number;
  readonly s: number;
}

/** Or the errno of connect. */
async function opened(client: Host, server: Host, listener: number): Promise<Connection | string> {
  const { result: c } = await client.socket();
  const { errno } = await client.connect(c, 'server:80');
  return errno ?? { c, s: await server.accepted(listener) };
}

async function exchange(client: Host, server: Host, { c, s }: Connection): Promise<void> {
  await client.send(c, 'question');
  await server.recv(s);
  await server.send(s, 'answer');
  await client.recv(c);
}

async function closed(client: Host, server: Host, { c, s }: Connection): Promise<void> {
  await client.close(c);
  await server.recv(s);
  await server.close(s);
}
