/** SSH: the version exchange, the offers of algorithms and the key exchange between OpenSSH's client and server. */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, run, scene, serve } from './scene.mjs';

const PORT = 2222;

await scene(async () => {
  const at = (name) => join(folder, name);
  for (const type of ['ed25519', 'rsa', 'ecdsa']) {
    await run('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', at(type)]);
  }
  // sshd wants its folder when root starts it; what we make we take away.
  if (mkdirSync('/run/sshd', { recursive: true }) !== undefined) {
    process.on('exit', () => rmSync('/run/sshd', { recursive: true, force: true }));
  }
  writeFileSync(
    at('config'),
    `HostKey ${at('ed25519')}\nHostKey ${at('rsa')}\nHostKey ${at('ecdsa')}\nPidFile none\nUsePAM no\nStrictModes no
KexAlgorithms +diffie-hellman-group14-sha256,diffie-hellman-group-exchange-sha256\nPasswordAuthentication no\n`,
  );
  chmodSync(at('ed25519'), 0o600);
  await serve(PORT, '/usr/sbin/sshd', [
    '-D',
    '-e',
    '-f',
    at('config'),
    '-o',
    `ListenAddress=127.0.0.1:${PORT}`,
  ]);
  const quiet = [
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'BatchMode=yes',
    'LogLevel=ERROR',
  ];
  const ssh = (...more) =>
    run(
      'ssh',
      [
        '-F',
        'none',
        '-p',
        String(PORT),
        '-i',
        '/dev/null',
        ...[...quiet, ...more].flatMap((one) => ['-o', one]),
        '127.0.0.1',
        'true',
      ],
      {
        status: null,
      },
    );
  await ssh();
  await ssh('KexAlgorithms=ecdh-sha2-nistp256', 'HostKeyAlgorithms=ecdsa-sha2-nistp256');
  await ssh(
    'KexAlgorithms=diffie-hellman-group14-sha256',
    'HostKeyAlgorithms=rsa-sha2-512',
    'Ciphers=aes128-ctr',
  );
  await ssh('KexAlgorithms=diffie-hellman-group-exchange-sha256', 'HostKeyAlgorithms=ssh-ed25519');
  // Nothing in common: the server says goodbye in the clear.
  await ssh('Ciphers=aes128-cbc', 'KexAlgorithms=diffie-hellman-group1-sha1');
});
