/** dig and dnsmasq beside tshark, over UDP and TCP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Played, played, sceneNeeds } from './played.ts';
import { type ReadCapture, readCapture, type Told } from './read.ts';
import { noteDifferences, sameConversations, samePackets } from './same-packets.ts';
import { tshark } from './tshark.ts';

const missing = sceneNeeds('dig', 'dnsmasq');
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
const TYPES: Readonly<Record<number, string>> = {
  ...{ 1: 'A', 5: 'CNAME', 12: 'PTR', 15: 'MX', 16: 'TXT', 28: 'AAAA', 33: 'SRV', 35: 'NAPTR', 41: 'OPT' },
  ...{ 255: 'ANY', 257: 'CAA' },
};

const dns = ({ messages }: ReadCapture): Told[] => messages.filter(({ protocol }) => protocol === 'dns');

describe.skipIf(missing !== null)('DNS beside tshark', () => {
  let scene: Played;
  let ours: ReadCapture;
  beforeAll(async () => {
    scene = await played('dns');
    ours = readCapture(scene.file);
  });
  afterAll(() => scene?.forget());

  it('packets and conversations are the same', async () => {
    await samePackets(scene.file, ours);
    expect(await sameConversations(scene.file, ours)).toBeGreaterThan(15);
    expect((await noteDifferences(scene.file, ours)).differences).toEqual([]);
    expect(ours.troubles).toEqual([]);
  });

  it('questions, codes, flags and times are the same', async () => {
    const names = [
      ...([
        'frame.number',
        'dns.id',
        'dns.flags.response',
        'dns.qry.name',
        'dns.qry.type',
        'dns.qry.class',
      ] as const),
      ...([
        'dns.flags.rcode',
        'dns.flags.truncated',
        'dns.flags.authoritative',
        'dns.flags.recavail',
      ] as const),
      ...(['dns.flags.recdesired', 'dns.flags.authenticated', 'dns.flags.checkdisable', 'dns.time'] as const),
    ];
    const rows = await tshark(scene.file, names, { filter: 'dns' });
    expect(rows.length).toBeGreaterThan(70);
    const theirs = rows.map((row) => {
      const reply = row['dns.flags.response'][0] === '1';
      const bits: [string, string | undefined][] = [
        ['aa', row['dns.flags.authoritative'][0]],
        ['tc', row['dns.flags.truncated'][0]],
        ['rd', row['dns.flags.recdesired'][0]],
        ['ra', row['dns.flags.recavail'][0]],
        ['ad', row['dns.flags.authenticated'][0]],
        ['cd', row['dns.flags.checkdisable'][0]],
      ];
      return {
        frame: Number(row['frame.number'][0]),
        kind: reply ? 'reply' : 'request',
        id: Number(row['dns.id'][0]),
        question: row['dns.qry.name'][0],
        type: TYPES[Number(row['dns.qry.type'][0])],
        class: Number(row['dns.qry.class'][0]) === 3 ? 'CH' : 'IN',
        rcode: reply ? RCODES[Number(row['dns.flags.rcode'][0])] : undefined,
        flags: bits.filter(([, bit]) => bit === '1').map(([name]) => name),
        latency: reply ? Math.round(Number(row['dns.time'][0]) * 1e9) : -1,
      };
    });
    expect(
      dns(ours).map(({ frame, kind, fields, latency }) => ({
        frame,
        kind,
        id: fields.id,
        question: fields.question,
        type: fields.type,
        class: fields.class,
        rcode: fields.rcode,
        flags: fields.flags,
        latency,
      })),
    ).toEqual(theirs);
  });

  it('records: names, types, lifetimes and what they say', async () => {
    const data = [
      ...(['dns.a', 'dns.aaaa', 'dns.cname', 'dns.txt', 'dns.ptr.domain_name'] as const),
      ...(['dns.mx.mail_exchange', 'dns.srv.target', 'dns.srv.port', 'dns.mx.preference'] as const),
    ];
    const names = ['frame.number', 'dns.resp.name', 'dns.resp.type', 'dns.resp.ttl', ...data] as const;
    const rows = await tshark(scene.file, [...names, 'dns.count.answers'], {
      filter: 'dns.flags.response == 1',
    });
    const replies = dns(ours).filter(({ kind }) => kind === 'reply');
    let records = 0;
    for (const [i, row] of rows.entries()) {
      const { fields } = replies[i]!;
      const answers = Number(row['dns.count.answers'][0]);
      const types = row['dns.resp.type'].map((type) => TYPES[Number(type)]!);
      const mine = [...(fields.answers as string[]), ...((fields.additional ?? []) as string[])];
      const named = [...row['dns.resp.name']];
      // tshark keeps the owner of SRV in a field of its own.
      const owners = types.map((type) => (type === 'SRV' ? String(fields.question) : named.shift()!));
      expect(mine.length).toBe(types.filter((type) => type !== 'OPT').length);
      for (const [j, text] of mine.entries()) {
        // The owner is left out where it is the name that was asked for.
        const owner = owners[j]!;
        expect(text).toMatch(
          owner === fields.question ? new RegExp(`^(?:CH )?${types[j]} `) : `${owner} ${types[j]} `,
        );
        records++;
      }
      const whole = mine.join(' ');
      for (const name of data) {
        for (const said of row[name]) {
          expect(whole).toContain(said);
        }
      }
      const ttls = row['dns.resp.ttl'].slice(0, answers).map(Number);
      expect(fields['ttl.min']).toBe(answers === 0 ? undefined : Math.min(...ttls));
    }
    expect(records).toBeGreaterThan(150);
  });
});
