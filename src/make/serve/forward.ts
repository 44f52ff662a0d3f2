/** A forward proxy: for clients that are told to use one, `curl -x` and browsers. */
import { type ForwardPlan, planFrom } from './forward/plan.ts';
import { forwardHandler } from './forward/service.ts';
import type { ServerKind } from './kind.ts';
import { webService } from './web/server.ts';

export const kind: ServerKind<ForwardPlan> = {
  name: 'forward',
  about: 'forward proxy for curl -x and browsers: CONNECT, and a cache for plain HTTP',
  words: '',
  options: [
    {
      flags: '--allow <host>',
      about: 'only there: example.org, *.example.org:443, 10.0.0.0/8, :80',
      many: true,
    },
    { flags: '--deny <host>', about: 'not there; stronger than --allow', many: true },
    { flags: '--cache <size>', about: 'memory for the cache; 0 is none (64MB)' },
    {
      flags: '--timeout <duration>',
      about: 'for connections, the head of an answer, and between its pieces (60s)',
    },
    { flags: '--stale', about: 'serve from the cache while an origin is down, whatever the answer allowed' },
  ],
  examples: ['sockscope serve forward :8118', "sockscope serve forward --allow '*.example.org' --deny :22"],
  port: 8118,
  over: ['tcp'],
  tls: true,
  lines: 'requests',
  guarded: true,
  plan: planFrom,
  tries: ({ host, port, tls, authority }) =>
    tls
      ? `curl -i -x https://${host}:${port}/ --proxy-cacert ${authority} http://example.org/`
      : `curl -i -x http://${host}:${port}/ http://example.org/`,
  node: async (house, plan) => webService(house, forwardHandler(house, plan)),
};
