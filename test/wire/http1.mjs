/** HTTP/1.1: curl and a raw socket talk to nginx, which serves files and passes some requests on to Node. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { folder, run, scene, serve } from './scene.mjs';

const origin = http.createServer((request, response) => {
  let length = 0;
  request.on('data', (piece) => {
    length += piece.length;
  });
  request.on('end', () => {
    if (request.url === '/chunks') {
      response.setHeader('Trailer', 'X-Sum');
      for (let i = 0; i < 5; i++) {
        response.write(`piece ${i} `.repeat(300 * i + 1));
      }
      response.addTrailers({ 'X-Sum': '5' });
      response.end();
    } else if (request.url === '/teapot') {
      response.writeHead(418).end();
    } else {
      response.end(`${request.method} ${length}`);
    }
  });
});

await scene(async () => {
  writeFileSync(join(folder, 'index.html'), '<p>hello</p>\n'.repeat(100));
  writeFileSync(join(folder, 'empty.txt'), '');
  writeFileSync(join(folder, 'large.bin'), Buffer.alloc(4_000_000, 'large '));
  writeFileSync(join(folder, 'post.bin'), Buffer.alloc(1_500_000, 'upload '));
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; user root; pid ${folder}/pid; error_log stderr crit;
events {} http { access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p;
fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
types { text/html html; } gzip on; gzip_types text/html; gzip_min_length 1; client_max_body_size 8m;
server { listen 8080; root ${folder}; location /api/ { proxy_pass http://127.0.0.1:9000/; proxy_http_version 1.1; }
location = /gone { return 301 /index.html?moved=1; } } }`,
  );
  origin.listen(9000, '127.0.0.1');
  await once(origin, 'listening');
  await serve(8080, 'nginx', ['-c', join(folder, 'nginx.conf'), '-p', folder, '-e', 'stderr']);
  const base = 'http://127.0.0.1:8080';
  const curl = (...args) => run('curl', ['-sS', '-o', '/dev/null', ...args]);
  const many = ['/', '/index.html?q=a%20b', '/none', '/empty.txt', '/api/chunks', '/gone', '/api/teapot'];
  await curl(...many.flatMap((path) => ['-o', '/dev/null', base + path]));
  await curl('--compressed', `${base}/index.html`);
  await curl('-I', `${base}/large.bin`, '-I', `${base}/none`);
  await curl(`${base}/large.bin`);
  await curl('-r', '1000-2999', `${base}/large.bin`);
  await curl('-H', 'If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT', `${base}/index.html`);
  await curl('--json', '{"a":1}', `${base}/api/form`, '--next', '-sS', '-X', 'DELETE', `${base}/api/one`);
  // Larger than 1 MB: curl asks first (Expect: 100-continue).
  await curl('--data-binary', '@post.bin', `${base}/api/upload`);
  await curl('-H', 'Transfer-Encoding: chunked', '-T', 'post.bin', `${base}/api/put`);
  await curl('--http1.0', `${base}/index.html`);
  await curl('-u', 'me:secret', '-b', 'session=abc', '-X', 'OPTIONS', `${base}/index.html`);
  await pipelined([
    'GET / HTTP/1.1\r\nHost: a.test\r\n\r\nGET /none HTTP/1.1\r\nHost: b.test\r\n\r\nHEAD /large.bin HTTP/1.1\r\nHost: c.test\r\n\r\n',
    'GET /empty.txt HTTP/1.1\r\nHo',
    'st: d.test\r\nConnection: close\r\n\r\n',
  ]);
  await pipelined(['NOT HTTP AT ALL\r\n\r\n']);
  // nginx keeps nothing to its origin; what is idle there is closed so that every stream ends in the capture.
  origin.closeAllConnections();
  origin.close();
});

/** Writes the pieces as segments of their own and reads until the server closes. */
async function pipelined(pieces) {
  const socket = net.connect({ port: 8080, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  for (const piece of pieces) {
    await new Promise((resolve) => socket.write(piece, resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.resume();
  await once(socket, 'close');
}
