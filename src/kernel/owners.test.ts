import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { scanOwners } from './owners.ts';
import { processInfo } from './proc.ts';
import { parsePasswd, userName } from './users.ts';

const linux = needs('linux');

/** Listens, says its descriptor and inode, and starts a child that inherits the socket. */
const HOLDER = `
const fs = require('node:fs'), net = require('node:net'), { spawn } = require('node:child_process');
process.title = process.argv[1];
const server = net.createServer().listen(0, '127.0.0.1', () => {
  const fd = server._handle.fd;
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume().on("end", () => process.exit()); console.log("up")'],
    { stdio: ['pipe', 'pipe', 'inherit', fd] });
  child.stdout.once('data', () => {
    const inode = Number(/\\d+/.exec(fs.readlinkSync('/proc/self/fd/' + fd))[0]);
    console.log(JSON.stringify({ fd, inode, child: child.pid }));
  });
});
process.stdin.resume().on('end', () => process.exit());
`;

interface Held {
  holder: ChildProcess;
  fd: number;
  inode: number;
  child: number;
}

async function hold(title: string): Promise<Held> {
  const holder = spawn(process.execPath, ['-e', HOLDER, title], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(holder.stdout!, 'data');
  return { holder, ...JSON.parse(String(line)) };
}

describe.skipIf(linux.missing)('who holds a socket', () => {
  const running: ChildProcess[] = [];
  afterEach(async () => {
    for (const holder of running.splice(0)) {
      const ended = once(holder, 'exit');
      holder.stdin?.end();
      await ended;
    }
  });
  const start = async (title = 'holder'): Promise<Held> => {
    const held = await hold(title);
    running.push(held.holder);
    return held;
  };

  it('is every process that has it, the one that inherited it too', async () => {
    const { holder, fd, inode, child } = await start();
    const owners = scanOwners().ownersOf(inode);
    expect(owners.map(({ pid, fd }) => ({ pid, fd })).sort((a, b) => a.pid - b.pid)).toEqual(
      [
        { pid: holder.pid, fd },
        { pid: child, fd: 3 },
      ].sort((a, b) => a.pid! - b.pid!),
    );
    expect(owners.find(({ pid }) => pid === holder.pid)?.name).toBe('holder');
  });

  it('is looked up for the wanted sockets only, and can stop at the first holder', async () => {
    const one = await start();
    const other = await start();
    const all = scanOwners({ wanted: new Set([one.inode]) });
    expect(all.ownersOf(one.inode)).toHaveLength(2);
    expect(all.ownersOf(other.inode)).toEqual([]);
    const first = scanOwners({ wanted: new Set([one.inode]), firstOnly: true });
    expect(first.ownersOf(one.inode)).toHaveLength(1);
    expect(scanOwners({ wanted: new Set() }).looked).toBe(true);
  });

  it('is not looked up at all when the machine has more descriptors than the budget', () => {
    const scan = scanOwners({ budget: 3 });
    expect(scan.looked).toBe(false);
    expect(scan.descriptors).toBeGreaterThan(3);
    expect(scan.ownersOf(1)).toEqual([]);
  });

  it('is told with its hostile name: made safe to print for a row, unharmed in the story of its process', async () => {
    const name = 'a) R 1\n\\(b';
    const { holder, inode } = await start(name);
    expect(
      scanOwners()
        .ownersOf(inode)
        .find(({ pid }) => pid === holder.pid)?.name,
    ).toBe('a) R 1\ufffd\\(b');
    const info = processInfo(holder.pid!);
    expect(info).toMatchObject({
      pid: holder.pid,
      ppid: process.pid,
      name,
      cwd: process.cwd(),
      exe: fs.realpathSync(process.execPath),
      uid: process.getuid?.(),
      notVisible: null,
    });
    expect(info?.parents[0]?.pid).toBe(process.pid);
    expect(info?.netns).toBe(fs.statSync('/proc/self/ns/net').ino);
    expect(Math.abs(Date.now() - info!.startedAt!)).toBeLessThan(60_000);
  });

  it('that ended is null, not an error', async () => {
    const { holder } = await start();
    const pid = holder.pid!;
    const ended = once(holder, 'exit');
    holder.stdin?.end();
    await ended;
    running.length = 0;
    expect(processInfo(pid)).toBeNull();
  });
});

describe('user names', () => {
  it('come from passwd, the first of a number winning; broken lines are passed over', () => {
    const text =
      'root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nbroken\n:x:7:\nno:x:abc:\nweb:x:33:33:::\n';
    expect([...parsePasswd(text)]).toEqual([
      [0, 'root'],
      [33, 'web'],
    ]);
  });

  it('are the number where there is no name', () => {
    expect(userName(4_000_000_001)).toBe('4000000001');
  });
});
