/** TLS 1.2 and 1.3 between OpenSSL's own client and server: full handshakes, resumption, ALPN, client certificates, alerts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, run, scene, serve } from './scene.mjs';

await scene(async () => {
  const at = (name) => join(folder, name);
  const subject = '/C=DE/O=Scene \\/ Söhne/CN=scene.test';
  const make = (name, ...key) =>
    run('openssl', [
      ...['req', '-x509', '-nodes', '-days', '30', '-utf8', '-subj', subject, '-newkey', ...key],
      ...['-addext', 'subjectAltName=DNS:scene.test,DNS:*.scene.test,IP:127.0.0.1'],
      ...['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)],
    ]);
  await make('rsa', 'rsa:2048');
  await make('ec', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256');
  writeFileSync(at('index.html'), 'over TLS\n'.repeat(3000));
  const server = (port, name, ...more) =>
    serve(port, 'openssl', [
      ...[
        's_server',
        '-accept',
        `127.0.0.1:${port}`,
        '-cert',
        at(`${name}.pem`),
        '-key',
        at(`${name}.key`),
        '-quiet',
      ],
      ...['-alpn', 'h2,http/1.1', ...more],
    ]);
  await server(4431, 'ec', '-HTTP');
  await server(4432, 'rsa', '-tls1_2', '-HTTP');
  await server(4433, 'ec', '-HTTP', '-Verify', '1');
  const client = (port, ...more) =>
    run(
      'openssl',
      ['s_client', '-connect', `127.0.0.1:${port}`, '-quiet', '-no_ign_eof', '-ign_eof', ...more],
      { input: 'GET /index.html HTTP/1.0\r\n\r\n', status: null },
    );
  for (const port of [4431, 4432]) {
    const session = at(`session${port}`);
    await client(port, '-servername', 'scene.test', '-alpn', 'http/1.1,h2', '-sess_out', session);
    await client(port, '-servername', 'scene.test', '-sess_in', session);
    await client(port, '-noservername');
    // Both sides have nothing in common.
    await client(port, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0');
    await client(port, '-tls1_2', '-cipher', 'NULL-SHA256:PSK-AES128-GCM-SHA256:@SECLEVEL=0');
  }
  await client(4431, '-tls1_2', '-servername', 'two.scene.test', '-alpn', 'h2');
  await client(4431, '-groups', 'X25519', '-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256');
  // A share for a group the server does not take: it asks for another.
  await server(4434, 'ec', '-HTTP', '-groups', 'P-384');
  await client(4434, '-groups', 'X25519:P-384', '-servername', 'retry.scene.test');
  await client(4433, '-cert', at('rsa.pem'), '-key', at('rsa.key'));
  await client(4433);
  await client(4433, '-tls1_2');
  await client(4432, '-cipher', 'DHE-RSA-AES128-GCM-SHA256');
  await client(4432, '-cipher', 'AES128-SHA');
  await client(4432, '-verify_return_error', '-CAfile', at('ec.pem'));
});
