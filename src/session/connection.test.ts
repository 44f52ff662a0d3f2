import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { connectionKey, joinPairs, type Pair, plainAddress, type Tuple } from './connection.ts';
import type { Endpoint, Socket, SocketState } from './socket.ts';

let inode = 1;

function row(
  local: Endpoint,
  peer: Endpoint,
  state: SocketState = 'ESTABLISHED',
  more: Partial<Socket> = {},
): Socket {
  inode += 1;
  return {
    netns: 1,
    protocol: 'tcp',
    family: local.address.includes(':') ? 6 : 4,
    state,
    local,
    peer,
    recvQueue: 0,
    sendQueue: 0,
    uid: 0,
    inode,
    cookie: inode.toString(16).padStart(16, '0'),
    owners: [],
    ownerGap: 'not looked up',
    ...more,
  };
}

const end = (address: string, port: number): Endpoint => ({ address, port });
const listener = (address: string, port: number, more: Partial<Socket> = {}) =>
  row(end(address, port), end(address.includes(':') ? '::' : '0.0.0.0', 0), 'LISTEN', more);

function only(sockets: Socket[]): Pair {
  const { pairs } = joinPairs(sockets);
  expect(pairs).toHaveLength(1);
  return pairs[0]!;
}

const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('127.0.0.1', '::1', '10.0.0.1', 'fe80::1'));
const endpoint: fc.Arbitrary<Endpoint> = fc.record({ address, port: fc.integer({ min: 1, max: 65535 }) });
const tuple: fc.Arbitrary<Tuple> = fc.record({
  netns: fc.integer({ min: 1, max: 3 }),
  protocol: fc.constantFrom('tcp' as const, 'udp' as const),
  local: endpoint,
  peer: endpoint,
});

describe('the key of a connection', () => {
  it('is the same from both ends', () => {
    fc.assert(
      fc.property(tuple, (one) => {
        expect(connectionKey({ ...one, local: one.peer, peer: one.local })).toBe(connectionKey(one));
      }),
    );
  });

  it('differs when an endpoint, the protocol or the namespace differs', () => {
    const one: Tuple = { netns: 1, protocol: 'tcp', local: end('10.0.0.1', 1), peer: end('10.0.0.2', 2) };
    const others: Tuple[] = [
      { ...one, netns: 2 },
      { ...one, protocol: 'udp' },
      { ...one, local: end('10.0.0.1', 2), peer: end('10.0.0.2', 1) },
      { ...one, local: end('10.0.0.3', 1) },
    ];
    expect(new Set([one, ...others].map(connectionKey)).size).toBe(5);
  });

  it.each([
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['::FFFF:10.1.2.3', '10.1.2.3'],
    ['::ffff:7f00:1', '127.0.0.1'],
    ['::ffff:1', '::ffff:1'],
    ['::f', '::f'],
    ['fe80::1', 'fe80::1'],
    ['127.0.0.1', '127.0.0.1'],
  ])('takes %s for %s', (written, meant) => {
    expect(plainAddress(written)).toBe(meant);
  });
});

describe('both ends in one table', () => {
  const client = row(end('127.0.0.1', 40000), end('127.0.0.1', 80));
  const server = row(end('127.0.0.1', 80), end('127.0.0.1', 40000));

  it('become one pair, and the listening port is the server', () => {
    expect(joinPairs([server, listener('0.0.0.0', 80), client])).toMatchObject({
      pairs: [{ client, server, how: 'listen' }],
      alone: [{ state: 'LISTEN' }],
    });
  });

  it('put the client right even when the server listens above the ephemeral ports', () => {
    const high = row(end('127.0.0.1', 60000), end('127.0.0.1', 40001));
    const low = row(end('127.0.0.1', 40001), end('127.0.0.1', 60000));
    expect(only([high, low, listener('127.0.0.1', 60000)])).toEqual({
      client: low,
      server: high,
      how: 'listen',
    });
    expect(only([high, low])).toEqual({ client: high, server: low, how: 'guessed' });
  });

  it('are guessed by the higher port when both or neither listen', () => {
    expect(only([client, server])).toEqual({ client, server, how: 'guessed' });
    const both = [client, server, listener('0.0.0.0', 80), listener('127.0.0.1', 40000)];
    expect(only(both)).toEqual({ client, server, how: 'guessed' });
  });

  it('are not misled by a listener on another address, in another namespace, or for v6 only', () => {
    const decoys = [
      listener('127.0.0.2', 40000),
      listener('0.0.0.0', 40000, { netns: 2 }),
      listener('::', 40000, { v6only: true }),
    ];
    expect(only([client, server, ...decoys, listener('::', 80, { v6only: false })]).how).toBe('listen');
  });

  it('say that a SYN tells, when a handshake is caught in the act', () => {
    const sent = row(end('10.0.0.1', 700), end('10.0.0.1', 9000), 'SYN-SENT');
    const received = row(end('10.0.0.1', 9000), end('10.0.0.1', 700), 'SYN-RECV', { inode: 0 });
    expect(only([received, sent])).toEqual({ client: sent, server: received, how: 'syn' });
  });

  it('join when one speaks IPv4 and the other IPv4-mapped IPv6', () => {
    const mapped = row(end('::ffff:127.0.0.1', 80), end('::ffff:127.0.0.1', 40000));
    expect(only([client, mapped, listener('::', 80)])).toEqual({ client, server: mapped, how: 'listen' });
  });

  it('are one socket when it is connected to itself', () => {
    const self = row(end('127.0.0.1', 5555), end('127.0.0.1', 5555));
    expect(joinPairs([self])).toEqual({ pairs: [{ client: self, server: self, how: 'self' }], alone: [] });
  });

  it('prefer the row that has an inode when one end shows twice', () => {
    const leaving = row(server.local, server.peer, 'SYN-RECV', { inode: 0 });
    const { pairs, alone } = joinPairs([leaving, server, client]);
    expect(pairs).toMatchObject([{ client, server }]);
    expect(alone).toEqual([leaving]);
  });

  it('never join a UNIX or RAW socket, nor TCP with UDP', () => {
    const raw = [client, server].map((socket) => ({ ...socket, protocol: 'raw' as const }));
    expect(joinPairs(raw).pairs).toEqual([]);
    expect(joinPairs([client, { ...server, protocol: 'udp' }]).pairs).toEqual([]);
  });
});

describe('ends in two namespaces', () => {
  const here = row(end('10.0.0.1', 40000), end('10.0.0.2', 80), 'ESTABLISHED', { netns: 11 });
  const there = row(end('10.0.0.2', 80), end('10.0.0.1', 40000), 'ESTABLISHED', { netns: 12 });

  it('join over a veth pair', () => {
    expect(only([here, there, listener('0.0.0.0', 80, { netns: 12 })])).toEqual({
      client: here,
      server: there,
      how: 'listen',
    });
  });

  it('stay apart when a third namespace has the same tuple, because nobody can tell which is which', () => {
    expect(joinPairs([here, there, { ...there, netns: 13 }]).pairs).toEqual([]);
  });

  it('stay apart on loopback addresses, which never leave a namespace', () => {
    const client = row(end('127.0.0.1', 40000), end('127.0.0.1', 80), 'ESTABLISHED', { netns: 11 });
    const server = row(end('127.0.0.1', 80), end('127.0.0.1', 40000), 'ESTABLISHED', { netns: 12 });
    expect(joinPairs([client, server]).pairs).toEqual([]);
  });
});

describe('any table', () => {
  const connections = fc.uniqueArray(tuple, { selector: connectionKey, maxLength: 40 });
  const mapped = (at: Endpoint) => (at.address.includes(':') ? at : end(`::ffff:${at.address}`, at.port));

  it('is neither lost nor doubled: each socket is in exactly one pair or alone, whatever the order', () => {
    const table = fc.uniqueArray(tuple, { selector: connectionKey, maxLength: 40 }).chain((tuples) => {
      const rows = tuples.flatMap(({ local, peer, ...rest }, i) => [
        row(local, peer, 'ESTABLISHED', rest),
        ...(i % 3 === 0 ? [] : [row(peer, local, 'ESTABLISHED', rest)]),
        ...(i % 5 === 0 ? [listener(local.address, local.port, rest)] : []),
      ]);
      return fc.tuple(
        fc.constant(rows),
        fc.shuffledSubarray(rows, { minLength: rows.length, maxLength: rows.length }),
      );
    });
    const inodes = ({ pairs, alone }: ReturnType<typeof joinPairs>) => ({
      pairs: pairs.map(({ client, server, how }) => `${client.inode}>${server.inode} ${how}`).sort(),
      alone: alone.map((socket) => socket.inode).sort(),
    });
    fc.assert(
      fc.property(table, ([rows, shuffled]) => {
        const joined = joinPairs(shuffled);
        const seen = [
          ...joined.pairs.flatMap(({ client, server }) => [...new Set([client, server])]),
          ...joined.alone,
        ];
        expect(new Set(seen)).toEqual(new Set(rows));
        expect(seen).toHaveLength(rows.length);
        expect(inodes(joined)).toEqual(inodes(joinPairs(rows)));
      }),
    );
  });

  it('pairs the same ends when one side is written as IPv4-mapped IPv6', () => {
    fc.assert(
      fc.property(connections, (tuples) => {
        const distinct = tuples.filter(
          ({ local, peer }) =>
            connectionKey({ netns: 0, protocol: 'tcp', local, peer: local }) !==
            connectionKey({ netns: 0, protocol: 'tcp', local: peer, peer }),
        );
        const rows = distinct.flatMap(({ local, peer, ...rest }) => [
          row(local, peer, 'ESTABLISHED', rest),
          row(mapped(peer), mapped(local), 'ESTABLISHED', rest),
        ]);
        expect(joinPairs(rows)).toMatchObject({ pairs: { length: distinct.length }, alone: [] });
      }),
    );
  });

  it('of 100 000 sockets takes under 300 ms', () => {
    const rows: Socket[] = [listener('0.0.0.0', 8080)];
    for (let i = 0; i < 50_000; i += 1) {
      const client = end(`127.0.${1 + (i >> 14)}.1`, 20_000 + (i & 16383));
      const server = end('127.0.0.1', 8080);
      rows.push(row(client, server), row(server, client));
    }
    // CPU time, best of five: the claim is about the work, not about what else this machine does meanwhile.
    const times = [1, 2, 3, 4, 5].map(() => {
      const start = process.cpuUsage();
      expect(joinPairs(rows).pairs).toHaveLength(50_000);
      const { user, system } = process.cpuUsage(start);
      return (user + system) / 1000;
    });
    expect(Math.min(...times)).toBeLessThan(300);
  });
});
