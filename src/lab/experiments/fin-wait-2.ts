/** Waiting for a FIN that never comes: with the program, for ever; without it, for tcp_fin_timeout. */
import { inOrder, is, lasts } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { closes: false },
  {
    name: 'fin-wait-2',
    theme: 'closing',
    asks: 'How long does a socket wait for the other side to close?',
    question:
      'The client calls shutdown(SHUT_WR) and waits for the server to close. The server has confirmed the FIN, and its program hangs. tcp_fin_timeout is 1 s. How long does the client’s socket stay in FIN_WAIT_2?',
    answers: {
      a: '1 s: tcp_fin_timeout is the time in FIN_WAIT_2.',
      b: '60 s: like TIME_WAIT.',
      c: 'Until keep-alive finds out, two hours later.',
      d: 'For as long as the program keeps the socket: there is no timer at all.',
    },
    answer: 'd',
    seconds: 3,
    shortened: 'tcp_fin_timeout is 1 s here; it is 60 s usually.',
    stage: () => ({ sysctl: { 'net.ipv4.tcp_fin_timeout': 1 } }),
    async story({ client, server, stage, say, waits }, { closes }) {
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80');
      await server.accepted(listener);
      await say('The client ends its direction. The server’s kernel confirms, its program does nothing.');
      await client.shutdown(c, 'write');
      await stage.reached('client', 'FIN-WAIT-2');
      await stage.settled();
      const since = stage.seen.end;

      if (closes) {
        await say('The client closes its socket.');
        const close = await client.close(c);
        await stage.until('the end of FIN-WAIT-2', ({ states }) => states('client').at(-1) === 'CLOSED');
        const gone = stage.seen.events.findLast(
          (event) => event.type === 'state' && event.host === 'client' && event.to === 'CLOSED',
        );
        const left = (await client.sockets()).map(({ state }) => state).join();
        return { since, left, timer: '', stillReads: false, ms: ((gone?.at ?? 0) - close.at) / 1e6 };
      }
      await say('The client waits for the server’s end: more than twice tcp_fin_timeout.');
      const stillReads = await waits(client.recv(c), 2200);
      const [left] = await client.sockets();
      return { since, left: left?.state ?? '', timer: left?.timer?.kind ?? 'none', stillReads, ms: 0 };
    },
    expect: ({ since, left, timer, stillReads }, seen) => [
      is('the client is still waiting for the end', stillReads, true),
      is('its socket is still in', left, 'FIN-WAIT-2'),
      is('its timer', timer, 'none'),
      is('nothing was sent meanwhile', seen.packets({ protocol: 'tcp', since }).length, 0),
    ],
    moment: (_, seen) => seen.events.find((event) => event.type === 'state' && event.to === 'FIN-WAIT-2'),
    explanation:
      'In FIN_WAIT_2 this side has said everything, and the other side may still have something to say: that is an ordinary half-closed connection, and TCP sets it no limit. tcp_fin_timeout is for orphans only, sockets whose program has closed them: nobody could read what comes, so the kernel waits a little and then forgets, without a packet. A program that called shutdown and keeps the socket is no orphan. The other side is in CLOSE_WAIT the whole time: that is where the fault is.',
    remedy:
      'Give the wait for the end a time of its own (poll with a timeout, SO_RCVTIMEO), and then close: the kernel’s timer begins. TCP_LINGER2 shortens it for one socket. `sockscope ls state fin-wait-2` shows which have a process and which only a timer.',
    references: ['RFC 9293 section 3.6', 'ip-sysctl: tcp_fin_timeout', 'tcp(7), TCP_LINGER2'],
    twin: {
      title: 'The client closes the socket: now it is an orphan, and has a timer.',
      knobs: { closes: true },
      expect: ({ since, left, ms }, seen) => [
        lasts('FIN-WAIT-2 ends by itself', ms, 1000, 1000),
        inOrder('the client', seen.states('client'), ['FIN-WAIT-1', 'FIN-WAIT-2', 'CLOSED']),
        is('left at the client', left, ''),
        is('nothing was sent meanwhile', seen.packets({ protocol: 'tcp', since }).length, 0),
      ],
    },
  },
);
