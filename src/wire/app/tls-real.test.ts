/** OpenSSL and curl as both ends; tshark reads the same bytes to compare. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recorded } from '../../../test/fixtures/recorded.ts';
import { needs } from '../../../test/needs.ts';
import { anySplitGivesTheSame, hear, type Said, survivesAnything, type Turn } from './decoder.contract.ts';
import { decoder } from './tls.ts';

const run = promisify(execFile);
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sockscope-tls-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

/** What crosses while `words` of s_client, or another program, talk to an s_server. */
async function between(
  serverWords: string[],
  program: string,
  words: (port: number) => string[],
): Promise<Turn[]> {
  const port = await freePort();
  const server = spawn('openssl', ['s_server', '-www', '-accept', `127.0.0.1:${port}`, ...serverWords], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const gone = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  try {
    await new Promise<void>((resolve, reject) => {
      let log = '';
      server.stdout.on('data', (chunk) => {
        log += chunk;
        if (log.includes('ACCEPT')) {
          resolve();
        }
      });
      server.once('exit', () => reject(new Error(`s_server ended: ${log}`)));
    });
    const [turns] = await recorded(port, async (relay) => {
      const talking = run(program, words(relay));
      talking.child.stdin?.end();
      await talking.catch(() => {});
    });
    return turns!;
  } finally {
    server.kill();
    await gone;
  }
}

const names = (said: Said[], side?: string) =>
  said.filter((one) => side === undefined || one.side === side).map((one) => one.name);

describe.skipIf(needs('openssl').missing !== null)('OpenSSL', () => {
  const file = (name: string) => join(folder, name);
  const own = () => ['-cert', file('own.pem'), '-key', file('own.key')];
  const toServer =
    (...words: string[]) =>
    (port: number) => ['s_client', '-connect', `127.0.0.1:${port}`, ...words];

  beforeAll(() => {
    const words = [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '30',
      '-keyout',
      file('own.key'),
    ];
    const subject = ['-subj', '/C=DE/O=Example/CN=own.example', '-out', file('own.pem')];
    const names = ['-addext', 'subjectAltName=DNS:own.example,DNS:*.own.example,IP:127.0.0.1,IP:::1'];
    execFileSync('openssl', [...words, ...subject, ...names], { stdio: 'ignore' });
  });

  it('TLS 1.3: two hellos, then secrets', async () => {
    const turns = await between(
      [...own(), '-alpn', 'h2'],
      'openssl',
      toServer('-servername', 'own.example', '-alpn', 'h2,http/1.1'),
    );
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(names(said)).toEqual([
      'ClientHello',
      'ServerHello',
      'Encrypted',
      'ApplicationData',
      'ApplicationData',
    ]);
    expect(said[0]?.summary).toMatch(
      /^ClientHello own\.example TLS 1\.3 h2,http\/1\.1 t13d\d{4}h2_[0-9a-f]{12}_[0-9a-f]{12}$/,
    );
    expect(said[1]).toMatchObject({
      asked: 'ClientHello',
      summary: 'ServerHello TLS 1.3 TLS_AES_256_GCM_SHA384 x25519',
    });
    const sum = said.reduce((all, one) => all + one.bytes, 0);
    const sent = turns.reduce((all, { bytes }) => all + bytes.length, 0);
    // The two ChangeCipherSpec records that mean nothing belong to the message after them, or to the last.
    expect(sum).toBe(sent);
    anySplitGivesTheSame(decoder, turns, {}, 5);
  });

  it('TLS 1.3 with a group the client did not guess: a retry', async () => {
    const turns = await between(
      [...own(), '-groups', 'P-384'],
      'openssl',
      toServer('-groups', 'X25519:P-384'),
    );
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(names(said).slice(0, 5)).toEqual([
      'ClientHello',
      'HelloRetryRequest',
      'ClientHello',
      'ServerHello',
      'Encrypted',
    ]);
    expect(said[1]?.fields.group).toBe('secp384r1');
    anySplitGivesTheSame(decoder, turns, {}, 5);
  });

  it('TLS 1.2: the certificate is read as node:crypto reads it', async () => {
    const turns = await between(
      [...own(), '-alpn', 'http/1.1', '-Verify', '1'],
      'openssl',
      toServer('-tls1_2', '-alpn', 'h2,http/1.1', '-cert', file('own.pem'), '-key', file('own.key')),
    );
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(names(said).slice(0, 14)).toEqual([
      'ClientHello',
      'ServerHello',
      'Certificate',
      'ServerKeyExchange',
      'CertificateRequest',
      'ServerHelloDone',
      'Certificate',
      'ClientKeyExchange',
      'CertificateVerify',
      'ChangeCipherSpec',
      'Finished',
      'NewSessionTicket',
      'ChangeCipherSpec',
      'Finished',
    ]);
    expect(said[14]).toMatchObject({
      name: 'Encrypted',
      side: 'server',
      summary: 'encrypted from here: TLS 1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 http/1.1',
    });
    const known = new X509Certificate(readFileSync(file('own.pem')));
    const fields = said[2]!.fields;
    expect(fields).toMatchObject({
      'certificate.subject': 'C=DE, O=Example, CN=own.example',
      'certificate.issuer': 'C=DE, O=Example, CN=own.example',
      'certificate.self_signed': true,
      'certificate.names': ['own.example', '*.own.example', '127.0.0.1', '0:0:0:0:0:0:0:1'],
      'certificate.key': 'RSA 2048',
      'certificate.chain': 1,
      'certificate.sha256': known.fingerprint256.replaceAll(':', '').toLowerCase(),
    });
    expect(Date.parse(fields['certificate.not_after'] as string)).toBe(Date.parse(known.validTo));
    expect(Date.parse(fields['certificate.not_before'] as string)).toBe(Date.parse(known.validFrom));
    expect((fields['certificate.serial'] as string).replace(/^00/, '').toUpperCase()).toBe(
      known.serialNumber,
    );
    expect(said[2]?.summary).toMatch(
      /^Certificate .*CN=own\.example \(own\.example, .*\) until \d{4}-.*, self-signed$/,
    );
    const spoken = decoder.speaks.tls!;
    const fieldNames = said.flatMap((one) => Object.keys(one.fields));
    expect(fieldNames.filter((name) => !spoken.includes(name) && !name.startsWith('certificate.'))).toEqual(
      [],
    );
    anySplitGivesTheSame(decoder, turns, {}, 5);
    survivesAnything(decoder, turns, {}, 60);
  });

  it('a client that does not know the issuer, and a server that does not speak the version, say so', async () => {
    const unknown = hear(
      decoder,
      await between(own(), 'openssl', toServer('-tls1_2', '-verify_return_error')),
    ).said;
    expect(unknown.find((one) => one.name === 'Alert')).toMatchObject({
      side: 'client',
      failed: true,
      summary: expect.stringMatching(/^alert: fatal (?:unknown_ca|bad_certificate|certificate_unknown)$/),
    });
    const version = hear(decoder, await between([...own(), '-tls1_3'], 'openssl', toServer('-tls1_2'))).said;
    expect(version.at(-1)).toMatchObject({
      side: 'server',
      kind: 'reply',
      asked: 'ClientHello',
      failed: true,
      summary: 'alert: fatal protocol_version',
    });
  });

  it('TLS 1.2 with a session of before: the handshake is short and both say so', async () => {
    const port = await freePort();
    const server = spawn('openssl', ['s_server', '-accept', `127.0.0.1:${port}`, ...own(), '-www'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const gone = new Promise<void>((resolve) => server.once('exit', () => resolve()));
    await new Promise<void>((resolve) => server.stdout.once('data', () => resolve()));
    try {
      const [, turns] = await recorded(port, async (relay) => {
        for (const way of ['-sess_out', '-sess_in']) {
          const talking = run('openssl', toServer('-tls1_2', way, file('session.pem'))(relay));
          talking.child.stdin?.end();
          await talking;
        }
      });
      const { said, troubles } = hear(decoder, turns! as Turn[]);
      expect(troubles).toEqual([]);
      expect(said[1]).toMatchObject({ name: 'ServerHello', fields: { resumed: true } });
      expect(names(said)).not.toContain('Certificate');
      expect(said.find((one) => one.name === 'Encrypted')).toMatchObject({
        side: 'client',
        fields: { resumed: true },
      });
    } finally {
      server.kill();
      await gone;
    }
  });

  it.skipIf(needs('curl').missing !== null)('curl asks by https', async () => {
    const turns = await between(own(), 'curl', (port) => ['-sk', `https://localhost:${port}/`, '-4']);
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(said[0]?.summary).toMatch(/^ClientHello localhost TLS 1\.3 h2,http\/1\.1 t13d/);
    const [toServerBytes, toClientBytes] = said.filter((one) => one.name === 'ApplicationData');
    expect(toServerBytes?.fields.bytes).toBeGreaterThan(100);
    expect(toClientBytes?.fields.bytes).toBeGreaterThan(1000);
  });

  it.skipIf(needs('tshark').missing !== null)(
    'tshark reads the same lists, and they give the same JA4',
    async () => {
      const turns = await between(
        own(),
        'openssl',
        toServer('-servername', 'own.example', '-alpn', 'http/1.1'),
      );
      const [hello] = hear(decoder, turns).said;
      const capture = file('hello.pcap');
      writeFileSync(capture, pcap(turns[0]!.bytes));
      const asked = [
        'ciphersuite',
        'extension.type',
        'sig_hash_alg',
        'extensions_server_name',
        'extensions.supported_version',
      ];
      const words = asked.flatMap((name) => ['-e', `tls.handshake.${name}`]);
      const { stdout } = await run('tshark', ['-r', capture, '-T', 'fields', ...words]);
      const [ciphers, types, signatures, name, versions] = stdout
        .trimEnd()
        .split('\t')
        .map((cell) => cell.split(','));
      const four = (values: string[]) => values.map((value) => Number(value).toString(16).padStart(4, '0'));
      const hash = (value: string) => createHash('sha256').update(value).digest('hex').slice(0, 12);
      const counted = four(types!).filter((type) => type !== '0000' && type !== '0010');
      const two = (values: string[]) => String(values.length).padStart(2, '0');
      const own4 = [
        `t13d${two(ciphers!)}${two(types!)}h1`,
        hash(four(ciphers!).sort().join(',')),
        hash(`${counted.sort().join(',')}_${four(signatures!).join(',')}`),
      ].join('_');
      expect(hello?.fields.ja4).toBe(own4);
      expect(hello?.fields.sni).toBe(name![0]);
      expect((hello?.fields.versions as string[] | undefined)?.length).toBe(versions!.length);
    },
  );
});

/** One TCP segment from port 40000 to 443 in a capture of raw IPv4 packets. */
function pcap(payload: Uint8Array): Uint8Array {
  const length = 40 + payload.length;
  const bytes = new Uint8Array(24 + 16 + length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xa1b2c3d4);
  view.setUint16(4, 2);
  view.setUint16(6, 4);
  view.setUint32(16, 262144);
  view.setUint32(20, 101);
  view.setUint32(32, length);
  view.setUint32(36, length);
  bytes.set([0x45, 0, length >> 8, length & 255, 0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1], 40);
  view.setUint16(60, 40000);
  view.setUint16(62, 443);
  bytes.set([0x50, 0x18, 0xff, 0xff], 72);
  bytes.set(payload, 80);
  return bytes;
}
