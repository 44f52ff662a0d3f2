/** The same traffic recorded twice: by tcpdump into FILE, and by our own program into FILE.ours.pcapng. */
import { once } from 'node:events';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { ended, marked, run, scene, start, until } from './scene.mjs';

const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const ours = `${process.argv[2]}.ours.pcapng`;

await scene(async () => {
  const watch = start(process.execPath, [program, 'watch', '-i', 'lo', '-w', ours]);
  await until(
    () => watch.said().includes('watching'),
    () => `watch: ${watch.said()}`,
  );
  const origin = http.createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(request.url === '/none' ? 404 : 200).end('all work and no play\n'.repeat(20_000));
    });
  });
  origin.listen(8080, '127.0.0.1');
  await once(origin, 'listening');
  const base = 'http://127.0.0.1:8080';
  await run('curl', ['-sS', '-o', '/dev/null', `${base}/`, '-o', '/dev/null', `${base}/none`]);
  await run('curl', ['-sS', '-o', '/dev/null', '-X', 'PUT', '-d', 'a=1', `${base}/form`]);
  origin.close();
  await marked(ours);
  watch.kill('SIGINT');
  if ((await ended(watch)) !== 0 || !watch.said().includes(' 0 lost')) {
    throw new Error(watch.said());
  }
});
