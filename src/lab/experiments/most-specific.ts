/** Several sockets fit: the connected one is nearer than the one with an address, and that one nearer than the wildcard. */
import type { Host, Program, Stage } from '../api.ts';
import { is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

/** The server's second address. */
const SECOND = '10.9.0.20';

export const experiment = defineExperiment(
  { shares: true },
  {
    name: 'most-specific',
    theme: 'ports',
    asks: 'Three sockets fit the same packet. Which one gets it?',
    question: `Your server has UDP port 5353 on the wildcard address, with SO_REUSEADDR, and works. Then somebody starts another program on the same machine, which binds ${SECOND}:5353, with SO_REUSEADDR as well. Who gets the datagrams for ${SECOND} from now on?`,
    answers: {
      a: 'Your server: it was there first, and the other one’s bind fails.',
      b: 'Both, one copy each.',
      c: 'The other program, all of them. Yours is not told.',
      d: 'Both in turn: the kernel spreads them.',
    },
    answer: 'c',
    seconds: 1,
    stage: () => ({ hosts: { client: {}, server: { more: 1 } } }),
    async story({ client, server, stage, say }, { shares }) {
      const [general, special, connected] = await Promise.all([
        server.program(),
        server.program(),
        server.program(),
      ]);
      const port = async (program: Program, address: string, share: boolean) => {
        const { result: fd } = await program.socket('udp');
        await program.setsockopt(fd, 'SO_REUSEADDR', share ? 1 : 0);
        return { fd, errno: (await program.bind(fd, address)).errno };
      };

      await say(
        'UDP: one program on the wildcard, one on an address, one connected to a client’s port 9999.',
      );
      const wide = await port(general, '*:5353', shares);
      const narrow = await port(special, `${SECOND}:5353`, true);
      const tied = await port(connected, `${SECOND}:5353`, true);
      if (tied.errno === null) {
        await connected.connect(tied.fd, 'client:9999');
      }

      await say('Datagrams to both addresses, from port 9999 and from another.');
      const { result: known } = await client.socket('udp');
      await client.bind(known, '*:9999');
      const { result: other } = await client.socket('udp');
      await client.sendto(known, 'known to second', `${SECOND}:5353`);
      await client.sendto(other, 'other to second', `${SECOND}:5353`);
      await client.sendto(known, 'known to first', 'server:5353');
      await client.sendto(other, 'other to first', 'server:5353');
      await stage.until('four datagrams to arrive', ({ counter }) => counter('server', 'Ip.InDelivers') >= 4);
      const udp = {
        wide: await texts(general, wide.fd),
        narrow: await texts(special, narrow.fd),
        tied: await texts(connected, tied.fd),
      };

      await say('The same wildcard twice: who bound last gets everything.');
      const late = await port(special, '*:5353', true);
      await client.sendto(other, 'late', 'server:5353');
      await stage.until('the fifth to arrive', ({ counter }) => counter('server', 'Ip.InDelivers') >= 5);
      const last = { first: await texts(general, wide.fd), second: await texts(special, late.fd) };

      await say('TCP: two listeners, which only SO_REUSEPORT on both allows.');
      const options = shares ? { SO_REUSEPORT: 1 } : {};
      const all = await general.listening('*:80', { options, nonblock: true });
      const { result: one } = await special.socket('tcp', { nonblock: true });
      await special.setsockopt(one, 'SO_REUSEPORT', 1);
      const bound = await special.bind(one, `${SECOND}:80`);
      if (bound.errno === null) {
        await special.listen(one);
      }
      await client.connected(`${SECOND}:80`);
      await client.connected(`${SECOND}:80`);
      await client.connected('server:80');
      await queued(stage, server, 3);
      return {
        binds: [narrow.errno, tied.errno, late.errno, bound.errno].map((errno) => errno ?? 'ok').join(', '),
        udp,
        last,
        tcp: { wide: await taken(general, all), narrow: await taken(special, one) },
      };
    },
    expect: ({ binds, udp, last, tcp }) => [
      is('every bind succeeds', binds, 'ok, ok, ok, ok'),
      is('UDP from port 9999 to the second address: the connected socket', udp.tied, 'known to second'),
      is('UDP from another port: the socket with that address', udp.narrow, 'other to second'),
      is(
        'UDP to the first address: the wildcard, and nothing else',
        udp.wide,
        'known to first, other to first',
      ),
      is('of two wildcards the last', last.second, 'late'),
      is('and the first has nothing', last.first, 'nothing'),
      is('TCP to the second address: the listener with that address', tcp.narrow, 2),
      is('TCP to the first address: the wildcard listener', tcp.wide, 1),
    ],
    moment: (_, seen) =>
      seen.calls({ host: 'server', name: 'recv' }).find(({ args }) => args[1] === 'other to second'),
    explanation:
      'For each datagram the kernel gives points to every socket with that port: one connected to the sender wins, then one bound to the address it was sent to, then the wildcard. Only the best one gets it, and among equals the one that bound last. For a new TCP connection it is the same among listeners. Nobody is told that somebody nearer has come: the wildcard socket simply gets less.',
    remedy:
      'Do not set SO_REUSEADDR on UDP sockets, nor SO_REUSEPORT on listeners that do not mean to share: then the second bind fails with EADDRINUSE, and you know. When a server is silent on one address only, look for a nearer socket: `sockscope ls :5353` shows all that have the port, with their programs.',
    references: [
      'net/ipv4/udp.c, compute_score()',
      'net/ipv4/inet_hashtables.c, compute_score()',
      'socket(7)',
    ],
    twin: {
      title: 'Your server shares its port with nobody.',
      knobs: { shares: false },
      expect: ({ binds, udp, tcp, last }) => [
        is('every other bind fails', binds, 'EADDRINUSE, EADDRINUSE, EADDRINUSE, EADDRINUSE'),
        is(
          'UDP: the server gets everything',
          udp.wide,
          'known to second, other to second, known to first, other to first',
        ),
        is('the fifth as well', last.first, 'late'),
        is('TCP: all three connections', tcp.wide, 3),
      ],
    },
  },
);

/** Everything that waits at a socket, in words. */
async function texts(program: Program, fd: number): Promise<string> {
  const found: string[] = [];
  let call = await program.recv(fd, 64, ['MSG_DONTWAIT']);
  while (call.errno === null) {
    found.push(call.text);
    call = await program.recv(fd, 64, ['MSG_DONTWAIT']);
  }
  return found.join(', ') || 'nothing';
}

/** How many connections wait at a listener. */
async function taken(program: Program, fd: number): Promise<number> {
  let count = 0;
  while ((await program.accept(fd)).errno === null) {
    count += 1;
  }
  return count;
}

/** The client is connected before the server's kernel knows. */
async function queued(stage: Stage, server: Host, total: number): Promise<void> {
  const used = async () =>
    (await server.sockets()).reduce((count, { accept }) => count + (accept?.used ?? 0), 0);
  while ((await used()) < total) {
    await stage.pass(5);
  }
}
