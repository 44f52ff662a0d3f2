/** Seven ways of not getting through: which errno, and how long it takes to hear of it. */
import type { Host } from '../api.ts';
import { atLeast, holds, is, lasts, milliseconds } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

/** Addresses for documentation (RFC 5737) and shared ones (RFC 6598): nobody lives there. */
const REJECTED = '192.0.2.1';
const FORBIDDEN = '198.51.100.1';
const SWALLOWED = '203.0.113.1';
const NO_WAY = '100.64.0.1';
const NOBODY = '10.9.0.99';

export const experiment = defineExperiment(
  { deadlineMs: 0 },
  {
    name: 'refused-filtered-unreachable',
    theme: 'errors',
    asks: 'Nobody there, firewall, dead machine, no way: what does connect say?',
    question:
      'A service cannot be reached. It may be that nothing listens there, that a firewall swallows the packets, that the machine is gone, or that a router has no way. How does connect tell them apart?',
    answers: {
      a: 'It does not: every one of them is ETIMEDOUT after a while.',
      b: 'A closed port is refused at once, a router without a way says "unreachable" at once, a missing neighbour after three seconds, and what is swallowed takes the whole time of all repetitions.',
      c: 'A firewall means ECONNREFUSED, everything else EHOSTUNREACH.',
      d: 'All of them fail at once, each with its own errno.',
    },
    answer: 'b',
    seconds: 4,
    shortened:
      'What is swallowed is repeated once here (TCP_SYNCNT), which takes three seconds; usually 131.',
    stage: () => ({
      hosts: { client: { gateway: 'router' }, server: {}, router: { router: true } },
    }),
    async story({ client, stage, host, say }, { deadlineMs }) {
      const router = host('router');
      await router.route(REJECTED, 'unreachable');
      await router.route(FORBIDDEN, 'prohibit');
      await router.route(SWALLOWED, 'blackhole');
      await say('A firewall swallows what is for port 443 of the server.');
      await stage.wire.drop({ to: 'server', filter: 'tcp dst port 443' });

      await say('The client connects to seven places at once.');
      const attempt = (address: string, repeats?: number) => tried(client, address, deadlineMs, repeats);
      const [closed, filtered, absent, rejected, forbidden, lost, swallowed] = await Promise.all([
        attempt('server:81'),
        attempt('server:443', 1),
        attempt(`${NOBODY}:80`),
        attempt(`${REJECTED}:80`),
        attempt(`${FORBIDDEN}:80`),
        attempt(`${NO_WAY}:80`),
        attempt(`${SWALLOWED}:80`, 1),
      ]);
      return { closed, filtered, absent, rejected, forbidden, lost, swallowed };
    },
    expect: ({ closed, filtered, absent, rejected, forbidden, lost, swallowed }, seen) => [
      atOnce('a closed port answers with RST', closed, 'ECONNREFUSED'),
      atOnce('a router with no route at all', lost, 'ENETUNREACH'),
      atOnce('a router whose route says unreachable', rejected, 'EHOSTUNREACH'),
      atOnce('a router that prohibits it (a firewall that rejects)', forbidden, 'EHOSTUNREACH'),
      is('a neighbour that is not there', absent.errno, 'EHOSTUNREACH'),
      lasts('after three questions of ARP', absent.ms, 2800, 3200),
      is('a firewall that swallows', filtered.errno, 'ETIMEDOUT'),
      lasts('after the repetitions', filtered.ms, 2900, 3200),
      is('a router that swallows', swallowed.errno, 'ETIMEDOUT'),
      lasts('after the repetitions', swallowed.ms, 2900, 3200),
      is('one RST came back', seen.packets({ from: 'server', flags: 'R' }).length, 1),
      atLeast('and ICMP from the router', seen.packets({ from: 'router', protocol: 'icmp' }).length, 3),
    ],
    moment: (_, seen) => seen.calls({ host: 'client', name: 'connect', errno: 'ETIMEDOUT' })[0],
    explanation:
      'connect reports what comes back. A RST means: the machine is there, and nothing listens on that port. An ICMP message from a router means: there is no way, or it is forbidden; a firewall that rejects looks the same. When the machine should be on the same network and nobody answers ARP, the own kernel says EHOSTUNREACH after three questions. And when nothing comes back, because somebody swallows the packets, the SYN is repeated until tcp_syn_retries is used up: 131 seconds as it comes. So the errno names the culprit, and the time alone already tells refused from filtered.',
    remedy:
      'Never let connect decide how long to wait: make it non-blocking and poll with a deadline of your own (or TCP_USER_TIMEOUT, or TCP_SYNCNT for fewer repetitions). Firewalls of your own should reject, not drop, what comes from inside.',
    references: [
      'connect(2)',
      'RFC 1122 section 4.2.3.9',
      'RFC 792',
      'icmp(7)',
      'ip-sysctl: tcp_syn_retries, tcp_syn_linear_timeouts',
    ],
    twin: {
      title: 'With a deadline of half a second: non-blocking connect and poll.',
      knobs: { deadlineMs: 500 },
      expect: ({ closed, filtered, absent, rejected, forbidden, lost, swallowed }) => [
        atOnce('a closed port', closed, 'ECONNREFUSED'),
        atOnce('no route', lost, 'ENETUNREACH'),
        atOnce('unreachable', rejected, 'EHOSTUNREACH'),
        atOnce('prohibited', forbidden, 'EHOSTUNREACH'),
        ...[absent, filtered, swallowed].flatMap((one, index) => [
          is(`${['a missing neighbour', 'a firewall', 'a black hole'][index]}`, one.errno, 'gave up'),
          lasts('at the deadline', one.ms, 500, 500),
        ]),
      ],
    },
  },
);

interface Attempt {
  readonly errno: string | null;
  readonly ms: number;
}

async function tried(client: Host, address: string, deadlineMs: number, repeats?: number): Promise<Attempt> {
  const { result: fd } = await client.socket('tcp', { nonblock: deadlineMs > 0 });
  if (repeats !== undefined) {
    await client.setsockopt(fd, 'TCP_SYNCNT', repeats);
  }
  const connect = await client.connect(fd, address);
  if (connect.errno !== 'EINPROGRESS') {
    return { errno: connect.errno, ms: connect.took / 1e6 };
  }
  const poll = await client.poll({ [fd]: ['POLLOUT'] }, deadlineMs);
  const ms = (poll.at + poll.took - connect.at) / 1e6;
  if (poll.result === 0) {
    await client.close(fd);
    return { errno: 'gave up', ms };
  }
  const { value } = await client.getsockopt(fd, 'SO_ERROR');
  return { errno: value === 0 ? null : String(value), ms };
}

/** Half a second is far from the three that silence takes. */
function atOnce(claim: string, { errno, ms }: Attempt, wanted: string) {
  return holds(claim, errno === wanted && ms < 500, `${errno} after ${milliseconds(ms)}`);
}
