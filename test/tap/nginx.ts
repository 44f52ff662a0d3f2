/** nginx on a port of its own, with what the test says about it. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answers, folder, freePort, serve } from './program.ts';

export interface Nginx {
  readonly port: number;
  /** Files in here are served. */
  readonly root: string;
}

export async function nginx(server = '', listen = ''): Promise<Nginx> {
  const home = folder();
  const port = await freePort();
  const root = join(home, 'www');
  mkdirSync(root);
  for (const each of [home, root]) {
    chmodSync(each, 0o755);
  }
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const config = `
    daemon off; master_process off; pid ${home}/pid; error_log ${home}/error.log;
    events { worker_connections 256; }
    http {
      access_log off; server_tokens off; client_max_body_size 20m;
      ${places.map((place) => `${place}_temp_path ${home}/${place};`).join(' ')}
      server {
        listen 127.0.0.1:${port} ${listen};
        root ${root};
        ${server}
      }
    }`;
  writeFileSync(join(home, 'nginx.conf'), config);
  await serve('nginx', ['-p', home, '-c', join(home, 'nginx.conf'), '-e', join(home, 'error.log')], () =>
    answers(port),
  );
  return { port, root };
}
