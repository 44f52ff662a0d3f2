import { closeSync, existsSync, lstatSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  accepting,
  bytes,
  Ear,
  LOOPBACK,
  ok,
  openDescriptors,
  pair,
  say,
  until,
} from '../../test/epoll-peers.ts';
import { needs } from '../../test/needs.ts';
import { bindSocket, encodeAddress, openSocket, SOCK_STREAM } from '../kernel/stream-sockets.ts';
import { createEpollReactor, type EpollReactor } from './epoll.ts';
import type { Stream } from './reactor.ts';

const isOurs = needs('linux').missing === null;
const RLIMIT_NOFILE = 7;

let reactor: EpollReactor;
let descriptors: number;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'epoll-'));
  descriptors = openDescriptors();
  reactor = ok(createEpollReactor());
});

afterEach(() => {
  reactor.close();
  expect(openDescriptors()).toBe(descriptors);
  rmSync(folder, { recursive: true });
});

const nobody = accepting(() => null);

/** Runs with a soft limit of descriptors so low that a hundred more are too many. */
function withFewDescriptors(run: (fillUp: () => number[]) => void): void {
  const library = koffi.load(null);
  const getrlimit = library.func('int getrlimit(int, void*)');
  const setrlimit = library.func('int setrlimit(int, void*)');
  const before = new BigUint64Array(2);
  expect(getrlimit(RLIMIT_NOFILE, before)).toBe(0);
  const highest = openSync('/dev/null', 'r');
  closeSync(highest);
  expect(setrlimit(RLIMIT_NOFILE, new BigUint64Array([BigInt(highest + 100), before[1]!]))).toBe(0);
  const fillers: number[] = [];
  try {
    run(() => {
      for (;;) {
        try {
          fillers.push(openSync('/dev/null', 'r'));
        } catch {
          return fillers;
        }
      }
    });
  } finally {
    for (const fd of fillers) {
      closeSync(fd);
    }
    setrlimit(RLIMIT_NOFILE, before);
  }
}

class Door {
  streams: Stream[] = [];
  said: string[] = [];

  accepted(stream: Stream): Ear {
    this.streams.push(stream);
    return new Ear();
  }

  paused(errno: number): void {
    this.said.push(`paused ${errno}`);
  }

  resumed(): void {
    this.said.push('resumed');
  }
}

describe.skipIf(!isOurs)('listeners', () => {
  it('an address that is taken is EADDRINUSE; reusePort shares it', () => {
    const first = ok(reactor.listen(LOOPBACK, { reusePort: true }, nobody));
    expect(reactor.listen(first.address, {}, nobody)).toBe(-98);
    expect(ok(reactor.listen(first.address, { reusePort: true }, nobody)).address).toEqual(first.address);
  });

  it('what cannot be listened on is a number, and no descriptor stays open', () => {
    const before = openDescriptors();
    expect(reactor.listen({ kind: 'udp', host: '127.0.0.1', port: 0 }, {}, nobody)).toBe(-22);
    expect(reactor.listen({ kind: 'tcp', host: '203.0.113.9', port: 0 }, {}, nobody)).toBe(-99);
    expect(reactor.listen(LOOPBACK, { wishes: { nonsense: 1 } }, nobody)).toBe(-92);
    expect(reactor.listen(LOOPBACK, { streamWishes: { nonsense: 1 } }, nobody)).toBe(-92);
    expect(reactor.listen({ kind: 'unix', path: `/${'x'.repeat(108)}` }, {}, nobody)).toBe(-36);
    expect(reactor.listen({ kind: 'unix', path: join(folder, 'no', 's') }, {}, nobody)).toBe(-2);
    expect(openDescriptors()).toBe(before);
  });

  it('a crowd larger than one turn takes is accepted to the last one', () => {
    const door = new Door();
    const listener = ok(reactor.listen(LOOPBACK, {}, door));
    const ears = Array.from({ length: 200 }, () => new Ear());
    for (const ear of ears) {
      reactor.connect(listener.address, {}, ear);
    }
    until(reactor, () => door.streams.length === 200 && ears.every((ear) => ear.result === 0));
  });

  it('accepted streams have the wished options, inherited or not', () => {
    const wishes = {
      nodelay: 1,
      keepalive: 1,
      keepidle: 77,
      oobinline: 1,
      rcvbuf: 20000,
      quickack: 0,
      tos: 16,
    };
    for (const host of ['127.0.0.1', '::1']) {
      for (let round = 0; round < 2; round++) {
        const { server } = pair(
          reactor,
          { kind: 'tcp', host, port: 0 },
          { streamWishes: wishes, wishes: { rcvbuf: 40000 } },
        );
        expect(server.get('nodelay')).toBe(1);
        expect(server.get('keepalive')).toBe(1);
        expect(server.get('keepidle')).toBe(77);
        expect(server.get('oobinline')).toBe(1);
        expect(server.get('rcvbuf')).toBe(40000);
        expect(server.get('tos')).toBe(16);
      }
    }
  });

  it('wishes for TCP do no harm to a UNIX socket', () => {
    const { server } = pair(
      reactor,
      { kind: 'unix', path: join(folder, 's') },
      { streamWishes: { nodelay: 1, sndbuf: 30000 } },
    );
    expect(server.get('sndbuf')).toBe(60000);
  });

  it('without a descriptor it rests, says so once, does not spin, and goes on when one of ours is closed', () => {
    const door = new Door();
    const listener = ok(reactor.listen(LOOPBACK, {}, door));
    const first = new Ear();
    const client = ok(reactor.connect(listener.address, {}, first));
    until(reactor, () => door.streams.length === 1 && first.result === 0);
    withFewDescriptors((fillUp) => {
      const fillers = fillUp();
      closeSync(fillers.pop()!);
      const second = new Ear();
      ok(reactor.connect(listener.address, {}, second));
      until(reactor, () => door.said.length > 0);
      let events = 0;
      const end = Date.now() + 250;
      while (Date.now() < end) {
        events += reactor.turn(50);
      }
      expect(events).toBeLessThan(5);
      expect(door.said).toEqual(['paused -24']);
      client.close();
      reactor.turn(0);
      reactor.turn(0);
      expect(door.streams.length).toBe(2);
      expect(door.said).toEqual(['paused -24', 'resumed']);
    });
  });

  it('it also goes on when somebody else closed a descriptor', () => {
    const door = new Door();
    const listener = ok(reactor.listen(LOOPBACK, {}, door));
    withFewDescriptors((fillUp) => {
      const fillers = fillUp();
      closeSync(fillers.pop()!);
      ok(reactor.connect(listener.address, {}, new Ear()));
      until(reactor, () => door.said.length > 0);
      closeSync(fillers.pop()!);
      until(reactor, () => door.streams.length === 1);
      expect(door.said).toEqual(['paused -24', 'resumed']);
    });
  });

  it('the last descriptor may be taken without a pause when nobody waits behind', () => {
    const door = new Door();
    const listener = ok(reactor.listen(LOOPBACK, {}, door));
    withFewDescriptors((fillUp) => {
      const fillers = fillUp();
      closeSync(fillers.pop()!);
      closeSync(fillers.pop()!);
      ok(reactor.connect(listener.address, {}, new Ear()));
      until(reactor, () => door.streams.length === 1);
      expect(openSyncFails()).toBe(true);
      expect(door.said).toEqual([]);
    });
  });
});

function openSyncFails(): boolean {
  try {
    closeSync(openSync('/dev/null', 'r'));
    return false;
  } catch {
    return true;
  }
}

describe.skipIf(!isOurs)('silence', () => {
  it('a SYN is not answered while it lasts; what stood before goes on; afterwards the next SYN is answered', () => {
    const before = pair(reactor);
    expect(before.listener.silence(true)).toBe(0);
    const ear = new Ear();
    ok(reactor.connect(before.listener.address, {}, ear));
    say(before.client, 'still here');
    const end = reactor.now() + 400e6;
    until(reactor, () => reactor.now() > end);
    expect(ear.result).toBe(null);
    expect(before.serverEar.heard).toEqual(['still here']);
    expect(before.listener.silence(false)).toBe(0);
    until(reactor, () => ear.result !== null);
    expect(ear.result).toBe(0);
  });

  it('connections that wait to be accepted hear and are heard', () => {
    const door = new Door();
    const listener = ok(reactor.listen(LOOPBACK, {}, door));
    const other = ok(createEpollReactor());
    const ear = new Ear();
    const client = ok(other.connect(listener.address, {}, ear));
    until(other, () => ear.result === 0);
    expect(listener.silence(true)).toBe(0);
    until(reactor, () => door.streams.length === 1);
    say(client, 'late');
    const into = new Uint8Array(8);
    until(reactor, () => door.streams[0]!.read(into, 0, 8) === 4);
    door.streams[0]!.write(bytes('so what'), 0, 7);
    until(other, () => ear.heard.length > 0);
    expect(ear.heard).toEqual(['so what']);
    other.close();
  });

  it('a UNIX listener cannot be silent', () => {
    const listener = ok(reactor.listen({ kind: 'unix', path: join(folder, 's') }, {}, nobody));
    expect(listener.silence(true)).toBe(-95);
  });
});

describe.skipIf(!isOurs)('UNIX paths', () => {
  it('the file has the wished mode, and is gone after close', () => {
    const path = join(folder, 's');
    const listener = ok(reactor.listen({ kind: 'unix', path }, { mode: 0o600 }, nobody));
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(lstatSync(path).isSocket()).toBe(true);
    listener.close();
    expect(existsSync(path)).toBe(false);
  });

  it('a name that a dead process left is taken over; one that is listened on is not', () => {
    const path = join(folder, 's');
    const address = { kind: 'unix', path } as const;
    const first = ok(reactor.listen(address, {}, nobody));
    expect(reactor.listen(address, {}, nobody)).toBe(-98);
    // A socket without a listener, as a crash leaves it: bound, and closed without unlink.
    first.close();
    const crashed = createCrashed(path);
    expect(existsSync(path)).toBe(true);
    expect(crashed).toBe(0);
    ok(reactor.listen(address, {}, nobody));
  });

  it('a regular file is never taken for a stale socket', () => {
    const path = join(folder, 'data');
    writeFileSync(path, 'precious');
    expect(reactor.listen({ kind: 'unix', path }, {}, nobody)).toBe(-98);
    expect(lstatSync(path).size).toBe(8);
  });

  it('close leaves a file alone that somebody else put in its place', () => {
    const path = join(folder, 's');
    const listener = ok(reactor.listen({ kind: 'unix', path }, {}, nobody));
    rmSync(path);
    writeFileSync(path, 'theirs');
    listener.close();
    expect(lstatSync(path).size).toBe(6);
  });
});

function createCrashed(path: string): number {
  const raw = ok(encodeAddress({ kind: 'unix', path }));
  const fd = openSocket(raw.family, SOCK_STREAM);
  const result = bindSocket(fd, raw);
  closeSync(fd);
  return result;
}
