import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Socket } from '../session/socket.ts';
import { growingTable, plainTable } from './plain-table.ts';
import { csvHeading, csvLine } from './records.ts';
import { ownersText, socketRows } from './socket-rows.ts';

const base: Socket = {
  netns: 0,
  protocol: 'tcp',
  family: 4,
  state: 'ESTABLISHED',
  local: { address: '127.0.0.1', port: 80 },
  peer: { address: '10.0.0.1', port: 50000 },
  recvQueue: 0,
  sendQueue: 0,
  uid: 0,
  inode: 1,
  cookie: '1',
  owners: [],
  ownerGap: 'none',
};

const anySocket: fc.Arbitrary<Socket> = fc
  .record({
    protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'unix' as const),
    port: fc.integer({ min: 1, max: 65535 }),
    address: fc.oneof(fc.constantFrom('1.2.3.4', '0.0.0.0'), fc.string({ maxLength: 108, unit: 'grapheme' })),
    queue: fc.nat(),
    listening: fc.boolean(),
  })
  .map(({ protocol, port, address, queue, listening }) => ({
    ...base,
    protocol,
    family: protocol === 'unix' ? 0 : 4,
    local: { address: address.replaceAll('\n', ' '), port },
    recvQueue: queue,
    ...(listening ? { state: 'LISTEN' as const, accept: { used: queue, limit: 128 } } : {}),
  }));

function lines(sockets: Socket[], header = true): string[] {
  const bytes = plainTable(socketRows(sockets), {
    header,
    owner: (_, i) => ownersText(sockets[i]!.owners, sockets[i]!.ownerGap ?? 'none'),
    paintState: (state) => state,
  });
  return Buffer.concat(bytes).toString().split('\n').slice(0, -1);
}

describe('the plain table', () => {
  it('every row is one line and every cell is there, whatever is in it', () => {
    fc.assert(
      fc.property(fc.array(anySocket, { maxLength: 30 }), (sockets) => {
        const text = lines(sockets);
        expect(text.length).toBe(sockets.length + 1);
        for (const [i, socket] of sockets.entries()) {
          expect(text[i + 1]).toContain(String(socket.local.port));
          expect(text[i + 1]!.endsWith('(no process)')).toBe(true);
        }
      }),
    );
  });
  it('columns are aligned', () => {
    const wide = {
      ...base,
      local: { address: '2001:db8:1111:2222:3333:4444:5555:6666', port: 443 },
      family: 6 as const,
    };
    const [heading, first, second] = lines([base, wide]);
    const peer = heading!.indexOf('PEER');
    expect(first!.slice(peer).startsWith('10.0.0.1')).toBe(true);
    expect(second!.slice(peer).startsWith('[10.0.0.1')).toBe(true);
  });
  it('a listener shows its accept queue as used and limit', () => {
    expect(lines([{ ...base, state: 'LISTEN', accept: { used: 3, limit: 128 } }])[1]).toContain(
      'accept 3/128',
    );
  });
  it('a big table with one wide address is still aligned', () => {
    const many = Array.from({ length: 6000 }, () => base);
    many.push({
      ...base,
      family: 6,
      local: { address: '2001:db8:1111:2222:3333:4444:5555:6666', port: 443 },
    });
    const text = lines(many);
    expect(text.length).toBe(6002);
    expect(text[1]!.indexOf('10.0.0.1')).toBe(text[6001]!.indexOf('[10.0.0.1'));
  });
});

describe('a growing table', () => {
  it('says in the end what the plain one says, however its rows arrived', () => {
    fc.assert(
      fc.property(fc.array(anySocket, { maxLength: 40 }), fc.nat(40), (sockets, cut) => {
        const options = { header: true, owner: null, paintState: (state: string) => state };
        const seen: Socket[] = sockets.slice(0, cut);
        const growing = growingTable(socketRows(seen), options);
        growing.grow();
        seen.push(...sockets.slice(cut));
        growing.grow();
        const text = Buffer.concat(growing.finish()).toString();
        expect(text).toBe(Buffer.concat(plainTable(socketRows(sockets), options)).toString());
      }),
    );
  });
});

describe('CSV', () => {
  it('as many cells as the heading, also when a name holds commas, quotes and newlines', () => {
    const row = csvLine({ ...base, family: 0, protocol: 'unix', local: { address: 'a,"b"\nc', port: 1 } });
    expect(row).toContain('"a,""b""\nc"');
    expect(csvHeading().split(',').length).toBe(13);
  });
});
