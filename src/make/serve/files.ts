/** Static files, as people use nginx for them. */
import { type FilesPlan, planFrom } from './files/plan.ts';
import type { ServerKind, Where } from './kind.ts';

function tries({ over, host, port, path, tls, authority }: Where): string {
  const scheme = tls ? 'https' : 'http';
  const trust = tls ? `--cacert ${authority} ` : '';
  if (over === 'unix') {
    return `curl ${trust}--unix-socket ${path} ${scheme}://localhost/`;
  }
  return `curl ${trust}${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}/`;
}

export const kind: ServerKind<FilesPlan> = {
  name: 'files',
  about: 'the files of a directory: ranges, conditions, types, listings, compression',
  words: '<directory>',
  options: [
    {
      flags: '--try-files <words>',
      about: "index.html for whatever is not there; or as nginx has it: '$uri $uri/ $uri.html =404'",
    },
    { flags: '--cache-control <value>', about: 'what caches are told about files' },
    { flags: '--no-listing', about: '403 for directories without index.html' },
    { flags: '--hidden', about: 'files whose names begin with a dot, too' },
    { flags: '--follow', about: 'links may lead out of the directory' },
    { flags: '--cors', about: 'pages of other origins may read them' },
  ],
  examples: [
    'sockscope serve files .',
    'sockscope serve files dist :8080 --try-files index.html',
    "sockscope serve files public --tls --cache-control 'max-age=3600'",
  ],
  port: 8080,
  over: ['tcp', 'unix'],
  tls: true,
  lines: 'requests',
  plan: planFrom,
  tries,
  async node(house, plan) {
    const [{ webService }, { filesHandler }] = await Promise.all([
      import('./web/server.ts'),
      import('./files/handler.ts'),
    ]);
    return webService(house, filesHandler(plan));
  },
};
