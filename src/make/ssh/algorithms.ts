/** Lists of algorithms in a configuration: plain, or `+`, `-`, `^` what is there by itself. */
import type { Algorithms, ServerHostKeyAlgorithm } from 'ssh2';
import { SockscopeError } from '../../errors.ts';
import type { HostConfig } from './config.ts';
import { matchesList } from './patterns.ts';

/** What ssh2 1.17 can do, the best first. */
const ABLE = {
  hostKey: [
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
    'ssh-rsa',
  ],
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group-exchange-sha256',
    'diffie-hellman-group14-sha256',
    'diffie-hellman-group15-sha512',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group17-sha512',
    'diffie-hellman-group18-sha512',
    'diffie-hellman-group-exchange-sha1',
    'diffie-hellman-group14-sha1',
    'diffie-hellman-group1-sha1',
  ],
  cipher: [
    'chacha20-poly1305@openssh.com',
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'aes128-ctr',
    'aes192-ctr',
    'aes256-ctr',
    'aes128-cbc',
    'aes192-cbc',
    'aes256-cbc',
    '3des-cbc',
  ],
  mac: [
    'hmac-sha2-256-etm@openssh.com',
    'hmac-sha2-512-etm@openssh.com',
    'hmac-sha1-etm@openssh.com',
    'hmac-sha2-256',
    'hmac-sha2-512',
    'hmac-sha1',
  ],
} as const satisfies Record<string, readonly string[]>;

type Class = keyof typeof ABLE;

/** SHA-1 signatures of RSA keys only for those who ask for them. */
const HOST_KEYS = ABLE.hostKey.filter((name) => name !== 'ssh-rsa');

const NAMES: Readonly<Record<Class, string>> = {
  hostKey: 'HostKeyAlgorithms',
  kex: 'KexAlgorithms',
  cipher: 'Ciphers',
  mac: 'MACs',
};

/** One key serves three algorithms of signing. */
const OF_TYPE: Readonly<Record<string, readonly string[]>> = {
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'],
};

/** The list to offer; null: ssh2's own. */
function listed(kind: Class, wish: string | null, defaults: readonly string[]): string[] | null {
  if (wish === null) {
    return null;
  }
  const sign = /^[+^-]/.exec(wish)?.[0] ?? '';
  const names = wish.slice(sign.length).split(',');
  const able: readonly string[] = ABLE[kind];
  const meant = able.filter((name) => matchesList(name, names));
  const ordered = names.flatMap((pattern) => meant.filter((name) => matchesList(name, [pattern])));
  const list =
    sign === '-'
      ? defaults.filter((name) => !meant.includes(name))
      : sign === '+'
        ? [...defaults, ...ordered]
        : sign === '^'
          ? [...ordered, ...defaults]
          : ordered;
  if (list.length === 0) {
    throw new SockscopeError(
      'SSH_ALGORITHMS',
      `Nothing of ${NAMES[kind]} ${wish} is known here.`,
      `Known are ${able.join(', ')}.`,
      2,
    );
  }
  return [...new Set(list)];
}

/** Those of keys that are known for the host come first, unless the configuration has an order of its own (ssh does the same). */
export function algorithmsFor({ algorithms }: HostConfig, known: readonly string[]): Algorithms {
  const types = known.flatMap((type) => OF_TYPE[type] ?? [type]);
  const wished = listed('hostKey', algorithms.hostKey, HOST_KEYS);
  const keys = wished ?? HOST_KEYS;
  const fixed = algorithms.hostKey !== null && /^[^+^-]/.test(algorithms.hostKey);
  const hostKeys = fixed
    ? keys
    : [...keys].sort((a, b) => Number(types.includes(b)) - Number(types.includes(a)));
  const kex = listed(
    'kex',
    algorithms.kex,
    ABLE.kex.slice(0, ABLE.kex.indexOf('diffie-hellman-group-exchange-sha1')),
  );
  const cipher = listed('cipher', algorithms.cipher, ABLE.cipher.slice(0, ABLE.cipher.indexOf('aes128-cbc')));
  const mac = listed('mac', algorithms.mac, ABLE.mac);
  return {
    serverHostKey: hostKeys as ServerHostKeyAlgorithm[],
    ...(kex === null ? {} : { kex: kex as never[] }),
    ...(cipher === null ? {} : { cipher: cipher as never[] }),
    ...(mac === null ? {} : { hmac: mac as never[] }),
  };
}
