/** Out-of-band data is one byte and a place in the stream; where a second one leaves the first depends on who was quicker. */
import type { Call, Host } from '../api.ts';
import { atLeast, is, same } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { inline: false },
  {
    name: 'urgent-data',
    theme: 'data',
    asks: 'One urgent byte, then another. What does the server get?',
    question:
      'The client sends "ab" and then, urgently (MSG_OOB), "!". The server reads the "ab". Before it asks for the urgent byte the client sends "cd", urgently "?", and "ef". What does the server get, from the stream and as urgent data?',
    answers: {
      a: '"ab!cd?ef": it is all one stream.',
      b: '"!" and "?" one after the other as urgent data, and "abcdef" from the stream.',
      c: '"?" as urgent data and "abcdef" from the stream; the "!" is nowhere.',
      d: '"!" as urgent data; a second urgent byte has to wait until the first is read.',
    },
    answer: 'c',
    seconds: 1,
    async story({ client, server, stage, say }, { inline }) {
      const listener = await server.listening('*:80');
      const open = async () => {
        const c = await client.connected('server:80', { options: { TCP_NODELAY: 1 } });
        const s = await server.accepted(listener);
        await server.setsockopt(s, 'SO_OOBINLINE', inline ? 1 : 0);
        return { c, s };
      };
      /** Until the server's kernel has acknowledged so many bytes of the newest connection; a recv would stop at the mark. */
      const arrived = (bytes: number) =>
        stage.until(`${bytes} bytes at the server`, ({ packets }) => {
          const first = packets({ from: 'server', flags: 'SA' }).at(-1);
          return packets({ from: 'server' }).some(
            ({ connection, ack = 0 }) =>
              connection === first?.connection && (ack - (first?.ack ?? 0)) >>> 0 === bytes,
          );
        });

      await say('The client sends ab and, urgently, "!". The server reads what is in front of it.');
      const quick = await open();
      await client.send(quick.c, 'ab');
      await client.send(quick.c, '!', ['MSG_OOB']);
      await arrived(3);
      const poll = await server.poll({ [quick.s]: ['POLLIN', 'POLLPRI'] }, 0);
      const first = await server.recv(quick.s, 2);

      await say('The client sends cd, urgently "?", and ef. The server reads all of it.');
      await rest(client, quick.c);
      await arrived(8);
      const got = await everything(server, quick.s);

      await say('The same bytes again, and a server that reads nothing before all of them are there.');
      const slow = await open();
      await client.send(slow.c, 'ab');
      await client.send(slow.c, '!', ['MSG_OOB']);
      await rest(client, slow.c);
      await arrived(8);
      const late = await everything(server, slow.s);
      return { woken: JSON.stringify(poll.value), stream: first.text + got.stream, got, late };
    },
    expect: ({ woken, stream, got, late }, seen) => [
      is('poll tells of urgent data', woken.includes('POLLPRI'), true),
      is('the stream is', stream, 'abcdef'),
      is('SIOCATMARK says that there is something', got.mark, 1),
      is('the urgent byte is', got.urgent, '?'),
      is('there is no other', got.again, 'EINVAL'),
      same('the slow server finds the first "!" in its stream', [late.stream, late.urgent], ['ab!cdef', '?']),
      atLeast('all of them crossed with URG', seen.packets({ from: 'client', flags: 'U' }).length, 4),
    ],
    moment: (_, seen) => seen.packets({ from: 'client', flags: 'U' })[1],
    explanation:
      'TCP has no second channel. URG and the urgent pointer mark one place in the one stream; the sockets API takes the byte before that place out of it and keeps it aside, one byte per connection. A second urgent byte moves the mark. If the reader has come as far as the first mark, the byte kept there is dropped for good; if it has not, the byte becomes an ordinary part of the stream. So the same bytes on the wire are two different streams, according to who was quicker. recv stops once at the mark, and POLLIN does not tell of urgent data, only POLLPRI does.',
    remedy:
      'Do not use it (RFC 6093 says so). Where an old protocol needs it (telnet, FTP): SO_OOBINLINE leaves every byte in the stream, and SIOCATMARK tells where the mark is. For something urgent open a second connection.',
    references: [
      'RFC 6093',
      'RFC 9293 section 3.8.5',
      'net/ipv4/tcp_input.c, tcp_check_urg()',
      'tcp(7), SIOCATMARK',
      'send(2), MSG_OOB',
    ],
    twin: {
      title: 'With SO_OOBINLINE.',
      knobs: { inline: true },
      expect: ({ stream, got, late }) => [
        is('nothing is missing from the stream', stream, 'ab!cd?ef'),
        is('the slow server has the same', late.stream, 'ab!cd?ef'),
        is('nothing is kept aside', got.urgent, 'EINVAL'),
        is('SIOCATMARK still tells the place', got.mark, 1),
      ],
    },
  },
);

async function rest(client: Host, c: number): Promise<void> {
  await client.send(c, 'cd');
  await client.send(c, '?', ['MSG_OOB']);
  await client.send(c, 'ef');
}

/** Up to the mark, what is kept there, and what comes after it. */
async function everything(server: Host, s: number) {
  const before = await server.recv(s);
  const mark = await server.ioctl(s, 'SIOCATMARK');
  const urgent = await server.recv(s, 1, ['MSG_OOB']);
  const again = await server.recv(s, 1, ['MSG_OOB']);
  const after = await server.recv(s);
  return {
    stream: before.text + after.text,
    mark: mark.value as number,
    urgent: said(urgent),
    again: said(again),
  };
}

const said = ({ errno, text }: Call): string => errno ?? text;
