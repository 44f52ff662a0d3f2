import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  anySplitGivesTheSame,
  client,
  hear,
  server,
  survivesAnything,
  type Turn,
} from './decoder.contract.ts';
import { type Hint, MAX_NEED } from './decoder.ts';
import { decoder } from './ssh.ts';

type Part = string | number[];
const encoder = new TextEncoder();
const flat = (parts: Part[]) =>
  parts.flatMap((part) => (typeof part === 'string' ? [...encoder.encode(part)] : part));
const int32 = (value: number) => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];
const string = (...parts: Part[]) => [...int32(flat(parts).length), ...flat(parts)];

function packet(type: number, ...parts: Part[]): number[] {
  const payload = [type, ...flat(parts)];
  const padding = 4 + ((8 - ((5 + payload.length + 4) % 8)) % 8);
  const missing = Math.max(0, 16 - (5 + payload.length + padding));
  const zeros = Array.from({ length: padding + missing }, () => 0);
  return [...int32(1 + payload.length + zeros.length), zeros.length, ...payload, ...zeros];
}

interface Offered {
  kex?: string;
  hostKey?: string;
  cipher?: string | [string, string];
  mac?: string | [string, string];
  compression?: string;
  language?: string;
  follows?: boolean;
}

const both = (value: string | [string, string]) => (typeof value === 'string' ? [value, value] : value);

function kexinit(offered: Offered): number[] {
  const {
    kex = 'curve25519-sha256',
    hostKey = 'ssh-ed25519',
    cipher = 'aes128-ctr',
    mac = 'hmac-sha2-256',
    compression = 'none',
    language = '',
    follows = false,
  } = offered;
  const lists = [kex, hostKey, ...both(cipher), ...both(mac), compression, compression, language, language];
  return packet(
    20,
    Array.from({ length: 16 }, (_, i) => i),
    ...lists.map((list) => string(list)),
    [follows ? 1 : 0],
    int32(0),
  );
}

const NEWKEYS = packet(21);
const secret = [0x9d, 0x10, 0xff, 3, 200, 0, 1, 77];
const ed25519 = [...string('ssh-ed25519'), ...string(Array.from({ length: 32 }, (_, i) => i * 7))];
const fingerprint = (key: number[]) =>
  `SHA256:${createHash('sha256').update(Uint8Array.from(key)).digest('base64').replace(/=+$/, '')}`;
const signature = string(string('ssh-ed25519'), string('signed'));
const reply = (key: number[]) => packet(31, string(key), string('public'), signature);

const modern: Offered = {
  kex: 'sntrup761x25519-sha512@openssh.com,curve25519-sha256,ext-info-c,kex-strict-c-v00@openssh.com',
  hostKey: 'rsa-sha2-512,ssh-ed25519',
  cipher: 'chacha20-poly1305@openssh.com,aes128-ctr',
};
const answer: Offered = {
  kex: 'curve25519-sha256,ext-info-c,kex-strict-s-v00@openssh.com',
  hostKey: 'ssh-ed25519',
  cipher: 'aes128-ctr,chacha20-poly1305@openssh.com',
  mac: 'umac-64@openssh.com',
};

const hello = [
  server('Only for staff\r\n', 'be kind\n', 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n'),
  client('SSH-2.0-paramiko_3.1\r\n'),
];

const rich: Turn[] = [
  client('SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2\r\n', kexinit(modern)),
  server('Only for staff\r\n', 'SSH-1.99-dropbear\n', kexinit(answer)),
  client(packet(2, string('nothing')), packet(4, [1], string('wait\nfor it'), string('en'))),
  client(packet(30, string(Array.from({ length: 32 }, () => 5)))),
  server(packet(3, int32(7)), reply(ed25519), NEWKEYS),
  server(secret, secret),
  client(NEWKEYS, secret),
  server(secret),
];

describe('the opening', () => {
  it('both say who they are, the server after lines of its own', () => {
    const { said, troubles } = hear(decoder, rich.slice(0, 2));
    expect(troubles).toEqual([]);
    expect(said.map((one) => [one.kind, one.name, one.asked, one.bytes])).toEqual([
      ['request', 'Version', null, 40],
      ['notice', 'KEXINIT', null, kexinit(modern).length],
      ['notice', 'Line', null, 16],
      ['reply', 'Version', 'Version', 18],
      ['notice', 'KEXINIT', null, kexinit(answer).length],
    ]);
    expect(said[0]!.fields).toEqual({
      protocol: '2.0',
      software: 'OpenSSH_9.2p1',
      comments: 'Debian-2+deb12u2',
    });
    expect(said[0]!.summary).toBe('SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2');
    expect(said[2]!.summary).toBe('Only for staff');
    expect(said[3]!.fields).toEqual({ protocol: '1.99', software: 'dropbear' });
  });

  it('a server that speaks first answers nothing, and no request stays open', () => {
    const { said } = hear(decoder, hello);
    expect(said.map((one) => [one.kind, one.name, one.asked])).toEqual([
      ['notice', 'Line', null],
      ['notice', 'Line', null],
      ['reply', 'Version', null],
      ['request', 'Version', null],
    ]);
  });

  it('a server that only says why it will not is heard', () => {
    const { said, troubles } = hear(decoder, [server('Exceeded MaxStartups\r\n')]);
    expect(troubles).toEqual([]);
    expect(said.map((one) => one.summary)).toEqual(['Exceeded MaxStartups']);
  });

  it('SSH 1 is named and not read on', () => {
    const { said, troubles } = hear(decoder, [server('SSH-1.5-old\n', [0, 0, 1, 11])]);
    expect(said[0]!.fields.protocol).toBe('1.5');
    expect(troubles).toEqual(['server: SSH 1 is not read']);
  });

  it('what is no identification is said to be none', () => {
    const heard = (...turns: Turn[]) => hear(decoder, turns).troubles;
    expect(heard(client('GET / HTTP/1.1\r\n'))).toEqual(['client: no identification of SSH']);
    expect(heard(client('SSH-\r\n'))).toEqual(['client: an identification of SSH without a version']);
    expect(heard(server('x'.repeat(9000)))).toEqual([
      'server: a line of more than 8192 bytes before the packets',
    ]);
    expect(heard(server('x\n'.repeat(2000)))).toEqual([
      'server: more than 1024 lines before the identification',
    ]);
  });
});

describe('algorithms', () => {
  const agreed = (ours: Offered, theirs: Offered, clientFirst = true) => {
    const turns = [client('SSH-2.0-a\r\n', kexinit(ours)), server('SSH-2.0-b\r\n', kexinit(theirs))];
    const { said, troubles } = hear(decoder, clientFirst ? turns : turns.reverse());
    expect(troubles).toEqual([]);
    return said.filter((one) => one.name === 'KEXINIT').at(-1)!;
  };

  it('the first of the client that the server has is taken; a cipher with its own MAC needs none in common', () => {
    const { said } = hear(decoder, rich.slice(0, 2));
    const first = said[1];
    expect(first!.summary).toBe(
      'KEXINIT offers sntrup761x25519-sha512@openssh.com (+1), rsa-sha2-512 (+1), chacha20-poly1305@openssh.com (+1)',
    );
    expect(first!.fields).toMatchObject({
      'offer.kex': ['sntrup761x25519-sha512@openssh.com', 'curve25519-sha256'],
      'offer.strict_kex': true,
      'offer.ext_info': true,
      'offer.cipher.client': ['chacha20-poly1305@openssh.com', 'aes128-ctr'],
      first_kex_packet_follows: false,
    });
    expect(first!.fields).not.toHaveProperty('kex');
    const last = said.at(-1)!;
    expect(last.summary).toBe(
      'KEXINIT curve25519-sha256, ssh-ed25519, chacha20-poly1305@openssh.com, strict',
    );
    expect(last.fields).toMatchObject({
      kex: 'curve25519-sha256',
      host_key: 'ssh-ed25519',
      'cipher.client': 'chacha20-poly1305@openssh.com',
      'cipher.server': 'chacha20-poly1305@openssh.com',
      'mac.client': 'implicit',
      'compression.server': 'none',
      strict_kex: true,
    });
    expect(last.failed).toBe(false);
  });

  it('it is the same whoever is heard first', () => {
    expect(agreed(modern, answer, false).summary).toBe(agreed(modern, answer).summary);
    expect(agreed({ mac: 'a,b' }, { mac: 'b,a' }, false).fields['mac.server']).toBe('a');
  });

  it('each direction may have its own', () => {
    const ours: Offered = { cipher: ['3des-cbc', 'aes128-ctr'], mac: ['hmac-sha1', 'hmac-md5'] };
    expect(agreed(ours, ours).summary).toBe(
      'KEXINIT curve25519-sha256, ssh-ed25519, 3des-cbc hmac-sha1 there, aes128-ctr hmac-md5 back',
    );
  });

  it('a marker is never the method, and strictness needs both', () => {
    const marked = 'ext-info-c,kex-strict-c-v00@openssh.com,a';
    expect(agreed({ kex: marked }, { kex: marked }).fields.kex).toBe('a');
    const one = agreed({ kex: marked }, { kex: 'a' }).fields;
    expect([one.kex, one.strict_kex, one['offer.strict_kex']]).toEqual(['a', false, false]);
  });

  it('nothing in common is a failure that names the lists', () => {
    const failed = agreed({ kex: 'a', mac: ['x', 'y'], language: 'en' }, { kex: 'b', mac: ['x', 'z'] });
    expect(failed.failed).toBe(true);
    expect(failed.fields).toMatchObject({ kex: null, 'mac.client': 'x', 'mac.server': null });
    expect(failed.summary).toBe('KEXINIT no agreement on kex, mac.server');
    expect(agreed({ kex: 'a' }, { kex: '' }).fields['offer.kex']).toEqual([]);
  });
});

describe('the key exchange', () => {
  it('init and reply are a pair, and the host key is shown as ssh shows it', () => {
    const { said, troubles } = hear(decoder, rich);
    expect(troubles).toEqual([]);
    expect(said.slice(5).map((one) => [one.kind, one.name, one.asked, one.summary, one.bytes])).toEqual([
      ['notice', 'IGNORE', null, 'IGNORE', 24],
      ['notice', 'DEBUG', null, 'DEBUG wait for it', 32],
      ['request', 'KEX_ECDH_INIT', null, 'KEX_ECDH_INIT', 48],
      ['notice', 'UNIMPLEMENTED', null, 'UNIMPLEMENTED: packet 7', 16],
      [
        'reply',
        'KEX_ECDH_REPLY',
        'KEX_ECDH_INIT',
        `KEX_ECDH_REPLY host key ssh-ed25519 ${fingerprint(ed25519)}`,
        reply(ed25519).length,
      ],
      ['notice', 'NEWKEYS', null, 'NEWKEYS', 16],
      ['notice', 'Encrypted', null, 'encrypted: chacha20-poly1305@openssh.com', 0],
      ['notice', 'NEWKEYS', null, 'NEWKEYS', 16],
      ['notice', 'Encrypted', null, 'encrypted: chacha20-poly1305@openssh.com', 0],
      ['notice', 'EncryptedData', null, '8 encrypted bytes', 8],
      ['notice', 'EncryptedData', null, '24 encrypted bytes', 24],
    ]);
    expect(said[7]!.fields).toEqual({ 'public.length': 32 });
    expect(said[9]!.fields).toEqual({
      'host_key.type': 'ssh-ed25519',
      'host_key.fingerprint': fingerprint(ed25519),
      signature: 'ssh-ed25519',
    });
    expect(said.at(-1)!.fields).toEqual({ bytes: 24 });
  });

  const through = (kex: string, ...turns: Turn[]) =>
    hear(decoder, [
      client('SSH-2.0-a\r\n', kexinit({ kex })),
      server('SSH-2.0-b\r\n', kexinit({ kex })),
      ...turns,
    ]);

  it('a group exchange has two pairs and says how large the group is', () => {
    const rsa = [...string('ssh-rsa'), ...string([1, 0, 1]), ...string([0, 0x80, ...Array(255).fill(9)])];
    const turns = [
      client(packet(34, int32(2048), int32(3072), int32(8192))),
      server(packet(31, string([0, 0xff, ...Array(383).fill(1)]), string([2]))),
      client(packet(32, string([7, 7]))),
      server(packet(33, string(rsa), string('f'), string(string('rsa-sha2-512'), string('signed')))),
    ];
    const { said, troubles } = through('diffie-hellman-group-exchange-sha256', ...turns);
    expect(troubles).toEqual([]);
    expect(said.slice(4).map((one) => [one.kind, one.asked, one.summary])).toEqual([
      ['request', null, 'KEX_DH_GEX_REQUEST 3072 bits (2048 to 8192)'],
      ['reply', 'KEX_DH_GEX_REQUEST', 'KEX_DH_GEX_GROUP 3072 bits'],
      ['request', null, 'KEX_DH_GEX_INIT'],
      ['reply', 'KEX_DH_GEX_INIT', `KEX_DH_GEX_REPLY host key ssh-rsa ${fingerprint(rsa)}`],
    ]);
    expect(said.at(-1)!.fields).toMatchObject({ 'host_key.bits': 2048, signature: 'rsa-sha2-512' });
    const old = through('diffie-hellman-group-exchange-sha1', client(packet(30, int32(1024)))).said.at(-1)!;
    expect([old.name, old.fields['group.bits']]).toEqual(['KEX_DH_GEX_REQUEST_OLD', 1024]);
  });

  it('what number 30 means depends on the method', () => {
    const named = (kex: string) => through(kex, client(packet(30, string('e')))).said.at(-1)!.name;
    expect(named('diffie-hellman-group14-sha256')).toBe('KEXDH_INIT');
    expect(named('ecdh-sha2-nistp256')).toBe('KEX_ECDH_INIT');
    expect(named('mlkem768x25519-sha256')).toBe('KEX_HYBRID_INIT');
    expect(named('gss-curve25519-sha256-toWM5Slw5Ew8Mqkay+al2g==')).toBe('KEXGSS_INIT');
    expect(named('of-our-own@example.com')).toBe('KEX message 30');
    const rsa = through('rsa2048-sha256', server(packet(30, string(ed25519), string('k')))).said.at(-1)!;
    expect([rsa.name, rsa.fields['host_key.type']]).toEqual(['KEXRSA_PUBKEY', 'ssh-ed25519']);
  });

  it('the fingerprint of a certificate is that of the key in it', () => {
    const key = ed25519.slice(string('ssh-ed25519').length);
    const certificate = [
      ...string('ssh-ed25519-cert-v01@openssh.com'),
      ...string('a nonce'),
      ...key,
      ...string('serial and so on'),
    ];
    const turns = [client(packet(30, string('q'))), server(reply(certificate))];
    const { fields } = through('curve25519-sha256', ...turns).said.at(-1)!;
    expect(fields['host_key.type']).toBe('ssh-ed25519-cert-v01@openssh.com');
    expect(fields['host_key.fingerprint']).toBe(fingerprint(ed25519));
    const strange = [...string('ssh-new-cert-v01@openssh.com'), ...string('?')];
    const last = through('curve25519-sha256', client(packet(30, string('q'))), server(reply(strange)));
    expect(last.said.at(-1)!.fields).toEqual({
      'host_key.type': 'ssh-new-cert-v01@openssh.com',
      signature: 'ssh-ed25519',
    });
  });

  it('a wrong guess is passed over, and the init that counts is the one that is answered', () => {
    const ours = kexinit({ kex: 'diffie-hellman-group14-sha256,curve25519-sha256', follows: true });
    const theirs = kexinit({ kex: 'curve25519-sha256' });
    const guess = packet(30, string('guess'));
    const rest = [client(packet(30, string('q'))), server(reply(ed25519))];
    const early = hear(decoder, [
      client('SSH-2.0-a\r\n', ours, guess),
      server('SSH-2.0-b\r\n', theirs),
      ...rest,
    ]);
    const late = hear(decoder, [
      server('SSH-2.0-b\r\n', theirs),
      client('SSH-2.0-a\r\n', ours, guess),
      ...rest,
    ]);
    const seen = ({ said }: typeof early) =>
      said
        .filter((one) => /^KEX.*_/.test(one.name))
        .map((one) => [one.kind, one.name, one.asked, one.summary]);
    expect(early.troubles).toEqual([]);
    expect(seen(early)[0]).toEqual(['request', 'KEXDH_INIT', null, 'KEXDH_INIT (a guess)']);
    expect(seen(late)[0]).toEqual(['notice', 'KEXDH_INIT', null, 'KEXDH_INIT (a guess)']);
    expect(seen(late).slice(1)).toEqual(seen(early).slice(1));
    expect(seen(late)[2]!.slice(0, 3)).toEqual(['reply', 'KEX_ECDH_REPLY', 'KEX_ECDH_INIT']);
  });

  it('a guess that proves right is an ordinary init', () => {
    const turns = [
      server('SSH-2.0-b\r\n', kexinit({})),
      client('SSH-2.0-a\r\n', kexinit({ follows: true }), packet(30, string('q'))),
    ];
    expect(hear(decoder, turns).said.at(-1)).toMatchObject({
      kind: 'request',
      name: 'KEX_ECDH_INIT',
      fields: { 'public.length': 1 },
    });
  });

  it('a disconnect says why, and is the answer when one was due', () => {
    const bye = (reason: number) => packet(1, int32(reason), string('no\nway'), string('en'));
    const [init, refused] = through(
      'curve25519-sha256',
      client(packet(30, string('q'))),
      server(bye(3)),
    ).said.slice(-2);
    expect(init!.name).toBe('KEX_ECDH_INIT');
    expect(refused).toMatchObject({
      kind: 'reply',
      failed: true,
      asked: 'KEX_ECDH_INIT',
      summary: 'DISCONNECT key exchange failed: no way',
      fields: { code: 3, reason: 'key exchange failed', text: 'no\nway' },
    });
    const left = through('curve25519-sha256', client(bye(11))).said.at(-1)!;
    expect([left.kind, left.failed, left.fields.reason]).toEqual(['notice', false, 'by application']);
  });

  it('extensions and services in the clear are read, and other numbers named', () => {
    const info = packet(7, int32(2), string('server-sig-algs'), string('a,b'), string('x'), string('y'));
    const { said, troubles } = through(
      'curve25519-sha256',
      server(info),
      client(packet(5, string('ssh-userauth')), packet(99)),
    );
    expect(troubles).toEqual([]);
    expect(said.slice(4).map((one) => one.summary)).toEqual([
      'EXT_INFO server-sig-algs, x',
      'SERVICE_REQUEST ssh-userauth',
      'message 99',
    ]);
    expect(said[4]!.fields).toEqual({ 'extension.server-sig-algs': 'a,b', 'extension.x': 'y' });
  });
});

describe('limits and breaks', () => {
  const heard = (...parts: Part[]) => hear(decoder, [client('SSH-2.0-a\r\n', ...parts)]).troubles;

  it('packets that cannot be are refused before they are waited for', () => {
    expect(heard(int32(MAX_NEED + 4), [4, 20])).toEqual([`client: a packet of SSH of ${MAX_NEED + 8} bytes`]);
    expect(heard(int32(0xfffffffc), [4, 20])).toEqual(['client: a packet of SSH of 4294967296 bytes']);
    expect(heard(int32(13), [4, 20])).toEqual(['client: a packet of SSH of 17 bytes']);
    expect(heard(int32(12), [3, 21], Array(10).fill(0))).toEqual(['client: 3 bytes of padding of 16']);
    expect(heard(int32(12), [11, 21], Array(10).fill(0))).toEqual(['client: 11 bytes of padding of 16']);
    expect(heard(packet(20, Array(16).fill(0), int32(500)))).toEqual([
      'client: the lists in a KEXINIT do not fit',
    ]);
    expect(heard(kexinit({}), kexinit({}))).toEqual(['client: a second KEXINIT before NEWKEYS']);
  });

  it('the largest packet there may be is read', () => {
    const body = Array.from({ length: MAX_NEED - 4 - 1 - 1 - 4 - 6 }, () => 1);
    expect(heard(packet(2, int32(body.length), body))).toEqual([]);
  });

  it('a reply from the client is none', () => {
    const turns = [
      client('SSH-2.0-a\r\n', kexinit({})),
      server('SSH-2.0-b\r\n', kexinit({})),
      client(packet(31, string('q'))),
    ];
    expect(hear(decoder, turns).troubles).toEqual(['client: KEX_ECDH_REPLY from the client']);
  });

  it('joined later: encrypted bytes are counted, and a key exchange in sight is read', () => {
    const later = hear(decoder, [client(secret), server(secret, secret)], { midStream: true });
    expect(later.troubles).toEqual([]);
    expect(later.said.map((one) => one.summary)).toEqual([
      'encrypted; with what was not seen',
      'encrypted; with what was not seen',
      '8 encrypted bytes',
      '16 encrypted bytes',
    ]);
    const atKexinit = [client(kexinit(modern)), server('SSH-2.0-b\r\n', kexinit(answer)), ...rich.slice(2)];
    const { said, troubles } = hear(decoder, atKexinit, { midStream: true });
    expect(troubles).toEqual([]);
    expect(said.some((one) => one.name === 'KEX_ECDH_REPLY')).toBe(true);
    anySplitGivesTheSame(decoder, atKexinit, { midStream: true }, 10);
  });
});

describe('recognition', () => {
  const score = (text: string | number[], more: Partial<Hint> = {}) => {
    const bytes = Uint8Array.from(typeof text === 'string' ? encoder.encode(text) : text);
    const hint: Hint = {
      transport: 'tcp',
      clientPort: 40000,
      serverPort: 9,
      side: 'client',
      midStream: false,
      ...more,
    };
    return decoder.recognises(hint, bytes, 0, bytes.length);
  };

  it('an identification is certain on any port, after lines too', () => {
    expect(score('SSH-2.0-x\r\n')).toBeGreaterThanOrEqual(0.8);
    expect(score('staff only\r\nSSH-2.0-x\r\n', { side: 'server' })).toBeGreaterThanOrEqual(0.8);
  });

  it('the port alone is a guess, and the bytes of others are not claimed', () => {
    expect(score('', { serverPort: 22 })).toBe(0.3);
    expect(score('SS', { serverPort: 22 })).toBe(0.5);
    expect(score('SS')).toBe(0);
    expect(score('GET / HTTP/1.1\r\n', { serverPort: 22 })).toBe(0);
    expect(score('220 mail\r\n', { side: 'server' })).toBe(0);
    expect(score([22, 3, 1, 0, 5], { serverPort: 22 })).toBe(0);
    expect(score([1, 2, 3], { serverPort: 22, midStream: true })).toBe(0.3);
  });
});

describe('whatever comes', () => {
  it('any split gives the same', () => {
    anySplitGivesTheSame(decoder, rich);
    anySplitGivesTheSame(decoder, hello);
  });

  it('nothing makes it throw, hang or ask for too much', () => {
    survivesAnything(decoder, rich);
    survivesAnything(decoder, rich.slice(2), { midStream: true });
  });
});
