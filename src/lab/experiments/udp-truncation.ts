/** A datagram that is larger than the buffer, one that is empty, and one that is too large to send. */
import { is, same } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

/** 65535 less the headers of IPv4 and UDP. */
const LARGEST = 65_507;
const ROOM = 4;

export const experiment = defineExperiment(
  { asks: false },
  {
    name: 'udp-truncation',
    theme: 'udp',
    asks: 'A datagram is longer than the buffer. Where is the rest?',
    question:
      'A datagram of 10 bytes has arrived, and another one behind it. The program receives into a buffer of 4 bytes. What becomes of the other 6?',
    answers: {
      a: 'The next recv gives them, as with TCP.',
      b: 'They are lost; the call says 4 and MSG_TRUNC, and the next recv gives the next datagram.',
      c: 'recv fails with EMSGSIZE, and the datagram stays until the buffer is large enough.',
      d: 'They are put in front of the next datagram.',
    },
    answer: 'b',
    seconds: 1,
    async story({ client, server, stage, say }, { asks }) {
      const { result: s } = await server.socket('udp');
      await server.bind(s, '*:5353');
      const { result: c } = await client.socket('udp');
      await client.connect(c, 'server:5353');

      await say('Three datagrams: of 10 bytes, of 6, and an empty one.');
      await client.send(c, '0123456789');
      await client.send(c, 'second');
      await client.send(c, '');

      await say(
        asks
          ? 'The server asks how long the first is, and then takes it.'
          : `The server receives ${ROOM} bytes.`,
      );
      const length = asks ? (await server.recv(s, 0, ['MSG_PEEK', 'MSG_TRUNC'])).result : ROOM;
      const first = await server.recvmsg(s, length);
      const second = await server.recvmsg(s);
      const third = await server.recvmsg(s);

      await say('The largest datagram there can be, and one byte more.');
      const tooLarge = await client.send(c, LARGEST + 1);
      await stage.settled();
      const before = stage.seen.end;
      await client.send(c, LARGEST);
      const largest = await server.recv(s);
      const cut = [first, second, third].map(({ value }) => JSON.stringify(value).includes('MSG_TRUNC'));
      return {
        length,
        texts: [first.text, second.text, third.text],
        cut,
        third: third.errno ?? third.result,
        tooLarge: tooLarge.errno,
        largest: largest.result,
        before,
      };
    },
    expect: ({ texts, cut, third, tooLarge, largest, before }, seen) => [
      same('the server received', texts, ['0123', 'second', '']),
      same('MSG_TRUNC says so, once', cut, [true, false, false]),
      is('an empty datagram is received as 0, which is not the end of anything', third, 0),
      is('one byte too many cannot be sent', tooLarge, 'EMSGSIZE'),
      is('the largest datagram arrives whole', largest, LARGEST),
      is('in 45 pieces', seen.packets({ from: 'client', protocol: 'udp', since: before }).length, 45),
    ],
    moment: (_, seen) => seen.calls({ host: 'server', name: 'recvmsg' })[0],
    explanation:
      'UDP hands over one datagram per call, whole or cut, never two and never the rest of one. What does not fit into the buffer is thrown away, and recv alone does not tell: it returns 4, as if the datagram had 4 bytes. Only msg_flags of recvmsg says MSG_TRUNC. An empty datagram is a message too, so a result of 0 means nothing more than that. What is sent may be as large as 65 507 bytes, but travels in pieces, and is lost when one of them is.',
    remedy:
      'Receive into 65 536 bytes, or into as many as your protocol allows and one more, and take a full buffer for an error. recv with MSG_PEEK|MSG_TRUNC says how long the next datagram really is. Never end a loop because recv on UDP gave 0.',
    references: ['udp(7)', 'recv(2), MSG_TRUNC', 'RFC 768', 'RFC 791 section 3.2'],
    twin: {
      title: 'The server asks for the length first.',
      knobs: { asks: true },
      expect: ({ length, texts, cut }) => [
        is('MSG_PEEK|MSG_TRUNC says the length', length, 10),
        same('nothing is lost', texts, ['0123456789', 'second', '']),
        same('MSG_TRUNC is never set', cut, [false, false, false]),
      ],
    },
  },
);
