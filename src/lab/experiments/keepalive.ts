/** SO_KEEPALIVE is on, and for two hours that means nothing. */
import { atLeast, between, holds, is, lasts } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const PATIENCE_MS = 8000;
const GLIMPSE_MS = 1500;

export const experiment = defineExperiment(
  { tuned: false },
  {
    name: 'keepalive',
    theme: 'errors',
    asks: 'SO_KEEPALIVE is on and the peer is dead. When does recv return?',
    question:
      'A client waits on an idle connection, with SO_KEEPALIVE switched on and everything else as it comes. The server’s machine loses its power for good. When does the client’s recv return?',
    answers: {
      a: 'After a few seconds: that is what keep-alive is for.',
      b: 'After a minute, when the first probe stays unanswered.',
      c: 'After two hours and eleven minutes: the first probe leaves after two hours of silence.',
      d: 'Never: keep-alive only keeps NAT tables warm.',
    },
    answer: 'c',
    seconds: 2,
    shortened: 'A second and a half of the 7200 is waited for; the timer tells the rest.',
    async story({ client, server, stage, say, waits }, { tuned }) {
      await say(tuned ? 'Connected, with keep-alive for the impatient.' : 'Connected, with SO_KEEPALIVE.');
      const listener = await server.listening('*:80');
      const impatient = { TCP_KEEPIDLE: 1, TCP_KEEPINTVL: 1, TCP_KEEPCNT: 2 };
      const options = { SO_KEEPALIVE: 1, ...(tuned ? impatient : {}) };
      const c = await client.connected('server:80', { options });
      await server.accepted(listener);

      await say('The server loses its power. The client waits for data.');
      await server.powerOff();
      await stage.settled();
      const since = stage.seen.end;
      const reading = client.recv(c);
      const woken = !(await waits(reading, tuned ? PATIENCE_MS : GLIMPSE_MS));
      const socket = (await client.sockets()).find(({ peer }) => peer.port === 80);
      const read = woken ? await reading : null;
      return {
        since,
        woken,
        state: socket?.state ?? 'none',
        timer: socket?.timer?.kind ?? 'none',
        minutes: (socket?.timer?.expiresMs ?? 0) / 60_000,
        read: read?.errno,
        ms: read === null ? 0 : read.took / 1e6,
      };
    },
    expect: ({ since, woken, state, timer, minutes }, seen) => [
      is('the client sleeps on', woken, false),
      is('its connection is ESTABLISHED', state, 'ESTABLISHED'),
      is('the only timer is keep-alive’s', timer, 'keepalive'),
      between('and has so many minutes left', Number(minutes.toFixed(1)), 119, 120),
      is('nothing has been sent', seen.packets({ from: 'client', since }).length, 0),
    ],
    moment: (_, seen) => seen.infos('client').find(({ timer }) => timer?.kind === 'keepalive'),
    explanation:
      'SO_KEEPALIVE asks the kernel to send an empty segment after a long silence, and to see whether the other kernel answers. How long is set by three numbers: the first probe after 7200 seconds, then one every 75 seconds, and the end after nine without an answer. That makes 2 hours and 11 minutes, most of it before anything is sent at all. And a silent connection has nothing else that could notice: no packets, no other timer.',
    remedy:
      'Set the numbers where you set the option: TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT (Node: socket.setKeepAlive(true, 1000) sets only the first of them). For programs you cannot change: net.ipv4.tcp_keepalive_time. `sockscope ls` shows each connection’s timer.',
    references: [
      'RFC 1122 section 4.2.3.6',
      'RFC 9293 section 3.8.4',
      'tcp(7), TCP_KEEPIDLE',
      'ip-sysctl: tcp_keepalive_time',
    ],
    twin: {
      title: 'A first probe after one second, a second one a second later, and then the end.',
      knobs: { tuned: true },
      expect: ({ since, woken, read, ms }, seen) => {
        const probes = seen.packets({ from: 'client', flags: 'A', data: false, since }).length;
        return [
          is('the client is woken', woken, true),
          is('its recv fails', read, 'ETIMEDOUT'),
          lasts('three seconds after the last sign of life', ms, 2500, 3200),
          holds('two probes were sent', probes === 2, `${probes} probes`),
          atLeast('a RST says goodbye', seen.packets({ from: 'client', flags: 'R' }).length, 1),
        ];
      },
    },
  },
);
