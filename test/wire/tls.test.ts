/** TLS of OpenSSL's client and server beside tshark. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Played, played, sceneNeeds } from './played.ts';
import { type ReadCapture, readCapture, type Told } from './read.ts';
import { noteDifferences, sameConversations, samePackets } from './same-packets.ts';
import { tshark, tsharkNames } from './tshark.ts';

const missing = sceneNeeds('openssl');
const options = [4431, 4432, 4433, 4434].flatMap((port) => ['-d', `tcp.port==${port},tls`]);
const VERSIONS: Readonly<Record<number, string>> = {
  ...{ 769: 'TLS 1.0', 770: 'TLS 1.1', 771: 'TLS 1.2', 772: 'TLS 1.3' },
};
const HANDSHAKES: Readonly<Record<number, string>> = {
  ...{
    1: 'ClientHello',
    2: 'ServerHello',
    4: 'NewSessionTicket',
    11: 'Certificate',
    12: 'ServerKeyExchange',
  },
  ...{ 13: 'CertificateRequest', 14: 'ServerHelloDone', 15: 'CertificateVerify', 16: 'ClientKeyExchange' },
};

describe.skipIf(missing !== null)('TLS beside tshark', () => {
  let scene: Played;
  let ours: ReadCapture;
  beforeAll(async () => {
    scene = await played('tls');
    ours = readCapture(scene.file);
  });
  afterAll(() => scene?.forget());
  const named = (...names: string[]): Told[] => ours.messages.filter(({ name }) => names.includes(name));
  const list = (value: unknown): string[] =>
    value === undefined ? [] : Array.isArray(value) ? value.map(String) : [String(value)];

  it('packets and conversations are the same', async () => {
    await samePackets(scene.file, ours);
    expect(await sameConversations(scene.file, ours)).toBeGreaterThan(15);
    expect((await noteDifferences(scene.file, ours)).differences).toEqual([]);
    expect(ours.troubles).toEqual([]);
  });

  it('handshake messages in the clear: the packet and the kind', async () => {
    const names = ['frame.number', 'tls.handshake.type'] as const;
    const rows = await tshark(scene.file, names, { filter: 'tls.handshake.type', options });
    const theirs = rows.flatMap((row) =>
      row['tls.handshake.type'].map((type) => `${row['frame.number'][0]} ${HANDSHAKES[Number(type)]}`),
    );
    expect(theirs.length).toBeGreaterThan(60);
    // RFC 8446 section 4.1.4: it is a ServerHello with a random of its own.
    const own = (name: string): string => (name === 'HelloRetryRequest' ? 'ServerHello' : name);
    expect(
      ours.messages.flatMap(({ name, frame }) =>
        Object.values(HANDSHAKES).includes(own(name)) ? [`${frame} ${own(name)}`] : [],
      ),
    ).toEqual(theirs);
  });

  it('hellos: names, protocols, versions, suites, randoms', async () => {
    const suites = await tsharkNames('tls.handshake.ciphersuite');
    const names = [
      ...(['frame.number', 'tls.handshake.type', 'tls.handshake.extensions_server_name'] as const),
      ...(['tls.handshake.extensions_alpn_str', 'tls.handshake.extensions.supported_version'] as const),
      ...(['tls.handshake.version', 'tls.handshake.ciphersuite', 'tls.handshake.random'] as const),
      ...(['tls.handshake.session_id', 'tls.handshake.extensions_supported_group'] as const),
    ];
    const rows = await tshark(scene.file, names, {
      filter: 'tls.handshake.type == 1 or tls.handshake.type == 2',
      options,
    });
    const hellos = named('ClientHello', 'ServerHello', 'HelloRetryRequest');
    expect(rows.length).toBeGreaterThan(30);
    const unnamed = new Set<string>();
    for (const [i, row] of rows.entries()) {
      const { frame, name, fields } = hellos[i]!;
      const spoken = row['tls.handshake.extensions.supported_version'].map((hex) => VERSIONS[Number(hex)]);
      const legacy = VERSIONS[Number(row['tls.handshake.version'][0])];
      const chosen = row['tls.handshake.ciphersuite'].map((hex) => suites.get(Number(hex)));
      const mine = list(fields.ciphers ?? fields.cipher);
      for (const [j, suite] of mine.entries()) {
        if (suite.startsWith('0x')) {
          unnamed.add(chosen[j]!);
        } else {
          expect(suite).toBe(chosen[j]);
        }
      }
      expect(mine.length).toBe(chosen.length);
      expect({
        frame,
        sni: list(fields.sni),
        alpn: list(fields.alpn),
        version: fields.version,
        legacy: fields['version.legacy'],
        versions: list(fields.versions),
        random: fields.random,
        session: fields.session,
      }).toEqual({
        frame: Number(row['frame.number'][0]),
        sni: row['tls.handshake.extensions_server_name'],
        alpn: row['tls.handshake.extensions_alpn_str'],
        version: spoken[0] ?? legacy,
        legacy,
        versions: name === 'ClientHello' ? spoken : [],
        random: row['tls.handshake.random'][0]!.replaceAll(':', ''),
        session: (row['tls.handshake.session_id'][0] ?? '').replaceAll(':', ''),
      });
    }
    // Suites that no program of today takes are written as numbers.
    expect([...unnamed].every((name) => /DSS|anon/.test(name))).toBe(true);
  });

  it('alerts: the packet, the level and what for', async () => {
    const texts = await tsharkNames('tls.alert_message.desc');
    const names = ['frame.number', 'tls.alert_message.level', 'tls.alert_message.desc'] as const;
    const rows = await tshark(scene.file, names, { filter: 'tls.alert_message.desc', options });
    expect(rows.length).toBeGreaterThan(3);
    expect(
      named('Alert')
        .filter(({ fields }) => fields.encrypted !== true)
        .map(({ frame, fields }) => [frame, fields.level, String(fields.alert).replaceAll('_', ' ')]),
    ).toEqual(
      rows.map((row) => [
        Number(row['frame.number'][0]),
        row['tls.alert_message.level'][0] === '2' ? 'fatal' : 'warning',
        texts.get(Number(row['tls.alert_message.desc'][0]))!.toLowerCase(),
      ]),
    );
  });

  it('certificates: subject, names, serial number, times', async () => {
    const names = [
      ...([
        'frame.number',
        'x509sat.uTF8String',
        'x509sat.CountryName',
        'x509ce.dNSName',
        'x509ce.IPAddress.ipv4',
      ] as const),
      ...(['x509af.serialNumber', 'x509af.utcTime', 'tls.handshake.certificate'] as const),
    ];
    const rows = await tshark(scene.file, names, { filter: 'tls.handshake.certificate', options });
    const mine = named('Certificate').filter(({ fields }) => fields['certificate.subject'] !== undefined);
    expect(mine.length).toBe(rows.length);
    expect(rows.length).toBeGreaterThan(4);
    for (const [i, row] of rows.entries()) {
      const { frame, fields } = mine[i]!;
      const time = (text: unknown): string => String(text).replace('T', ' ').replace('Z', ' (UTC)');
      const [organisation, name] = row['x509sat.uTF8String'];
      expect({
        frame,
        subject: fields['certificate.subject'],
        names: fields['certificate.names'],
        serial: String(fields['certificate.serial']),
        times: [time(fields['certificate.not_before']), time(fields['certificate.not_after'])],
      }).toEqual({
        frame: Number(row['frame.number'][0]),
        subject: `C=${row['x509sat.CountryName'][0]}, O=${organisation}, CN=${name}`,
        names: [...row['x509ce.dNSName'], ...row['x509ce.IPAddress.ipv4']],
        serial: row['x509af.serialNumber'][0],
        times: row['x509af.utcTime'].slice(0, 2),
      });
    }
  });

  it('encrypted records: how many and how long, per connection and side', async () => {
    const names = [
      'tcp.stream',
      'tcp.srcport',
      'tls.record.content_type',
      'tls.record.opaque_type',
      'tls.record.length',
    ] as const;
    const rows = await tshark(scene.file, names, { filter: 'tls.record.length', options });
    const theirs = new Map<string, { records: number; bytes: number }>();
    for (const row of rows) {
      const side = Number(row['tcp.srcport'][0]) < 5000 ? 'server' : 'client';
      const key = `${row['tcp.stream'][0]} ${side}`;
      // The outer type of TLS 1.3 is a field of its own; in a packet such records come last.
      const types = [...row['tls.record.content_type'], ...row['tls.record.opaque_type']];
      expect(types.length).toBe(row['tls.record.length'].length);
      for (const [i, type] of types.entries()) {
        if (type === '23') {
          const { records, bytes } = theirs.get(key) ?? { records: 0, bytes: 0 };
          theirs.set(key, { records: records + 1, bytes: bytes + Number(row['tls.record.length'][i]) });
        }
      }
    }
    expect(theirs.size).toBeGreaterThan(25);
    const mine = named('ApplicationData').map(
      ({ stream, side, fields }) =>
        [`${stream} ${side}`, { records: fields.records as number, bytes: fields.bytes as number }] as const,
    );
    expect(new Map(mine)).toEqual(theirs);
  });
});
