/** Datagrams that the network loses: what the sender learns, and what a program must do itself. */

import type { Host, Seen } from '../api.ts';
import { atLeast, holds, is, same } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const SENT = 20;
/** Longer than an answer takes, also on a busy machine; one that comes later is recognised by its number. */
const PATIENCE_MS = 80;
const NUMBERS = Array.from({ length: SENT }, (_, i) => String(i));
const END = 'end';

export const experiment = defineExperiment(
  { repeats: false },
  {
    name: 'udp-loss',
    theme: 'udp',
    asks: 'Three of ten datagrams are lost. How does the sender know?',
    question: `A client sends ${SENT} datagrams over a network that loses three of ten. How does it learn which ones are missing?`,
    answers: {
      a: 'The kernel sends the lost ones again, only later.',
      b: 'send fails for those that were lost.',
      c: 'An ICMP message comes back for each, and the next call fails.',
      d: 'Not at all: every send succeeds, and nothing comes back.',
    },
    answer: 'd',
    seconds: 3,
    stage: () => ({ wire: { loss: 0.3 } }),
    async story({ client, server, stage, say }, { repeats }) {
      const { result: s } = await server.socket('udp');
      await server.bind(s, '*:7000');
      const { result: c } = await client.socket('udp');
      await client.connect(c, 'server:7000');

      if (repeats) {
        await say('Each datagram is sent until its acknowledgement comes.');
        const listening = receiveAndAcknowledge(server, s);
        const failed = await sendUntilAcknowledged(client, c);
        await stopReceiving(server, s);
        return { failed, received: await listening, pending: 0 };
      }
      await say(`${SENT} datagrams, one after the other.`);
      let failed = 0;
      for (const number of NUMBERS) {
        failed += (await client.send(c, number)).errno === null ? 0 : 1;
      }
      await stage.until('the fate of each', (seen) => fates(seen).length === SENT);
      const arrived = fates(stage.seen).filter(({ what }) => what === 'delivered').length;
      await stage.until('the rest to arrive', ({ counter }) => counter('server', 'Ip.InDelivers') >= arrived);

      await say('The server reads what is there.');
      const received: string[] = [];
      let last = await server.recv(s, 64, ['MSG_DONTWAIT']);
      while (last.errno === null) {
        received.push(last.text);
        last = await server.recv(s, 64, ['MSG_DONTWAIT']);
      }
      const pending = await client.getsockopt(c, 'SO_ERROR');
      return { failed, received, pending: pending.value as string | number };
    },
    expect: ({ failed, received, pending }, seen) => {
      const lost = fates(seen).filter(({ what }) => what === 'dropped').length;
      return [
        is('every send succeeded', failed, 0),
        atLeast('the wire lost some', lost, 1),
        is('the server received the others', received.length, SENT - lost),
        is('nothing was sent twice', seen.packets({ from: 'client', protocol: 'udp' }).length, SENT),
        is('nothing came back', seen.packets({ from: 'server', protocol: 'icmp' }).length, 0),
        is('no error waits at the client’s socket', pending, 0),
      ];
    },
    moment: (_, seen) => fates(seen).find(({ what }) => what === 'dropped'),
    explanation:
      'send on UDP means: handed to the network card. There is no acknowledgement in the protocol, so neither kernel knows that something is missing, and nothing is repeated. The server cannot tell either, unless the datagrams carry numbers. Only a refusal that somebody sends (ICMP) can come back, and for a lost datagram nobody sends one.',
    remedy:
      'What must arrive needs numbers, acknowledgements, a timer and repetition, and the receiver must recognise what it has seen already: the twin is the smallest such protocol (stop and wait). Before you write a better one, take TCP or QUIC. What may be lost (a measurement, a picture) needs numbers at least, so that the loss is counted.',
    references: ['RFC 768', 'RFC 8085 section 3.3', 'udp(7)'],
    twin: {
      title: 'With numbers, acknowledgements and repetition.',
      knobs: { repeats: true },
      expect: ({ failed, received }, seen) => {
        const sent = seen.packets({ from: 'client', protocol: 'udp' }).length;
        return [
          is('every send succeeded', failed, 0),
          same('the server has each of them once, in order', received, NUMBERS),
          holds('some were sent again', sent > SENT, `${sent} datagrams for ${SENT}`),
        ];
      },
    },
  },
);

/** What became of the client's datagrams. */
function fates(seen: Seen) {
  const ids = new Set(seen.packets({ from: 'client', protocol: 'udp' }).map(({ id }) => id));
  return seen.fates().filter(({ packet }) => ids.has(packet));
}

/** How many sends failed. */
async function sendUntilAcknowledged(client: Host, c: number): Promise<number> {
  let failed = 0;
  for (const number of NUMBERS) {
    let answered = '';
    while (answered !== number) {
      failed += (await client.send(c, number)).errno === null ? 0 : 1;
      const ready = await client.poll({ [c]: ['POLLIN'] }, PATIENCE_MS);
      answered = ready.result === 1 ? (await client.recv(c, 64)).text : '';
    }
  }
  return failed;
}

/** Acknowledges what comes, keeps what is new. */
async function receiveAndAcknowledge(server: Host, s: number): Promise<string[]> {
  const received: string[] = [];
  for (;;) {
    const { text, value } = await server.recvmsg(s, 64);
    if (text === END) {
      return received;
    }
    if (text !== received.at(-1)) {
      received.push(text);
    }
    await server.sendto(s, text, (value as { from: string }).from);
  }
}

/** Its own words, from this same machine, are not lost. */
async function stopReceiving(server: Host, s: number): Promise<void> {
  await server.sendto(s, END, '127.0.0.1:7000');
}
