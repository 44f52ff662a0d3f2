import { describe, expect, test } from 'vitest';
import { SockscopeError } from '../../errors.ts';
import { algorithmsFor } from './algorithms.ts';
import { resolveConfig } from './config.ts';

function offered(lines: string, known: readonly string[] = []) {
  const config = resolveConfig({ host: 'h', options: [] }, [{ name: 'c', text: lines, own: true }], {
    localUser: 'u',
    include: () => [],
  });
  return algorithmsFor(config, known);
}

describe('the algorithms that are offered', () => {
  test('those of keys that are known for the host come first', () => {
    expect(offered('').serverHostKey).toEqual([
      'ssh-ed25519',
      'ecdsa-sha2-nistp256',
      'ecdsa-sha2-nistp384',
      'ecdsa-sha2-nistp521',
      'rsa-sha2-512',
      'rsa-sha2-256',
    ]);
    expect((offered('', ['ssh-rsa']).serverHostKey as string[]).slice(0, 3)).toEqual([
      'rsa-sha2-512',
      'rsa-sha2-256',
      'ssh-ed25519',
    ]);
  });

  test('an order of the configuration stands, whatever is known', () => {
    const list = offered('HostKeyAlgorithms rsa-sha2-256,ssh-ed25519', ['ssh-ed25519']).serverHostKey;
    expect(list).toEqual(['rsa-sha2-256', 'ssh-ed25519']);
  });

  test('+, - and ^ change the usual list', () => {
    expect((offered('HostKeyAlgorithms +ssh-rsa').serverHostKey as string[]).at(-1)).toBe('ssh-rsa');
    expect(offered('HostKeyAlgorithms -ecdsa-*,rsa-*').serverHostKey).toEqual(['ssh-ed25519']);
    expect((offered('KexAlgorithms ^ecdh-sha2-nistp521').kex as string[])[0]).toBe('ecdh-sha2-nistp521');
    expect(offered('Ciphers aes256-ctr,unheard-of').cipher).toEqual(['aes256-ctr']);
    expect(offered('').cipher).toBeUndefined();
  });

  test('a list of which nothing is known here is an error', () => {
    expect(() => offered('MACs umac-64@openssh.com')).toThrow(SockscopeError);
  });
});
