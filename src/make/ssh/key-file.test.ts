import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../../../test/needs.ts';
import { keygen } from '../../../test/sshd.ts';
import { readKeyFile } from './key-file.ts';
import { loadSsh2, type Ssh2 } from './ssh2.ts';

const folder = mkdtempSync(join(tmpdir(), 'sockscope-keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let parse: Ssh2['utils']['parseKey'];
beforeAll(async () => {
  parse = (await loadSsh2()).utils.parseKey;
});

const { missing } = needs('ssh-keygen');

describe.skipIf(missing)('a key file', () => {
  test('that is encrypted tells its public half, without and with a .pub beside it', () => {
    const path = join(folder, 'locked');
    const publicKey = keygen(path, 'ed25519', 'secret');
    const beside = readKeyFile(path, parse);
    rmSync(`${path}.pub`);
    const alone = readKeyFile(path, parse);
    for (const file of [beside, alone]) {
      expect(file.kind).toBe('locked');
      if (file.kind === 'locked') {
        expect(publicKey).toContain(file.key?.getPublicSSH().toString('base64'));
        expect(file.unlock('wrong')).toBeNull();
        expect(file.unlock('secret')?.isPrivateKey()).toBe(true);
      }
    }
  });

  test('cut anywhere or with a byte changed: read, locked or a fault, and nothing is thrown', () => {
    const path = join(folder, 'mutated');
    const whole = ['ed25519', 'ecdsa'].map((type) => {
      const own = join(folder, type);
      keygen(own, type);
      return readFileSync(own);
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...whole),
        fc.nat(400),
        fc.nat(255),
        fc.boolean(),
        (bytes, at, byte, cut) => {
          const changed = Buffer.from(cut ? bytes.subarray(0, at) : bytes);
          if (!cut) {
            changed[at % changed.length] = byte;
          }
          writeFileSync(path, changed, { mode: 0o600 });
          const file = readKeyFile(path, parse);
          expect(['private', 'public', 'locked', 'fault']).toContain(file.kind);
        },
      ),
      { numRuns: 150 },
    );
  });
});
