/** For tests: random filters as text, and random rows that they have a fair chance to select. */
import fc from 'fast-check';
import { type Socket, TCP_STATES } from '../../../session/socket.ts';

export interface Pool {
  ports: number[];
  four: string[];
  six: string[];
  devices: string[];
  cgroups: string[];
}

/** `owners`: also words that only the finished row can answer. */
export function filterText(pool: Pool, owners: boolean): fc.Arbitrary<string> {
  const one = (words: readonly string[]) => fc.constantFrom(...words);
  const port = fc.constantFrom(...pool.ports, ...pool.ports.map((p) => p + 1), 0, 1, 1024, 32768, 65535);
  const address = fc.oneof(
    one(pool.four),
    one(pool.six).map((text) => `[${text}]`),
    fc.tuple(one(pool.four), fc.integer({ min: 0, max: 32 })).map(([text, bits]) => `${text}/${bits}`),
    fc.tuple(one(pool.six), fc.integer({ min: 0, max: 128 })).map(([text, bits]) => `[${text}/${bits}]`),
    fc.constant('*'),
  );
  const host = fc.oneof(
    address,
    fc.tuple(address, port).map(([a, p]) => `${a}:${p}`),
    port.map((p) => `:${p}`),
    fc.tuple(one(['inet:*', 'inet6:*']), port).map(([a, p]) => `${a}:${p}`),
  );
  const state = one([
    'established',
    'listening',
    'time-wait',
    'close-wait',
    'fin-wait-2',
    'closed',
    'connected',
    'big',
    'all',
  ]);
  const ours = [
    port.map((p) => `:${p}`),
    fc.tuple(port, port).map(([a, b]) => `:${Math.min(a, b)}-${Math.max(a, b)}`),
    address.filter((text) => /[.:/*]/.test(text)),
    fc.tuple(one(pool.four), port).map(([a, p]) => `${a}:${p}`),
    one(['tcp', 'udp', '-i4', '-i6', '-iTCP', '-iTCP -sTCP:LISTEN', '-i -sTCP:^ESTABLISHED']),
  ];
  const predicate = fc.oneof(
    fc
      .tuple(one(['sport', 'dport']), one(['=', '!=', '<', '<=', '>', '>=', 'gt', 'neq', '']), port)
      .map(([a, o, p]) => `${a} ${o} :${p}`),
    fc.tuple(one(['src', 'dst']), one(['=', '!=', '']), host).map(([a, o, h]) => `${a} ${o} ${h}`),
    fc.tuple(one(['=', '!=']), one([...pool.devices, '0'])).map(([o, d]) => `dev ${o} ${d}`),
    fc.tuple(one(['=', '!=']), one(pool.cgroups)).map(([o, c]) => `cgroup ${o} ${c}`),
    fc.tuple(one(['=', '!=']), one(['0', '1', '7', '0x01/0x03', '0/1'])).map(([o, m]) => `fwmark ${o} ${m}`),
    fc.tuple(one(['state', 'exclude']), state).map((words) => words.join(' ')),
    ...ours,
    ...(owners ? [one(['node', 'pid:7', 'user:0', 'program:nginx', '/run/*'])] : []),
  );
  const { filter } = fc.letrec<{ filter: string }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 4, depthSize: 'medium' },
      predicate,
      fc
        .tuple(tie('filter'), one(['and', 'or', '', '&&', '|']), tie('filter'))
        .map((parts) => `( ${parts.join(' ')} )`),
      tie('filter').map((text) => `not ( ${text} )`),
      fc
        .tuple(predicate, one(['and', 'or', '']), predicate, one(['and', 'or', '']), predicate)
        .map((parts) => parts.join(' ')),
    ),
  }));
  return filter;
}

export function socket(pool: Pool): fc.Arbitrary<Socket> {
  return fc.constantFrom(4 as const, 6 as const).chain((family) => {
    const address =
      family === 4
        ? fc.constantFrom(...pool.four)
        : fc.constantFrom(...pool.six, ...pool.four.map((text) => `::ffff:${text}`));
    const end = fc.record({ address, port: fc.constantFrom(...pool.ports, 0, 1024, 65535) });
    return fc
      .record({
        protocol: fc.constantFrom('tcp' as const, 'udp' as const),
        state: fc.constantFrom(...TCP_STATES),
        local: end,
        peer: end,
        device: fc.constantFrom('', ...pool.devices),
        mark: fc.nat(8),
        cgroup: fc.constantFrom('', ...pool.cgroups),
        uid: fc.nat(2),
        owner: fc.constantFrom('', 'node', 'nginx'),
      })
      .map(({ device, cgroup, owner, ...rest }) => ({
        ...rest,
        ...(device === '' ? {} : { device }),
        ...(cgroup === '' ? {} : { cgroup }),
        netns: 0,
        family,
        recvQueue: 0,
        sendQueue: 0,
        inode: 1,
        cookie: '0',
        owners: owner === '' ? [] : [{ pid: 7, fd: 3, name: owner }],
      }));
  });
}
