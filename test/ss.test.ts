/** The socket table against `ss`, in a private namespace with hundreds of sockets in every state TCP has. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Socket, TCP_STATES } from '../src/session/socket.ts';
import { sameMoment } from './fixtures/agree.ts';
import { type Facet, ourLine, ssLine } from './fixtures/lines.ts';
import { parseInet, parseUnix } from './fixtures/ss-text.ts';
import { startZoo, type Zoo } from './fixtures/zoo.ts';
import { needs } from './needs.ts';

const lab = needs('linux', 'namespace', 'ss', 'ip', 'nsenter');
const program = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

/**
 * What ss 6.1 does not ask the kernel for: TCP sockets that are bound and neither listen nor connect, among them those whose descriptor
 * is still open while a mini socket sits out TIME-WAIT.
 */
const isBoundOnly = ({ protocol, state }: Socket) =>
  protocol === 'tcp' && (state === 'CLOSED' || state === 'BOUND-INACTIVE');

describe.skipIf(lab.missing !== null)(
  `the table beside ss${lab.missing === null ? '' : ` (${lab.missing})`}`,
  () => {
    let zoo: Zoo;

    beforeAll(async () => {
      zoo = await startZoo();
    });

    afterAll(async () => {
      await zoo?.stop();
    });

    async function ours(flags: string): Promise<Socket[]> {
      // Unasked, owners would be left out with a note on a machine that is busy enough.
      const words = flags.includes('-p') ? flags : `${flags} --no-owners`;
      const { stdout, stderr, status } = await zoo.run([
        process.execPath,
        program,
        'ls',
        '--json',
        ...words.split(' '),
      ]);
      expect(stderr).toBe('');
      expect(status).toBe(0);
      const lines = stdout.split('\n').filter((line) => line !== '');
      return lines.map((line) => JSON.parse(line) as Socket).filter((socket) => !isBoundOnly(socket));
    }

    async function theirs(flags: string): Promise<string> {
      const { stdout, status } = await zoo.run(['ss', '-H', '-O', '-n', ...flags.split(' ')]);
      expect(status).toBe(0);
      return stdout;
    }

    async function same(flags: string, facets: readonly Facet[]): Promise<string[]> {
      const parse = flags.includes('x') ? parseUnix : parseInet;
      const { first, other } = await sameMoment(
        async () =>
          parse(await theirs(flags))
            .map((row) => ssLine(row, facets))
            .sort(),
        () => ours(flags),
      );
      expect(other.map((socket) => ourLine(socket, facets)).sort()).toEqual(first);
      return first;
    }

    it('every one of the eleven states is in the zoo, dozens of times', async () => {
      const rows = parseInet(await theirs('-ta'));
      const ofState = (state: string) => rows.filter((row) => row.state === state);
      for (const [state, expected] of Object.entries(zoo.counts)) {
        expect(ofState(state), state).toHaveLength(expected);
      }
      // A socket that is CLOSED is in no table of the kernel; all others are here.
      const all = TCP_STATES.slice(1, -2).filter((state) => state !== 'CLOSED');
      expect([...new Set(rows.map(({ state }) => state))].sort()).toEqual([...all].sort());
      expect(rows.length).toBeGreaterThan(900);
    });

    it.each([
      ['-ta -p', 900],
      ['-ua -p', 40],
      ['-wa -p', 10],
      ['-xa -p', 40],
    ])('%s: the same sockets, states, queues and owners', async (flags, atLeast) => {
      expect((await same(flags, ['queues', 'owners'])).length).toBeGreaterThanOrEqual(atLeast);
    });

    it.each(['-ta -4', '-ta -6', '-ua -4', '-ua -6', '-wa -6', '-tl', '-ul', '-wl', '-xl', '-tl -6'])(
      '%s: the same sockets',
      async (flags) => {
        expect((await same(flags, ['queues'])).length).toBeGreaterThan(0);
      },
    );

    it('-o: the same timers by kind', async () => {
      const lines = await same('-ta -o', ['queues', 'timer']);
      for (const kind of ['on', 'keepalive', 'timewait', 'persist']) {
        expect(
          lines.some((line) => line.endsWith(`timer=${kind}`)),
          kind,
        ).toBe(true);
      }
    });

    it('-m: the same buffers', async () => {
      const lines = await same('-ta -m', ['memory']);
      expect(lines.filter((line) => line.includes('memory={"r"')).length).toBeGreaterThan(700);
      await same('-ua -m', ['memory']);
    });

    it('-e: the same uid, inode, cookie, mark, cgroup and shutdown directions', async () => {
      const lines = await same('-ta -e', ['extended']);
      for (const fact of [
        'mark=0x1234',
        'mark=0x80000001',
        'v6only=1',
        'shutdown=<--',
        'shutdown=-->',
        'shutdown=---',
      ]) {
        expect(
          lines.some((line) => line.includes(fact)),
          fact,
        ).toBe(true);
      }
      await same('-ua -e', ['extended']);
    });

    it('-i: the same round-trip times, windows and counters', async () => {
      const lines = await same('-ta -i', ['info']);
      expect(lines.filter((line) => line.includes('snd_wnd=65536')).length).toBeGreaterThan(100);
    });

    it('a socket that is bound but neither listens nor connects is shown, which ss leaves out', async () => {
      const { stdout } = await zoo.run([process.execPath, program, 'ls', '--json', '-t', 'sport = :7009']);
      expect(JSON.parse(stdout)).toMatchObject({
        v: 1,
        local: { address: '127.0.0.1', port: 7009 },
      });
      expect((await zoo.run(['ss', '-tanH', 'sport', '=', ':7009'])).stdout).toBe('');
    });

    it('the name of an owner is whole, brackets and quotes included', async () => {
      const [cat] = zoo.holders.slice(-1);
      const names = (await ours('-ta -p')).flatMap(({ owners }) => owners).filter(({ pid }) => pid === cat);
      expect(new Set(names.map(({ name }) => name))).toEqual(new Set(['odd (na"me) 7']));
    });
  },
);
