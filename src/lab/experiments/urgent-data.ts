/** Out-of-band data is one byte and a place in the stream; the second one pushes the first out. */
import { atLeast, is, same } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { inline: false },
  {
    name: 'urgent-data',
    theme: 'data',
    question:
      'The client sends "ab", then urgently (MSG_OOB) "!", then "cd", urgently "?", and "ef". The server reads all of it afterwards, the stream and the urgent data. What does it get?',
    answers: {
      a: '"ab!cd?ef": it is all one stream.',
      b: '"!?" first, since it is urgent, then "abcdef".',
      c: '"abcdef" from the stream and "?" as urgent data; the "!" is nowhere.',
      d: '"abcdef" from the stream, and "!" and "?" one after the other as urgent data.',
    },
    answer: 'c',
    seconds: 1,
    async story({ client, server, stage, say }, { inline }) {
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80', { options: { TCP_NODELAY: 1 } });
      const s = await server.accepted(listener);
      await server.setsockopt(s, 'SO_OOBINLINE', inline ? 1 : 0);

      await say('The client sends: ab, !, cd, ?, ef.');
      await client.send(c, 'ab');
      await client.send(c, '!', ['MSG_OOB']);
      await client.send(c, 'cd');
      await client.send(c, '?', ['MSG_OOB']);
      await client.send(c, 'ef');
      await client.shutdown(c, 'write');
      await stage.reached('server', 'CLOSE-WAIT');

      await say('The server reads the stream, and asks for urgent data where it stops.');
      const poll = await server.poll({ [s]: ['POLLIN', 'POLLPRI'] }, 0);
      const before = await server.recv(s);
      const mark = await server.ioctl(s, 'SIOCATMARK');
      const urgent = await server.recv(s, 1, ['MSG_OOB']);
      const again = await server.recv(s, 1, ['MSG_OOB']);
      const after = await server.recv(s);
      const end = await server.recv(s);
      return {
        woken: JSON.stringify(poll.value),
        before: before.text,
        mark: mark.value as number,
        urgent: urgent.errno ?? urgent.text,
        again: again.errno ?? again.text,
        after: after.text,
        end: end.result,
      };
    },
    expect: ({ woken, before, mark, urgent, again, after, end }, seen) => [
      is('poll tells of urgent data', woken.includes('POLLPRI'), true),
      is('recv stops at the mark, without the "!"', before, 'abcd'),
      is('SIOCATMARK', mark, 1),
      is('the urgent byte is the last one', urgent, '?'),
      is('there is no other', again, 'EINVAL'),
      is('the rest of the stream', after, 'ef'),
      is('and its end', end, 0),
      atLeast('both crossed with URG', seen.packets({ from: 'client', flags: 'U' }).length, 2),
    ],
    moment: (_, seen) => seen.packets({ from: 'client', flags: 'U' })[1],
    explanation:
      'TCP has no second channel. URG and the urgent pointer mark one place in the one stream; the sockets API takes the byte before that place out of it and keeps it aside, one byte per connection. A second urgent byte moves the mark, and the byte kept before is lost: it is neither in the stream nor aside. recv stops at the mark once, and a program that waits for POLLIN alone is not told of it.',
    remedy:
      'Do not use it (RFC 6093 says so). Where an old protocol needs it (telnet, FTP): SO_OOBINLINE leaves the bytes in the stream, and SIOCATMARK tells where the mark is. For something urgent open a second connection.',
    references: ['RFC 6093', 'RFC 9293 section 3.8.5', 'tcp(7), SIOCATMARK', 'send(2), MSG_OOB'],
    twin: {
      title: 'With SO_OOBINLINE.',
      knobs: { inline: true },
      expect: ({ before, mark, urgent, after, end }) => [
        same('nothing is missing from the stream', [before, after], ['ab!cd', '?ef']),
        is('it stops before the last urgent byte', mark, 1),
        is('nothing is kept aside', urgent, 'EINVAL'),
        is('the end', end, 0),
      ],
    },
  },
);
