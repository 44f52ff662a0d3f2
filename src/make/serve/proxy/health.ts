/** Asks every upstream now and then whether it is well. */
import { ask } from './ask.ts';
import type { HealthCheck } from './plan.ts';
import type { Upstream, Upstreams } from './upstreams.ts';

/** Whoever answers later than this (milliseconds) is not well; until then nobody is asked a second time. */
const MOST = 5000;

/** Returns what ends it. */
export function watchHealth(upstreams: Upstreams, { path, everyMs }: HealthCheck): () => void {
  const waiting = new Set<() => void>();
  let ended = false;
  const asking = new Set<Upstream>();

  async function check(one: Upstream): Promise<void> {
    const { to } = one.target;
    asking.add(one);
    const outcome = await ask(one.client, to, {
      head: { method: 'GET', path, fields: ['Host', hostOf(one), 'User-Agent', 'sockscope health check'] },
      body: null,
      mostBody: 0,
      timeoutMs: MOST,
      waiting: {
        whenGone(act) {
          waiting.add(act);
          return () => waiting.delete(act);
        },
      },
      upgrade: false,
    });
    asking.delete(one);
    if (ended) {
      return;
    }
    if (outcome.kind === 'came') {
      outcome.message.resume();
      const status = outcome.message.statusCode!;
      if (status < 400) {
        upstreams.answered(one);
      } else {
        upstreams.unwell(one, `${status} for ${path}`);
      }
    } else {
      upstreams.unwell(one, outcome.kind === 'failed' ? outcome.code : `no answer for ${path}`);
    }
  }

  const timer = setInterval(() => {
    for (const one of upstreams.all) {
      if (!asking.has(one)) {
        void check(one);
      }
    }
  }, everyMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    ended = true;
    for (const stop of waiting) {
      stop();
    }
  };
}

export function hostOf({ target }: Upstream): string {
  const { host, port, secure, socket } = target.to;
  const name = host.includes(':') ? `[${host}]` : host;
  return socket !== '' || port === (secure ? 443 : 80) ? name : `${name}:${port}`;
}
