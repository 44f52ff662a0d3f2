import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import * as libc from './libc.ts';
import {
  cannotEnter,
  inNamespace,
  listNamespaces,
  mountedNamespaces,
  namespaceInode,
  netlinkSocketIn,
  netlinkSocketsIn,
  parseTarget,
} from './namespaces.ts';
import { closeSockDiag, type Dump, dump } from './sockdiag.ts';
import { INET, inetRequest, u16be } from './sockdiag-format.ts';

const SERVER = `require('node:net').createServer().listen(0, '0.0.0.0', function () { console.log(this.address().port); });
process.stdin.on('end', () => process.exit()).resume();`;

/** A node server in a namespace of its own. It ends when its input closes. */
async function serverIn(flags: string): Promise<{ child: ChildProcess; port: number; inode: number }> {
  const child = spawn('unshare', [flags, process.execPath, '-e', SERVER], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout!, 'data');
  const inode = namespaceInode(readlinkSync(`/proc/${child.pid}/ns/net`));
  return { child, port: Number(String(line)), inode: inode! };
}

function listeningPorts(table: Dump): number[] {
  return table.chunks.flatMap((chunk) =>
    Array.from({ length: chunk.rows }, (_, row) => u16be(chunk.bytes, chunk.starts[row]! + INET.sourcePort)),
  );
}

const LISTEN_TCP = { family: 2, protocol: 6, states: 1 << 10, extensions: 0 } as const;

describe.each([
  { flags: '-n', lab: needs('root', 'unshare') },
  { flags: '-Urn', lab: needs('root', 'namespace') },
])('a namespace made by unshare $flags', ({ flags, lab }) => {
  let there: Awaited<ReturnType<typeof serverIn>>;
  beforeAll(async () => {
    if (lab.missing === null) {
      there = await serverIn(flags);
    }
  });
  afterAll(async () => {
    if (there !== undefined) {
      there.child.stdin!.end();
      await once(there.child, 'close');
    }
  });

  it.skipIf(lab.missing)('is listed with its process, and is not ours', () => {
    const { namespaces } = listNamespaces();
    expect(namespaces[0]!.ours).toBe(true);
    expect(namespaces[0]!.pids).toContain(process.pid);
    const found = namespaces.find((namespace) => namespace.inode === there.inode);
    expect(found).toMatchObject({ ours: false, pids: [there.child.pid] });
    expect(found!.path).toBe(`/proc/${there.child.pid}/ns/net`);
  });

  it.skipIf(lab.missing)(
    'a netlink socket made there shows its sockets to the main thread, which stays at home',
    async () => {
      const home = readlinkSync('/proc/self/ns/net');
      const fd = await netlinkSocketIn(`/proc/${there.child.pid}/ns/net`);
      expect(fd).toBeGreaterThanOrEqual(0);
      const table = dump(fd, inetRequest(LISTEN_TCP));
      closeSockDiag(fd);
      expect(table.errno).toBe(0);
      expect(listeningPorts(table)).toEqual([there.port]);
      expect(readlinkSync('/proc/self/ns/net')).toBe(home);
      expect(readlinkSync('/proc/thread-self/ns/net')).toBe(home);
    },
  );

  it.skipIf(lab.missing)('its own /proc/net is read, not ours', async () => {
    const [devices] = await inNamespace(`/proc/${there.child.pid}/ns/net`, [{ do: 'read', file: 'tcp' }]);
    const port = there.port.toString(16).toUpperCase().padStart(4, '0');
    expect(String(devices).trim().split('\n')).toHaveLength(2);
    expect(String(devices)).toContain(`00000000:${port} `);
  });

  it.skipIf(lab.missing)('one worker visits many, and one that is gone does not stop it', async () => {
    const path = `/proc/${there.child.pid}/ns/net`;
    const answers = await netlinkSocketsIn([path, '/proc/0/ns/net', '/proc/self/ns/net']);
    expect(answers[0]).toBeGreaterThanOrEqual(0);
    expect(answers[1]).toBe(-2);
    expect(answers[2]).toBeGreaterThanOrEqual(0);
    for (const fd of answers.filter((answer) => answer >= 0)) {
      libc.close(fd);
    }
  });
});

const user = needs('namespace');

describe('what is typed and what the kernel prints', () => {
  it('a pid, an inode and a name are told apart', () => {
    expect(parseTarget('812')).toEqual({ pid: 812 });
    expect(parseTarget('4026531840')).toEqual({ inode: 4026531840 });
    expect(parseTarget('net:[4026531840]')).toEqual({ inode: 4026531840 });
    expect(parseTarget('blue')).toEqual({ name: 'blue' });
  });
  it('a mounted namespace is found in mountinfo, blanks in its path included', () => {
    const text =
      '22 27 0:21 / /proc rw - proc proc rw\n61 24 0:4 net:[4026532201] /run/netns/a\\040b rw shared:3 - nsfs nsfs rw\n';
    expect(mountedNamespaces(text)).toEqual([{ inode: 4026532201, path: '/run/netns/a b' }]);
  });
  it('any text is a list, never a throw', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), (text, inode) => {
        expect(mountedNamespaces(text)).toBeInstanceOf(Array);
        expect(namespaceInode(`net:[${inode}]`)).toBe(inode);
      }),
    );
  });
  it('a namespace that does not exist is null or a named error, not another one', () => {
    expect(cannotEnter('/proc/0/ns/net', -2)).toMatchObject({ code: 'NETNS_GONE', exit: 3 });
    expect(cannotEnter('/run/netns/x', -1)).toMatchObject({ code: 'NETNS_FORBIDDEN', exit: 3 });
  });
  it.skipIf(user.missing)(
    'a namespace of another user namespace comes with the way in, ours does not',
    async () => {
      const there = await serverIn('-Urn');
      expect(cannotEnter(`/proc/${there.child.pid}/ns/net`, -1).hint).toContain(
        `nsenter --preserve-credentials -U -n -t ${there.child.pid} `,
      );
      expect(cannotEnter(`/proc/${process.pid}/ns/net`, -1).hint).toContain('root');
      expect(cannotEnter(`/proc/${process.pid}/ns/net`, -1).hint).not.toContain('nsenter');
      there.child.stdin!.end();
      await once(there.child, 'close');
    },
  );
});
