/** Who may have a port that somebody else has, or had a moment ago: SO_REUSEADDR and SO_REUSEPORT, cell by cell. */
import type { Program } from '../api.ts';
import { is } from '../checks.ts';
import type { Check } from '../experiment.ts';
import { defineExperiment } from '../experiment.ts';

/** First/second socket; R is SO_REUSEADDR, P is SO_REUSEPORT. */
const PAIRS = ['-/-', 'R/-', '-/R', 'R/R', 'P/P', 'RP/P', 'P/-', '-/P', 'R/P', 'P/R'] as const;
const STATES = ['bound', 'LISTEN', 'ESTABLISHED', 'FIN-WAIT-2', 'TIME-WAIT'] as const;
/** The addresses that the two ask for; the last pair are different ones of this machine. */
const ANY = '*';
const HERE = '127.0.0.1';
const ELSEWHERE = '127.0.0.2';
const CONFLICTS = [
  [HERE, HERE],
  [ANY, ANY],
  [ANY, HERE],
  [HERE, ANY],
] as const;

const USED = 'EADDRINUSE';
/** What the second bind says: only bound | listening | gone, but a connection of it ESTABLISHED, in FIN-WAIT-2, in TIME-WAIT. */
const TCP: Readonly<Record<string, readonly string[]>> = {
  'R/R': ['ok', USED, 'ok', 'ok', 'ok'],
  'P/P': ['ok', 'ok', 'ok', 'ok', 'ok'],
  'RP/P': ['ok', 'ok', 'ok', 'ok', 'ok'],
};
const NEVER = STATES.map(() => USED);
const UDP: readonly string[] = ['R/R', 'P/P', 'RP/P'];

interface Answer {
  readonly bind: string;
  readonly listens: string;
}

type Table = Readonly<Record<string, readonly Answer[]>>;

export const experiment = defineExperiment(
  { oldOneHadIt: false },
  {
    name: 'reuse',
    theme: 'ports',
    asks: 'EADDRINUSE after a restart: who may bind what, beside whom?',
    question:
      'A server closes its connections, ends, and is started again at once. Its bind fails with EADDRINUSE, because one connection is in TIME_WAIT. You add SO_REUSEADDR to the program and start the new version. What happens?',
    answers: {
      a: 'bind succeeds: that is what SO_REUSEADDR is for.',
      b: 'bind still fails: the old server, whose connection it is, must have had SO_REUSEADDR too. From the next restart on it works.',
      c: 'bind succeeds, but listen fails with EADDRINUSE.',
      d: 'bind still fails: only SO_REUSEPORT helps against TIME_WAIT.',
    },
    answer: 'b',
    seconds: 1,
    // A busy machine repeats a FIN; its second ACK is answered with a RST, which would end TIME-WAIT (RFC 1337).
    stage: () => ({ sysctl: { 'net.ipv4.tcp_rfc1337': 1 } }),
    async story({ client, server, stage, say }, { oldOneHadIt }) {
      await say(
        oldOneHadIt
          ? 'The old server, with SO_REUSEADDR, serves a client and closes first.'
          : 'The old server serves a client and closes first.',
      );
      const old = await server.program();
      const { result: listener } = await old.socket();
      if (oldOneHadIt) {
        await old.setsockopt(listener, 'SO_REUSEADDR', 1);
      }
      await old.bind(listener, '*:80');
      await old.listen(listener);
      const c = await client.connected('server:80');
      await old.close(await old.accepted(listener));
      await client.recv(c);
      await client.close(c);
      await stage.reached('server', 'TIME-WAIT');
      await old.exit(0);
      await old.exited;

      await say('The new server: without SO_REUSEADDR, and with it.');
      const young = await server.program();
      const { result: again } = await young.socket();
      const without = await young.bind(again, '*:80');
      await young.setsockopt(again, 'SO_REUSEADDR', 1);
      const withIt = await young.bind(again, '*:80');

      await say('All combinations, measured aside.');
      const measuring = await server.program();
      return {
        without: without.errno ?? 'ok',
        withIt: withIt.errno ?? 'ok',
        tcp: await table(measuring, 'tcp', STATES, CONFLICTS),
        udp: await table(measuring, 'udp', ['bound'], CONFLICTS),
        apart: await table(measuring, 'tcp', ['bound', 'LISTEN'], [[HERE, ELSEWHERE]]),
        apartUdp: await table(measuring, 'udp', ['bound'], [[HERE, ELSEWHERE]]),
      };
    },
    expect: ({ without, withIt, ...tables }) => [
      is('bind without SO_REUSEADDR', without, USED),
      is('bind with SO_REUSEADDR', withIt, USED),
      ...matrix(tables),
    ],
    moment: (_, seen) => seen.calls({ host: 'server', name: 'bind', errno: USED }).at(-1),
    explanation:
      'A port belongs to all sockets that are bound to it, and a connection in TIME_WAIT is one of them: it keeps the address, and the flags of the listener that it came from. Two sockets may share a conflicting address (the same one, or the wildcard and any) only when both allow it. With SO_REUSEADDR on both TCP allows it as long as neither listens; with SO_REUSEPORT on both (and the same user) they may even both listen, and share the connections. A mixture of the two flags counts for nothing. UDP knows no listening: with SO_REUSEADDR on both a second program takes the port away, and gets the datagrams. Unlike BSD, a listener on the wildcard also blocks a specific address.',
    remedy:
      'Set SO_REUSEADDR on every TCP server before bind, as Node, Go and most libraries do; when EADDRINUSE stays, `sockscope ls :80` shows who has it. Set SO_REUSEPORT only for workers that shall share. On UDP set neither, unless it is multicast or workers: EADDRINUSE is what protects your port.',
    references: ['socket(7), SO_REUSEADDR and SO_REUSEPORT', 'net/ipv4/inet_connection_sock.c', 'bind(2)'],
    twin: {
      title: 'The old server had SO_REUSEADDR too.',
      knobs: { oldOneHadIt: true },
      expect: ({ without, withIt, ...tables }) => [
        is('bind without SO_REUSEADDR', without, USED),
        is('bind with SO_REUSEADDR', withIt, 'ok'),
        ...matrix(tables),
      ],
    },
  },
);

/** Of each pair: one answer per state and pair of addresses, the states in order. */
async function table(
  program: Program,
  protocol: 'tcp' | 'udp',
  states: readonly string[],
  addresses: readonly (readonly [string, string])[],
): Promise<Table> {
  const cells = PAIRS.flatMap((pair) =>
    states.flatMap((state) =>
      addresses.map(([one, other]) => {
        const [first = '', second = ''] = pair.split('/');
        return {
          protocol,
          state,
          first: { flags: first, address: one },
          second: { flags: second, address: other },
        };
      }),
    ),
  );
  const answers = (await program.job('reuse-cells', { cells })) as unknown as readonly Answer[];
  const each = states.length * addresses.length;
  return Object.fromEntries(PAIRS.map((pair, i) => [pair, answers.slice(i * each, (i + 1) * each)]));
}

function matrix(tables: Record<'tcp' | 'udp' | 'apart' | 'apartUdp', Table>): Check[] {
  const { tcp, udp, apart, apartUdp } = tables;
  return [
    ...PAIRS.map((pair) =>
      is(
        `TCP ${pair}, first bound | LISTEN | gone, its connection ESTABLISHED | FIN-WAIT-2 | TIME-WAIT`,
        STATES.map((_, i) => whatever(row(tcp, pair).slice(4 * i, 4 * (i + 1)))).join(' | '),
        (TCP[pair] ?? NEVER).join(' | '),
      ),
    ),
    is('TCP R/R, both bound: listen of the second, then of the first', listens(tcp, 'R/R'), `ok, ${USED}`),
    is('TCP P/P, both bound: listen of the second, then of the first', listens(tcp, 'P/P'), 'ok, ok'),
    ...PAIRS.map((pair) =>
      is(`UDP ${pair}, first bound`, whatever(row(udp, pair)), UDP.includes(pair) ? 'ok' : USED),
    ),
    is('different addresses of the machine, TCP, any flags', everywhere(apart), 'ok'),
    is('different addresses of the machine, UDP, any flags', everywhere(apartUdp), 'ok'),
  ];
}

const row = (table: Table, pair: string): string[] => (table[pair] ?? []).map(({ bind }) => bind);
const everywhere = (table: Table): string => whatever(PAIRS.flatMap((pair) => row(table, pair)));
const listens = (table: Table, pair: string): string =>
  whatever((table[pair] ?? []).slice(0, CONFLICTS.length).map((answer) => answer.listens));

/** One word where the order and the wildcard make no difference. */
function whatever(said: readonly string[]): string {
  return [...new Set(said)].join(' or ');
}
