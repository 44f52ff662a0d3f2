/** HTTP/2 without TLS: curl and nghttp talk to nginx and nghttpd, many requests at once. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, run, scene, serve } from './scene.mjs';

await scene(async () => {
  writeFileSync(join(folder, 'index.html'), '<p>hello</p>\n'.repeat(1000));
  writeFileSync(join(folder, 'large.bin'), Buffer.alloc(400_000, 'large '));
  writeFileSync(join(folder, 'post.bin'), Buffer.alloc(150_000, 'upload '));
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; user root; pid ${folder}/pid; error_log stderr crit;
events {} http { access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p;
fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
server { listen 8081 http2; root ${folder}; location = /api { client_max_body_size 8m; error_page 405 =200 /index.html; return 204; }
location = /gone { return 301 /index.html; } } }`,
  );
  await serve(8081, 'nginx', ['-c', join(folder, 'nginx.conf'), '-p', folder, '-e', 'stderr']);
  await serve(8082, 'nghttpd', [
    '--no-tls',
    '-a',
    '127.0.0.1',
    '-d',
    folder,
    '--echo-upload',
    '--trailer',
    'x-sum: 1',
    '8082',
  ]);
  const curl = (...args) =>
    run('curl', ['-sS', '--http2-prior-knowledge', '-o', '/dev/null', ...args], { status: null });
  const nginx = 'http://127.0.0.1:8081';
  for (const path of ['/', '/index.html?q=1', '/none', '/gone', '/large.bin']) {
    await curl(nginx + path);
  }
  await curl('-I', `${nginx}/large.bin`);
  // nginx answers before the body is there and resets the stream, which curl takes for an error.
  await curl('--data-binary', '@post.bin', `${nginx}/api`);
  await curl('-X', 'DELETE', '-H', 'x-long: '.padEnd(3000, 'a'), `${nginx}/api`);
  for (const base of [nginx, 'http://127.0.0.1:8082']) {
    const paths = ['/', '/index.html', '/none', '/large.bin'].map((path) => base + path);
    await run('nghttp', ['-n', '-m', '4', ...paths]);
    await run('nghttp', ['-n', '-d', join(folder, 'post.bin'), '-H', ':method: PUT', `${base}/api`]);
  }
});
