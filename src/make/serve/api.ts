/** A web API: text, JSON, gob, slow and streamed answers, with deadlines that cancel what they overtake. */
import { SockscopeError } from '../../errors.ts';
import { durationNs } from '../../session/quantities.ts';
import type { ServerKind, Typed, Where } from './kind.ts';

interface ApiPlan {
  /** Milliseconds; null is none. */
  readonly deadline: number | null;
}

function plan({ words, options }: Typed): ApiPlan {
  if (words.length > 0) {
    throw new SockscopeError(
      'SERVE_WORDS',
      `serve api takes nothing but an address, and got ${JSON.stringify(words[0])}.`,
      'Leave it out; the routes are listed by `curl` on /.',
      2,
    );
  }
  const { deadline } = options;
  if (deadline === undefined) {
    return { deadline: null };
  }
  const ns = durationNs(String(deadline));
  if (ns === null || ns < 1e6 || ns > 3600e9) {
    throw new SockscopeError(
      'SERVE_DEADLINE',
      `--deadline ${String(deadline)} is no duration from 1ms to 1h.`,
      'Write a number with its unit: --deadline 500ms.',
      2,
    );
  }
  return { deadline: ns / 1e6 };
}

function tries({ over, host, port, path, tls, authority }: Where): string {
  const scheme = tls ? 'https' : 'http';
  const trust = tls ? `--cacert ${authority} ` : '';
  if (over === 'unix') {
    return `curl ${trust}--unix-socket ${path} ${scheme}://localhost/`;
  }
  return `curl ${trust}${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}/`;
}

export const kind: ServerKind<ApiPlan> = {
  name: 'api',
  about: 'a web API: text, JSON, gob, slow, streamed and redirected answers, with deadlines',
  words: '',
  options: [
    { flags: '--deadline <duration>', about: 'answer 504 after so long, and cancel what is being done' },
  ],
  examples: [
    'sockscope serve api :8080',
    'sockscope serve api --tls',
    'sockscope serve api --deadline 500ms',
    'sockscope serve api unix:/tmp/api.sock',
  ],
  port: 8080,
  over: ['tcp', 'unix'],
  tls: true,
  lines: 'requests',
  plan,
  tries,
  async node(house, { deadline }) {
    // Hono is loaded by whoever serves it, not by whoever only lists what there is.
    const [{ webService }, { apiHandler }] = await Promise.all([
      import('./web/server.ts'),
      import('./api/app.ts'),
    ]);
    return webService(house, apiHandler(house, deadline));
  },
};
