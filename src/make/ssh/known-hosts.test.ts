import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { needs } from '../../../test/needs.ts';
import { fingerprint, knownLine, knownName, knownTypes, parseKnownHosts, verdictOn } from './known-hosts.ts';

const bytes = fc.uint8Array({ maxLength: 60 }).map((raw) => Buffer.from(raw).toString('latin1'));

function keyOf(type: string, body: string): Buffer {
  const part = (bytes: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  return Buffer.concat([part(Buffer.from(type)), part(Buffer.from(body.padEnd(32, '.')))]);
}

const one = keyOf('ssh-ed25519', 'one');
const two = keyOf('ssh-ed25519', 'two');
const rsa = keyOf('ssh-rsa', 'rsa');
const text = (key: Buffer, type = 'ssh-ed25519'): string => `${type} ${key.toString('base64')}`;
const kind = (file: string, host: string, port: number, key: Buffer): string =>
  verdictOn(parseKnownHosts(file, 'kh'), [knownName(host, port), host], key).kind;

const folder = mkdtempSync(join(tmpdir(), 'sockscope-known-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('known hosts', () => {
  test('a host is known by its key, and changed by another, with file and line', () => {
    const file = `# mine\n\nweb1,10.0.0.1 ${text(one)} a comment\n`;
    expect(kind(file, 'WEB1', 22, one)).toBe('known');
    expect(kind(file, 'web2', 22, one)).toBe('unknown');
    const verdict = verdictOn(parseKnownHosts(file, 'kh'), ['10.0.0.1'], two);
    expect(verdict).toMatchObject({ kind: 'changed', entries: [{ file: 'kh', line: 3 }] });
  });

  test('another port is another host, except that the bare name vouches for the same key', () => {
    const file = `web1 ${text(one)}\n`;
    expect(kind(file, 'web1', 2222, one)).toBe('known');
    expect(kind(file, 'web1', 2222, two)).toBe('unknown');
    expect(kind(`[web1]:2222 ${text(one)}\n`, 'web1', 2222, two)).toBe('changed');
    expect(kind(`[web1]:2222 ${text(one)}\n`, 'web1', 22, one)).toBe('unknown');
  });

  test('patterns and negation', () => {
    const file = `*.example,!db.example ${text(one)}\n`;
    expect(kind(file, 'a.example', 22, one)).toBe('known');
    expect(kind(file, 'db.example', 22, one)).toBe('unknown');
  });

  test('a revoked key is refused even where the host is known by it', () => {
    expect(kind(`web1 ${text(one)}\n@revoked * ${text(one)}\n`, 'web1', 22, one)).toBe('revoked');
    expect(kind(`@revoked web1 ${text(one)}\n`, 'web2', 22, one)).toBe('unknown');
  });

  test('an authority does not make its own key a host key, and is named', () => {
    const verdict = verdictOn(parseKnownHosts(`@cert-authority *.x ${text(one)}\n`, 'kh'), ['a.x'], one);
    expect(verdict).toMatchObject({ kind: 'unknown', certificates: { line: 1 } });
  });

  test('a key of another type than the known ones counts as changed', () => {
    expect(kind(`web1 ${text(one)}\n`, 'web1', 22, rsa)).toBe('changed');
    expect(kind(`web1 ${text(one)}\nweb1 ${text(rsa, 'ssh-rsa')}\n`, 'web1', 22, rsa)).toBe('known');
    expect(
      knownTypes(parseKnownHosts(`web1 ${text(one)}\nweb1 ${text(rsa, 'ssh-rsa')}\n`, 'kh'), 'web1'),
    ).toEqual(['ssh-ed25519', 'ssh-rsa']);
  });

  test("a line of which the type is not the key's own is no line", () => {
    expect(
      parseKnownHosts(`web1 ${text(one, 'ssh-rsa')}\nweb1 ssh-rsa\n@odd web1 ${text(one)}\n`, 'kh'),
    ).toEqual([]);
  });

  test('what is written is found again, hashed or not, and only under its name', () => {
    fc.assert(
      fc.property(
        fc.domain(),
        fc.domain(),
        fc.integer({ min: 1, max: 65_535 }),
        fc.boolean(),
        (host, other, port, hash) => {
          const file = knownLine(knownName(host, port), one, hash);
          expect(kind(file, host, port, one)).toBe('known');
          expect(file.includes(host)).toBe(!hash);
          expect(kind(file, other, port, one)).toBe(
            other.toLowerCase() === host.toLowerCase() ? 'known' : 'unknown',
          );
        },
      ),
    );
  });

  test('any file is read', () => {
    const piece = fc.constantFrom(
      '|1|',
      '|',
      '@',
      'revoked',
      ' ',
      '\n',
      ',',
      '!',
      '*',
      'web1',
      text(one),
      'AAAA',
      '=',
    );
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: piece, maxLength: 30 }), bytes), (file) => {
        expect(['known', 'unknown', 'changed', 'revoked']).toContain(kind(file, 'web1', 22, one));
      }),
    );
  });
});

const { missing } = needs('ssh-keygen');

describe.skipIf(missing)('known_hosts and ssh-keygen', () => {
  test('what ssh-keygen -H hashes we find, what we hash ssh-keygen -F finds, and the fingerprints agree', () => {
    const made = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'key')]);
    expect(made.status).toBe(0);
    const [type = '', base64 = ''] = readFileSync(join(folder, 'key.pub'), 'utf8').split(' ');
    const key = Buffer.from(base64, 'base64');
    const file = join(folder, 'known_hosts');
    writeFileSync(file, `web1,[web2]:2222 ${type} ${base64}\n`);
    expect(spawnSync('ssh-keygen', ['-q', '-H', '-f', file]).status).toBe(0);
    const hashed = readFileSync(file, 'utf8');
    expect(hashed).toContain('|1|');
    expect(kind(hashed, 'web1', 22, key)).toBe('known');
    expect(kind(hashed, 'web2', 2222, key)).toBe('known');
    expect(kind(hashed, 'web2', 22, key)).toBe('unknown');

    writeFileSync(file, knownLine('[web3]:99', key, true));
    expect(spawnSync('ssh-keygen', ['-F', '[web3]:99', '-f', file], { encoding: 'utf8' }).stdout).toContain(
      base64.trim(),
    );
    expect(spawnSync('ssh-keygen', ['-l', '-f', join(folder, 'key')], { encoding: 'utf8' }).stdout).toContain(
      fingerprint(key),
    );
  });
});
