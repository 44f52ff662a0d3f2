/** The reverse proxy: limits, access, files, cache, upstreams, in this order (nginx's phases have the same). */
import type { IncomingMessage } from 'node:http';
import { Cache } from '../../cache/cache.ts';
import { Collapse } from '../../cache/collapse.ts';
import { fieldOf, without } from '../../cache/fields.ts';
import type { NodeHouse } from '../kind.ts';
import type { Exchange, WebHandler, WebRequest, WebResponse } from '../web/handler.ts';
import { challenge } from './access.ts';
import { createAllowance } from './allowance.ts';
import { type Asked, plainPath, readAsked } from './asked.ts';
import { watchHealth } from './health.ts';
import type { ProxyPlan, Route } from './plan.ts';
import { type Relay, relay } from './relay.ts';
import { begin, plain, prepare, sendStream } from './reply.ts';
import { passedHere } from './request-fields.ts';
import { sendUp } from './send-up.ts';
import { reportConnections, STATUS_PATH, statusJson } from './status-page.ts';
import { findFile } from './try-files.ts';
import { type Refused, upgradeThrough } from './upgrade.ts';
import { type Location, Upstreams } from './upstreams.ts';

interface Admitted {
  readonly asked: Asked;
  readonly location: Location;
  /** Decoded, for files. */
  readonly path: string;
}

export function proxyHandler(house: NodeHouse, plan: ProxyPlan): WebHandler {
  const { id, routes, cacheBytes, stale } = plan;
  const locations = routes.map((route): Location => {
    const upstreams = new Upstreams(route, (text) => house.say(text));
    return { route, upstreams, allows: createAllowance(route.rate) };
  });
  const caching: Relay = {
    cache: cacheBytes === 0 ? null : new Cache({ bytes: cacheBytes, staleWhenDown: stale }),
    collapse: new Collapse(),
    tally: { hit: 0, miss: 0, stale: 0, revalidated: 0, bypass: 0 },
  };
  const passing: Relay = { ...caching, cache: null };
  const endings = [
    reportConnections(house, locations),
    ...locations.flatMap(({ route, upstreams }) =>
      route.health === null ? [] : [watchHealth(upstreams, route.health)],
    ),
  ];
  const tunnels = new Set<() => void>();

  function admit(request: WebRequest, exchange: Exchange): Admitted | Refused {
    const asked = readAsked(request, exchange.secure);
    if (typeof asked === 'string') {
      return { status: 400, text: asked, fields: [] };
    }
    if (passedHere(asked.fields, id)) {
      return { status: 508, text: 'this request was here before: the upstream leads back', fields: [] };
    }
    const path = asked.path === '*' ? '/' : plainPath(asked.path);
    if (path === null) {
      return { status: 400, text: 'this path cannot be read', fields: [] };
    }
    const location = locations.find(({ route }) => isBelow(path, route.prefix));
    if (location === undefined) {
      return { status: 404, text: 'no location is meant by this path', fields: [] };
    }
    const { access } = location.route;
    if (!location.allows(exchange.client, Date.now())) {
      return { status: 429, text: 'too many requests', fields: ['Retry-After', '1'] };
    }
    if (access === null) {
      return { asked, location, path };
    }
    const challenges = challenge(access, fieldOf(asked.fields, 'authorization'));
    if (challenges !== null) {
      const fields = challenges.flatMap((one) => ['WWW-Authenticate', one]);
      return { status: 401, text: 'who are you?', fields };
    }
    // The credentials were for us: the upstream does not get them, and what it answers is the same for all who may.
    const fields = without(asked.fields, (name) => name === 'authorization');
    return { asked: { ...asked, fields }, location, path };
  }

  return {
    async handle(request, response, exchange) {
      const admitted = admit(request, exchange);
      if ('status' in admitted) {
        refuse(response, request, admitted);
        return;
      }
      const { asked, location, path } = admitted;
      const { route } = location;
      if (plan.status && path === STATUS_PATH) {
        plain(response, 200, statusJson(locations, caching), ['Cache-Control', 'no-store']);
        return;
      }
      if (route.tryFiles !== '' && (await servedFile(route, asked, path, response, exchange))) {
        return;
      }
      const { method, authority, scheme, fields } = asked;
      const uri = `${scheme}://${authority}${asked.path}`;
      const job = {
        request: { method, uri, fields },
        compress: route.compress,
        send: sendUp({ house, location, asked, request, client: exchange.client, id }),
      };
      await relay(route.cache ? caching : passing, job, response, exchange);
    },
    upgrade(request: IncomingMessage, socket, head, exchange) {
      const admitted = admit(request, exchange);
      const refused =
        'status' in admitted
          ? admitted
          : admitted.asked.hasBody
            ? { status: 400, text: 'a request that upgrades has no body here', fields: [] }
            : null;
      void upgradeThrough(refused, admitted as Admitted, {
        house,
        request,
        socket,
        head,
        exchange,
        id,
        tunnels,
      });
    },
    drain() {
      for (const end of tunnels) {
        end();
      }
    },
    close() {
      for (const end of endings) {
        end();
      }
      for (const { upstreams } of locations) {
        upstreams.close();
      }
    },
  };
}

/** `/api` is below `/api` and `/api/`, `/apis` is not. */
function isBelow(path: string, prefix: string): boolean {
  const root = prefix.replace(/\/$/, '');
  return path === root || path.startsWith(`${root}/`);
}

function refuse(response: WebResponse, request: WebRequest, { status, text, fields }: Refused): void {
  request.resume();
  plain(response, status, text, fields);
}

async function servedFile(
  { tryFiles, compress }: Route,
  { method, fields }: Asked,
  path: string,
  response: WebResponse,
  exchange: Exchange,
): Promise<boolean> {
  if (method !== 'GET' && method !== 'HEAD') {
    return false;
  }
  const found = await findFile(tryFiles, path, fields);
  if (found === null) {
    return false;
  }
  exchange.note('file');
  const head = { status: found.status, message: '', fields: found.fields };
  const body = prepare(head, compress, fieldOf(fields, 'accept-encoding'));
  const source = found.body;
  if (source === null || method === 'HEAD' || source.from === source.to) {
    await source?.file.close();
    begin(response, body.head);
    response.end();
    return true;
  }
  const { file, from, to } = source;
  await sendStream(response, body, file.createReadStream({ start: from, end: to - 1 }), false, () => {});
  return true;
}
