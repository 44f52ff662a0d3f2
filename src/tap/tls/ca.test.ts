import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { needs } from '../../../test/needs.ts';
import { SockscopeError } from '../../errors.ts';
import { authorityFolder, authorityPath, openAuthority } from './ca.ts';
import { caStory } from './ca-story.ts';
import { leavesOf } from './leaf.ts';
import { authorityCertificate, daysFromNow, newKeyPair, pemOf, signedCertificate } from './mint.ts';
import { namesToShow } from './names.ts';
import { x509 } from './x509.ts';

let home = '';
let folder = '';

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sockscope-ca-'));
  folder = join(home, 'settings', 'sockscope');
});

afterEach(() => {
  rmSync(home, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

async function refusal(): Promise<SockscopeError> {
  try {
    await openAuthority({ folder });
  } catch (error) {
    expect(error).toBeInstanceOf(SockscopeError);
    return error as SockscopeError;
  }
  throw new Error('it was accepted');
}

describe('the local CA', () => {
  it.skipIf(process.platform !== 'linux')('below /proc is refused, and not tried for ever', async () => {
    folder = '/proc/nowhere/sockscope';
    const error = await refusal();
    expect(error).toMatchObject({ code: 'TLS_CA', exit: 3 });
    expect(error.message).toContain('cannot be kept in /proc/nowhere/sockscope: ENOENT');
  });

  it('is made on first use, closed to others, and the same ever after', async () => {
    const first = await openAuthority({ folder });
    const again = await openAuthority({ folder });
    expect(again.certificate).toBe(first.certificate);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'ca-key.pem')).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).sort()).toEqual(['ca-key.pem', 'ca.pem']);
    const certificate = new X509Certificate(readFileSync(first.path));
    expect(certificate.ca).toBe(true);
    expect(certificate.subject).toMatch(/^CN=sockscope local CA .+/);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    const years = (first.to.getTime() - first.from.getTime()) / (365 * 86_400_000);
    expect(years).toBeLessThanOrEqual(10);
  });

  it('is one, however many begin at once', async () => {
    const all = await Promise.all(Array.from({ length: 12 }, () => openAuthority({ folder })));
    expect(new Set(all.map((one) => one.certificate)).size).toBe(1);
    expect(readdirSync(folder).sort()).toEqual(['ca-key.pem', 'ca.pem']);
  });

  it('is finished from its key when somebody was stopped between the two files', async () => {
    const { path } = await openAuthority({ folder });
    const key = readFileSync(join(folder, 'ca-key.pem'), 'utf8');
    rmSync(path);
    const again = await openAuthority({ folder });
    expect(readFileSync(join(folder, 'ca-key.pem'), 'utf8')).toBe(key);
    expect(new X509Certificate(again.certificate).ca).toBe(true);
  });

  it('lives below XDG_CONFIG_HOME, which counts only when it is absolute', () => {
    vi.stubEnv('XDG_CONFIG_HOME', '/somewhere');
    expect(authorityPath()).toBe('/somewhere/sockscope/ca.pem');
    vi.stubEnv('XDG_CONFIG_HOME', 'relative');
    vi.stubEnv('HOME', '/home/she');
    expect(authorityFolder()).toBe('/home/she/.config/sockscope');
  });

  it('is refused when others can read its key, and is not touched', async () => {
    await openAuthority({ folder });
    chmodSync(join(folder, 'ca-key.pem'), 0o640);
    const { message, hint, exit } = await refusal();
    expect(message).toMatch(/can be read by others \(mode 640\)/);
    expect(hint).toContain('chmod 600');
    expect(exit).toBe(3);
    expect(statSync(join(folder, 'ca-key.pem')).mode & 0o777).toBe(0o640);
  });

  it('says which file is broken, and overwrites nothing', async () => {
    const { path } = await openAuthority({ folder });
    const keyPath = join(folder, 'ca-key.pem');
    const certificate = readFileSync(path);
    const key = readFileSync(keyPath);

    truncateSync(path, 0);
    expect((await refusal()).message).toContain('ca.pem holds no certificate of a CA (the file is empty)');
    expect(statSync(path).size).toBe(0);
    writeFileSync(path, certificate.subarray(0, 300));
    expect((await refusal()).message).toContain('ca.pem holds no certificate of a CA');
    writeFileSync(path, certificate);

    writeFileSync(keyPath, key.subarray(0, 90));
    expect((await refusal()).message).toContain('ca-key.pem holds no key that can be read');
    rmSync(keyPath);
    expect((await refusal()).message).toContain('its key');
    writeFileSync(keyPath, await pemOf((await newKeyPair()).privateKey), { mode: 0o600 });
    const { message, hint } = await refusal();
    expect(message).toContain('does not belong to the key');
    expect(hint).toContain(`rm ${path} ${keyPath}`);
  });

  it('is refused once it expired', async () => {
    const keys = await newKeyPair();
    const expired = await authorityCertificate('old', keys, 0);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'ca-key.pem'), await pemOf(keys.privateKey), { mode: 0o600 });
    writeFileSync(join(folder, 'ca.pem'), expired);
    expect((await refusal()).message).toMatch(/expired on \d{4}-\d\d-\d\d\.$/);
  });

  it('says so when its folder cannot be made', async () => {
    writeFileSync(join(home, 'settings'), 'a file in the way');
    expect((await refusal()).message).toContain(`cannot be kept in ${folder}`);
  });

  it('is told about with its own path, quoted as a shell wants it', () => {
    const story = caStory("/home/her files/it's/ca.pem").join('\n');
    expect(story).toContain(`curl --cacert '/home/her files/it'\\''s/ca.pem'`);
    for (const word of ['NODE_EXTRA_CA_CERTS', 'update-ca-certificates', 'certutil', 'Remove it again']) {
      expect(story).toContain(word);
    }
  });
});

describe('a leaf', () => {
  it('is made once per name, and the least used one goes when there are too many', async () => {
    const leaves = await leavesOf(await openAuthority({ folder }), 2);
    const [one, same] = await Promise.all([leaves.of(['a.test']), leaves.of(['a.test'])]);
    expect(same).toBe(one);
    await leaves.of(['b.test']);
    expect(await leaves.of(['a.test'])).toBe(one);
    await leaves.of(['c.test']);
    expect(leaves.kept).toBe(2);
    expect(await leaves.of(['a.test'])).toBe(one);
    expect((await leaves.of(['b.test'])).key).toBe(one.key);
  });

  it('names hosts and addresses, lives at most 398 days and has a serial number of its own', async () => {
    const leaves = await leavesOf(await openAuthority({ folder }));
    const leaf = await leaves.of(['a.test', '127.0.0.1', '::1']);
    const certificate = new X509Certificate(leaf.certificate);
    expect(certificate.checkHost('a.test')).toBe('a.test');
    expect(certificate.checkHost('b.test')).toBeUndefined();
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(certificate.checkIP('::1')).toBe('::1');
    const life = Date.parse(certificate.validTo) - Date.parse(certificate.validFrom);
    expect(life).toBeLessThanOrEqual(398 * 86_400_000);
    expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.now() - 80_000_000);
    const other = new X509Certificate((await leaves.of(['b.test'])).certificate);
    expect(other.serialNumber).not.toBe(certificate.serialNumber);
    expect(other.serialNumber).toHaveLength(32);
  });

  it('can be made for every name and address that names.ts lets through', async () => {
    const leaves = await leavesOf(await openAuthority({ folder }));
    for (const name of [
      'a',
      'my_service.test',
      '2001:db8::1',
      '::',
      '1::2:0:0:3',
      '::ffff:1.2.3.4',
      '0.0.0.0',
    ]) {
      const shown = namesToShow(name, '');
      expect(shown).toEqual([name]);
      expect(new X509Certificate((await leaves.of(shown)).certificate).subjectAltName).toBeDefined();
    }
  });

  it('for a name too long for a common name has no subject', async () => {
    const leaves = await leavesOf(await openAuthority({ folder }));
    const name = `${'long-label.'.repeat(8)}test`;
    const certificate = new X509Certificate((await leaves.of([name])).certificate);
    expect(certificate.subject).toBeFalsy();
    expect(certificate.checkHost(name)).toBe(name);
  });

  describe.skipIf(needs('openssl').missing !== null)('to openssl', () => {
    it('is right in every extension, strictly', async () => {
      const authority = await openAuthority({ folder });
      const leaf = await (await leavesOf(authority)).of(['a.test']);
      const file = join(home, 'leaf.pem');
      writeFileSync(file, leaf.certificate);
      const strict = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', authority.path];
      const asked = (name: string) =>
        spawnSync('openssl', [...strict, '-verify_hostname', name, file], { encoding: 'utf8' });
      expect(asked('a.test').stdout).toContain('OK');
      expect(asked('b.test').stderr).toContain('hostname mismatch');
      const text = execFileSync('openssl', ['x509', '-in', file, '-noout', '-text'], { encoding: 'utf8' });
      expect(text).toContain('Subject Key Identifier');
      expect(text).toContain('Authority Key Identifier');
      expect(text).toContain('TLS Web Server Authentication');
      expect(text).toContain('CA:FALSE');
    });
  });

  it('of a client is for clients', async () => {
    const authority = await openAuthority({ folder });
    const { publicKey } = await newKeyPair();
    const made = await signedCertificate(authority, {
      names: ['she'],
      publicKey,
      span: daysFromNow(2),
      use: 'client',
    });
    expect(new X509Certificate(made).keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  });
});

it('loading the certificate library leaves nothing in Reflect', async () => {
  await x509();
  expect(Object.keys(Reflect)).toEqual([]);
  expect('getMetadata' in Reflect).toBe(false);
  expect('defineMetadata' in Reflect).toBe(false);
});
