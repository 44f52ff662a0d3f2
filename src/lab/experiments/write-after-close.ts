/** The first write after the peer has closed succeeds; the second can kill. */
import { inOrder, is } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

export const experiment = defineExperiment(
  { reads: false },
  {
    name: 'write-after-close',
    theme: 'closing',
    asks: 'The peer is gone. What do the first and the second write say?',
    question:
      'The server has closed its socket. The client does not read; it writes, and writes again. What do its two writes say, in a program that does nothing special about signals?',
    answers: {
      a: 'Both fail with EPIPE: the FIN has arrived, the kernel knows.',
      b: 'The first fails with ECONNRESET, the second with EPIPE.',
      c: 'The first succeeds; the second kills the program.',
      d: 'Both succeed: the data waits in the buffer until the connection times out.',
    },
    answer: 'c',
    seconds: 1,
    async story({ client, server, say }, { reads }) {
      const listener = await server.listening('*:80');
      const plain = await client.program();
      await plain.signal('SIGPIPE', 'default');
      const [c, p] = [await client.connected('server:80'), await plain.connected('server:80')];
      await say('The server closes both connections. The FINs arrive.');
      for (const _ of [c, p]) {
        await server.close(await server.accepted(listener));
      }
      await client.poll({ [c]: ['POLLRDHUP'] }, 5000);
      await plain.poll({ [p]: ['POLLRDHUP'] }, 5000);

      if (reads) {
        await say('The client reads before it writes: 0 bytes. So it closes.');
        const end = await client.recv(c);
        await client.close(c);
        const sameEnd = await plain.recv(p);
        await plain.close(p);
        await plain.exit(0);
        const { signal, code } = await plain.exited;
        return { end: [end.result, sameEnd.result], first: null, second: null, signal, code };
      }
      await say('The client, which ignores SIGPIPE, writes. Its answer is a RST.');
      const first = await client.send(c, 'one');
      // Without any wish poll waits for POLLERR and POLLHUP alone.
      await client.poll({ [c]: [] }, 5000);

      await say('It writes again.');
      const second = await client.send(c, 'two');

      await say('A second program, which does nothing about SIGPIPE, does the same.');
      await plain.send(p, 'one');
      await plain.poll({ [p]: [] }, 5000);
      plain.send(p, 'two').catch(() => {});
      const { signal, code } = await plain.exited;
      return { end: [], first: first.result, second: second.errno, signal, code };
    },
    expect: ({ first, second, signal }, seen) => [
      is('the first write succeeds', first, 3),
      is('the second write', second, 'EPIPE'),
      is('without a handler the second write kills: signal', signal, 'SIGPIPE'),
      is('each first write met a RST', seen.packets({ from: 'server', flags: 'R' }).length, 2),
      inOrder('the client', seen.states('client'), ['ESTABLISHED', 'CLOSE-WAIT', 'CLOSED']),
    ],
    moment: (_, seen) => seen.calls({ host: 'client', name: 'send', errno: 'EPIPE' })[0],
    explanation:
      'A FIN says that the peer will send no more; it does not say that it has stopped reading. So the kernel accepts the first write and sends it. The peer’s kernel has nobody to give it to and answers RST. Only now this side knows: the next write fails with EPIPE, and with it comes SIGPIPE, whose default is to end the process without a word (status 141 in a shell). The bytes of the first write are lost, although it "succeeded". Node, Python, Go and Java ignore the signal; C programs do not, unless they say so.',
    remedy:
      'Read, or poll for POLLIN and POLLRDHUP, also where you only write: 0 bytes are the news. Ignore SIGPIPE, or send with MSG_NOSIGNAL, and treat EPIPE as "the peer is gone". A successful write is no confirmation: only an answer of the peer’s program is.',
    references: [
      'send(2), MSG_NOSIGNAL',
      'signal(7)',
      'RFC 9293 section 3.5.2',
      'net/ipv4/tcp_input.c, tcp_reset()',
    ],
    twin: {
      title: 'The programs read before they write.',
      knobs: { reads: true },
      expect: ({ end, code }, seen) => [
        is('one reads the end', end[0], 0),
        is('and so does the other', end[1], 0),
        is('it ends by itself, with status', code, 0),
        is('no RST', seen.packets({ flags: 'R' }).length, 0),
      ],
    },
  },
);
