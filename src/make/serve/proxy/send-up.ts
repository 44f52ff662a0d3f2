/** Asks the upstreams of a location until one answers; again only where nothing can have happened twice. */
import { type Fields, fieldOf } from '../../cache/fields.ts';
import type { NodeHouse } from '../kind.ts';
import type { Exchange, WebRequest } from '../web/handler.ts';
import { ask, type Came, type Failure, type Upgraded } from './ask.ts';
import type { Asked } from './asked.ts';
import { refusalFor } from './failure.ts';
import { hostOf } from './health.ts';
import type { Job, NotReached, Reached } from './relay.ts';
import { framing, gatewayFields } from './request-fields.ts';
import { locationHere, pathThere } from './target.ts';
import type { Location, Upstream } from './upstreams.ts';

/** RFC 9110, section 9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export interface Try {
  readonly upstream: Upstream;
  readonly outcome: Came | Upgraded | Failure;
}

/** Whose request it is and where it goes. */
export interface Errand {
  readonly house: NodeHouse;
  readonly location: Location;
  readonly asked: Asked;
  readonly request: WebRequest;
  /** The client's address without its port. */
  readonly client: string;
  /** Who we are in Via. */
  readonly id: string;
}

export interface Parcel {
  readonly fields: Fields;
  readonly body: WebRequest | null;
  /** Null: nobody waits who could go away. */
  readonly waiting: Exchange | null;
  /** What to upgrade to; empty for nothing. */
  readonly upgrade: string;
}

export async function tryUpstreams(errand: Errand, { fields, body, waiting, upgrade }: Parcel): Promise<Try> {
  const { house, location, asked, request, client, id } = errand;
  const { route, upstreams } = location;
  const { scheme, authority, method } = asked;
  const sender = { client, scheme, authority, httpVersion: request.httpVersion, id };
  const tried = new Set<Upstream>();
  let upstream = upstreams.pick(tried, Date.now())!;
  for (;;) {
    const { target } = upstream;
    const host =
      route.host === 'keep' ? authority : route.host === 'upstream' ? hostOf(upstream) : route.host;
    const hop =
      upgrade === '' ? framing(asked.fields, body !== null) : ['Connection', 'Upgrade', 'Upgrade', upgrade];
    upstream.active++;
    upstream.requests++;
    const outcome = await ask(upstream.client, target.to, {
      head: {
        method,
        path: pathThere(target.base, route.prefix, asked.path),
        fields: [...gatewayFields(fields, host, sender), ...hop],
      },
      body,
      mostBody: house.common.maxBody,
      timeoutMs: route.timeoutMs,
      waiting,
      upgrade: upgrade !== '',
    });
    ended(upstream, outcome);
    if (outcome.kind !== 'failed') {
      upstreams.answered(upstream);
      return { upstream, outcome };
    }
    if (outcome.code === 'EGONE' || outcome.code === 'E2BIG') {
      return { upstream, outcome };
    }
    // That a kept connection was closed meanwhile says nothing about its server.
    if (!outcome.reused) {
      upstreams.failed(upstream, outcome.code, Date.now());
      tried.add(upstream);
    }
    const next = mayRepeat(outcome, method) ? upstreams.pick(tried, Date.now()) : null;
    if (next === null) {
      return { upstream, outcome };
    }
    upstream = next;
  }
}

/** Nothing was sent, or what was sent may be sent twice and the upstream has not answered any of it. */
function mayRepeat({ stood, bodySent, code }: Failure, method: string): boolean {
  return !bodySent && code !== 'ETIMEDOUT' && (!stood || (IDEMPOTENT.has(method) && isBroken(code)));
}

function isBroken(code: string): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE';
}

function ended(upstream: Upstream, outcome: Came | Upgraded | Failure): void {
  const over = () => {
    upstream.active--;
  };
  if (outcome.kind === 'failed') {
    over();
  } else {
    (outcome.kind === 'came' ? outcome.message : outcome.socket).once('close', over);
  }
}

export function sendUp(errand: Errand): Job['send'] {
  const { location, asked, request } = errand;
  return async (fields, waiting): Promise<Reached | NotReached> => {
    const began = performance.now();
    const body = waiting !== null && asked.hasBody ? request : null;
    const { upstream, outcome } = await tryUpstreams(errand, { fields, body, waiting, upgrade: '' });
    const { target } = upstream;
    if (errand.house.wantsLines) {
      waiting?.note(`upstream ${target.text} ${(performance.now() - began).toFixed(1)} ms`);
    }
    if (outcome.kind === 'failed') {
      if (outcome.code === 'EGONE') {
        return { kind: 'not reached', refusal: null, down: false };
      }
      const refusal = refusalFor(outcome, `the upstream ${target.text}`, location.route.timeoutMs);
      return { kind: 'not reached', refusal, down: outcome.code !== 'E2BIG' };
    }
    if (outcome.kind === 'upgraded') {
      outcome.socket.destroy();
      const text = `the upstream ${target.text} switched protocols, and nobody had asked it to`;
      return { kind: 'not reached', refusal: { status: 502, text }, down: false };
    }
    const { statusCode = 502, statusMessage = '', rawHeaders } = outcome.message;
    const head = { status: statusCode, message: statusMessage, fields: rawHeaders };
    return {
      kind: 'reached',
      came: outcome,
      head: { ...head, fields: rehomed(rawHeaders, location, upstream) },
    };
  };
}

function rehomed(fields: Fields, { route }: Location, { target }: Upstream): Fields {
  return fieldOf(fields, 'location') === undefined
    ? fields
    : fields.map((value, i) =>
        i % 2 === 1 && fields[i - 1]!.toLowerCase() === 'location'
          ? locationHere(value, target, route.prefix)
          : value,
      );
}
