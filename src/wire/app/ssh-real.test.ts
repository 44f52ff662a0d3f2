/** OpenSSH on both ends: what the decoder reads is what `ssh -v` says of itself. */
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recorded } from '../../../test/fixtures/recorded.ts';
import { findProgram, needs } from '../../../test/needs.ts';
import { anySplitGivesTheSame, hear, type Said, survivesAnything } from './decoder.contract.ts';
import { decoder } from './ssh.ts';

/** As root it wants /run/sshd to exist; as anybody else it does not. */
const asNobody =
  process.getuid?.() === 0
    ? ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', '--']
    : [];

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

describe.skipIf(needs('ssh', 'sshd', 'ssh-keygen', 'setpriv').missing !== null)('OpenSSH', () => {
  let folder = '';
  let port = 0;
  let sshd: ChildProcess;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sockscope-ssh-'));
    for (const type of ['ed25519', 'rsa', 'ecdsa']) {
      execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', join(folder, type)]);
    }
    execFileSync('ssh-keygen', ['-q', '-s', `${folder}/rsa`, '-h', '-I', 'a host', `${folder}/ed25519.pub`]);
    port = await freePort();
    writeFileSync(
      join(folder, 'config'),
      `ListenAddress 127.0.0.1:${port}
      HostKey ${folder}/ed25519
      HostKey ${folder}/rsa
      HostKey ${folder}/ecdsa
      HostCertificate ${folder}/ed25519-cert.pub
      KexAlgorithms +diffie-hellman-group14-sha1
      UsePAM no
      PidFile none
      `,
    );
    if (asNobody.length > 0) {
      const id = (flag: string) => Number(spawnSync('id', [flag, 'nobody'], { encoding: 'utf8' }).stdout);
      for (const name of ['.', ...readdirSync(folder)]) {
        chownSync(join(folder, name), id('-u'), id('-g'));
      }
    }
    const [program, ...words] = [...asNobody, findProgram('sshd')!, '-D', '-e', '-f', join(folder, 'config')];
    sshd = spawn(program!, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    await new Promise<void>((resolve, reject) => {
      sshd.stderr!.on('data', (chunk) => {
        log += chunk;
        if (log.includes('Server listening')) {
          resolve();
        }
      });
      sshd.once('exit', () => reject(new Error(log)));
    });
  });

  afterAll(async () => {
    if (sshd !== undefined && sshd.exitCode === null) {
      const gone = once(sshd, 'exit');
      sshd.kill();
      await gone;
    }
    rmSync(folder, { recursive: true, force: true });
  });

  /** Nobody gets in: what counts was said before. */
  async function greet(...options: string[]): Promise<{ said: Said[]; words: string }> {
    let words = '';
    const connections = await recorded(port, async (relay) => {
      const settings = [
        'BatchMode=yes',
        'StrictHostKeyChecking=no',
        'UserKnownHostsFile=/dev/null',
        ...options,
      ];
      words = await new Promise<string>((resolve) => {
        execFile(
          'ssh',
          [
            ...['-v', '-F', 'none', '-p', `${relay}`],
            ...settings.flatMap((one) => ['-o', one]),
            ...['nobody@127.0.0.1', 'true'],
          ],
          (_error, _out, errors) => resolve(errors),
        );
      });
    });
    const turns = connections[0]!;
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    anySplitGivesTheSame(decoder, turns, {}, 5);
    survivesAnything(decoder, turns, {}, 30);
    return { said, words };
  }

  function debug(words: string, start: string): string {
    const line = words.split(/\r?\n/).find((one) => one.startsWith(`debug1: ${start}`));
    return line === undefined ? '' : line.slice(`debug1: ${start}`.length).trim();
  }

  const settled = ({ said }: { said: Said[] }) => said.filter((one) => one.name === 'KEXINIT').at(-1)!.fields;
  const found = ({ said }: { said: Said[] }, end: string) => said.find((one) => one.name.endsWith(end))!;

  /** The line of `ssh -v` for one direction. */
  function direction(fields: Said['fields'], side: string): string {
    const mac = fields[`mac.${side}`] === 'implicit' ? '<implicit>' : fields[`mac.${side}`];
    return `${fields[`cipher.${side}`]} MAC: ${mac} compression: ${fields[`compression.${side}`]}`;
  }

  function agrees(heard: { said: Said[]; words: string }): void {
    const fields = settled(heard);
    const { words } = heard;
    expect(fields.kex).toBe(debug(words, 'kex: algorithm:'));
    expect(fields.host_key).toBe(debug(words, 'kex: host key algorithm:'));
    expect(direction(fields, 'server')).toBe(debug(words, 'kex: server->client cipher:'));
    expect(direction(fields, 'client')).toBe(debug(words, 'kex: client->server cipher:'));
    const version = heard.said.find((one) => one.side === 'client')!;
    expect(debug(words, 'Local version string')).toBe(version.summary);
    const key = found(heard, 'REPLY').fields;
    expect(`${key['host_key.type']} ${key['host_key.fingerprint']}`).toBe(
      debug(
        words,
        key['host_key.type'] === 'ssh-ed25519-cert-v01@openssh.com'
          ? 'Server host certificate:'
          : 'Server host key:',
      ).split(',')[0],
    );
  }

  it('by default', async () => {
    const heard = await greet('HostKeyAlgorithms=ssh-ed25519');
    agrees(heard);
    expect(
      heard.said
        .map((one) => one.name)
        .filter((name) => !/Encrypted|NEWKEYS/.test(name))
        .sort(),
    ).toEqual(['KEXINIT', 'KEXINIT', 'KEX_HYBRID_INIT', 'KEX_HYBRID_REPLY', 'Version', 'Version']);
    const fields = settled(heard);
    // Both ends are of the same version, so both mark it or neither.
    expect(fields.strict_kex).toBe(fields['offer.strict_kex']);
    for (const name of ['NEWKEYS', 'Encrypted', 'EncryptedData']) {
      expect(heard.said.filter((one) => one.name === name)).toHaveLength(2);
    }
    const [, fingerprint] = execFileSync('ssh-keygen', ['-lf', join(folder, 'ed25519.pub')], {
      encoding: 'utf8',
    }).split(' ');
    expect(found(heard, 'REPLY').fields['host_key.fingerprint']).toBe(fingerprint);
  });

  it.each([
    ['curve25519-sha256', 'ecdsa-sha2-nistp256', 'aes128-gcm@openssh.com', 'KEX_ECDH_REPLY'],
    ['ecdh-sha2-nistp384', 'rsa-sha2-256', 'aes256-ctr', 'KEX_ECDH_REPLY'],
    ['diffie-hellman-group14-sha1', 'rsa-sha2-512', 'chacha20-poly1305@openssh.com', 'KEXDH_REPLY'],
    ['curve25519-sha256', 'ssh-ed25519-cert-v01@openssh.com', 'aes128-ctr', 'KEX_ECDH_REPLY'],
  ])('%s with %s and %s', async (kex, hostKey, cipher, reply) => {
    const heard = await greet(`KexAlgorithms=${kex}`, `HostKeyAlgorithms=${hostKey}`, `Ciphers=${cipher}`);
    agrees(heard);
    expect(settled(heard)).toMatchObject({ kex, host_key: hostKey, 'cipher.client': cipher });
    expect(found(heard, 'REPLY').name).toBe(reply);
    expect(found(heard, 'REPLY').fields['host_key.bits']).toBe(hostKey.startsWith('rsa') ? 3072 : undefined);
  });

  it('a group made for the occasion', async () => {
    const heard = await greet('KexAlgorithms=diffie-hellman-group-exchange-sha256');
    const sizes = debug(heard.words, 'SSH2_MSG_KEX_DH_GEX_REQUEST');
    const asked = found(heard, 'GEX_REQUEST').fields;
    expect(sizes).toContain(`(${asked['group.min']}<${asked['group.bits']}<${asked['group.max']})`);
    const group = found(heard, 'GEX_GROUP');
    expect(group.asked).toBe('KEX_DH_GEX_REQUEST');
    expect(found(heard, 'GEX_REPLY').asked).toBe('KEX_DH_GEX_INIT');
    expect(group.fields['group.bits']).toBeGreaterThanOrEqual(2048);
  });

  it('nothing in common', async () => {
    const heard = await greet('KexAlgorithms=diffie-hellman-group1-sha1');
    expect(heard.words).toContain('no matching key exchange method found');
    const last = heard.said.filter((one) => one.name === 'KEXINIT').at(-1)!;
    expect([last.failed, last.summary]).toEqual([true, 'KEXINIT no agreement on kex']);
  });
});
