/** A reverse proxy: it stands in front of other servers, and answers for them where it can. */
import type { ServerKind } from './kind.ts';
import type { ProxyPlan } from './proxy/plan.ts';
import { proxyHandler } from './proxy/service.ts';
import { planFrom } from './proxy/words.ts';
import { webService } from './web/server.ts';

export const kind: ServerKind<ProxyPlan> = {
  name: 'proxy',
  about: 'stands in front of HTTP servers: cache, load balancing, files, passwords, compression',
  words: '<config|target...>',
  options: [
    { flags: '--cache <size>', about: 'memory for the cache; 0 is none (64MB)' },
    { flags: '--balance <how>', about: 'whose turn it is: round-robin (the usual) or least connections' },
    { flags: '--health <path>', about: 'ask every upstream for this path every 5 s' },
    { flags: '--try-files <directory>', about: 'serve its files before the upstream is asked' },
    { flags: '--auth <user:password>', about: 'ask for a password', many: true },
    { flags: '--bearer <token>', about: 'ask for a token', many: true },
    { flags: '--compress', about: 'gzip or brotli for clients that take it' },
    { flags: '--timeout <duration>', about: 'for the head of an answer, and between its pieces (60s)' },
    {
      flags: '--stale',
      about: 'serve from the cache while the upstream is down, whatever the answer allowed',
    },
    { flags: '--status', about: 'upstreams, connections and cache as JSON at /.sockscope/status' },
  ],
  examples: [
    'sockscope serve proxy localhost:3000',
    'sockscope serve proxy localhost:3000 localhost:3001 --balance least --stale :8080',
    'sockscope serve proxy proxy.yaml --tls',
  ],
  port: 8080,
  over: ['tcp', 'unix'],
  tls: true,
  lines: 'requests',
  plan: planFrom,
  tries: ({ over, host, port, path, tls, authority }) => {
    if (over === 'unix') {
      return `curl -i --unix-socket ${path} http://localhost/`;
    }
    return tls ? `curl -i --cacert ${authority} https://${host}:${port}/` : `curl -i http://${host}:${port}/`;
  },
  node: async (house, plan) => webService(house, proxyHandler(house, plan)),
};
