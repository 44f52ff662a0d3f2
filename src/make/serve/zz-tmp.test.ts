import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { test } from 'vitest';
import { serve } from '../../../test/web-service.ts';
import { webService } from './web/server.ts';

const run = promisify(execFile);
test('x', async () => {
  const tls = {
    certificate: readFileSync('/tmp/wt/c.pem', 'utf8'),
    key: readFileSync('/tmp/wt/k.pem', 'utf8'),
  };
  const s = await serve(
    (house) =>
      webService(house, {
        handle: (_q, r) => {
          r.end('hi');
        },
      }),
    { tls },
  );
  for (const how of ['--http1.1', '--http2']) {
    const r = await run('curl', ['-m', '2', '-kv', how, `https://127.0.0.1:${s.port}/`]).catch((e) => e);
    console.log(how, r.stdout, r.stderr.slice(-700));
  }
  console.log(s.lines, s.said);
  await s.close();
});
