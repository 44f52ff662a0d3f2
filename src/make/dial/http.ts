/** A client for HTTP: requests over kept connections, redirects followed as the fetch standard says. */
import type { HttpExchangeFacts } from '../../session/http-exchange.ts';
import { type ExchangeEar, exchange, fieldOf, type Head } from './http/exchange.ts';
import type { HttpPlan } from './http/plan.ts';
import { createHttpPool } from './http/pool.ts';
import { type Redirectable, type Redirected, redirectOf } from './http/redirect.ts';

export interface HttpEar extends ExchangeEar {
  /** It is over, with the redirect that it led to. */
  exchange(facts: HttpExchangeFacts): void;
}

/** What is asked this time, where it is not what the plan says. */
export type HttpInstead = Partial<Pick<HttpPlan, 'url' | 'body'>>;

export interface HttpClient {
  /** All hops of one request; the last of them is answered. Only the last one's head and body are told. */
  request(ear: HttpEar, cancelled: AbortSignal, instead?: HttpInstead): Promise<HttpExchangeFacts>;
  readonly opened: number;
  close(): void;
}

export function createHttpClient(plan: HttpPlan): HttpClient {
  const pool = createHttpPool(plan);
  return {
    async request(ear, cancelled, instead = {}) {
      const began = process.hrtime.bigint();
      const visited: string[] = [];
      const { method, url, fields, body } = { ...plan, ...instead };
      let current: Redirectable = { method, url, fields, body };
      for (;;) {
        const { whole } = plan.deadlines;
        const left = whole === null ? null : Math.max(0, whole - Number(process.hrtime.bigint() - began));
        visited.push(current.url.href);
        const asked = current;
        const follows = (head: Head): boolean =>
          plan.follows && visited.length <= plan.redirects && led(head, asked)?.next != null;
        let passing = false;
        const facts = await exchange(
          pool,
          plan,
          asked,
          left,
          {
            head(head) {
              passing = follows(head);
              if (!passing) {
                ear.head(head);
              }
            },
            body: (bytes) => (passing ? undefined : ear.body(bytes)),
          },
          cancelled,
        );
        const redirected = facts.failure === null ? led(facts, asked) : null;
        const told = redirected === null ? facts : withRedirect(facts, redirected, plan, visited);
        ear.exchange(told);
        if (told.redirect?.followed !== true || redirected?.next == null) {
          return told;
        }
        current = redirected.next;
      }
    },
    get opened() {
      return pool.opened;
    },
    close: () => pool.close(),
  };
}

function led({ status, fields }: Pick<Head, 'status' | 'fields'>, from: Redirectable): Redirected | null {
  return redirectOf(status, fieldOf(fields, 'location'), from);
}

function withRedirect(
  facts: HttpExchangeFacts,
  { facts: redirect, next }: Redirected,
  { follows, redirects }: HttpPlan,
  visited: readonly string[],
): HttpExchangeFacts {
  const allowed = visited.length <= redirects;
  const followed = follows && allowed && next !== null;
  const failure =
    !follows || followed
      ? null
      : next === null
        ? {
            code: 'HTTP_REDIRECT',
            message: `The redirect cannot be followed: ${redirect.refused}.`,
            hint: 'Only http:// and https:// are followed; the address is what the server sent.',
            phase: null,
          }
        : tooMany(redirect.to, redirects, visited);
  return { ...facts, redirect: { ...redirect, followed }, failure };
}

function tooMany(to: string, most: number, visited: readonly string[]): HttpExchangeFacts['failure'] {
  const before = visited.lastIndexOf(to);
  if (before >= 0) {
    const circle = [...visited.slice(before), to].join(' → ');
    return {
      code: 'HTTP_REDIRECT_LOOP',
      message: `The redirects go round in a circle: ${circle}.`,
      hint: 'The server has to break it; a cookie (-b NAME=VALUE) may be what it misses.',
      phase: null,
    };
  }
  return {
    code: 'HTTP_REDIRECTS',
    message: `More than ${most} redirects: the next would lead to ${to}.`,
    hint: '--max-redirects N follows more of them.',
    phase: null,
  };
}
