/** Which path leads where. */
import { type Answer, type Api, JSON_TYPE, type Route } from './api.ts';
import { Refusal } from './errors.ts';
import { METRICS_TYPE, metricsText } from './metrics.ts';
import { createProxy, deleteProxy, listProxies, populate, reset, showProxy, updateProxy } from './proxies.ts';
import { createToxic, deleteToxic, listToxics, showToxic, updateToxic } from './toxics.ts';

type Methods = Readonly<Record<string, Route>>;

/** An empty part is a name. POST where PATCH is as well: what clients before Toxiproxy 2.6 send. */
const ROUTES: readonly (readonly [path: string, methods: Methods])[] = [
  ['proxies', { GET: listProxies, POST: createProxy }],
  ['proxies/', { GET: showProxy, PATCH: updateProxy, POST: updateProxy, DELETE: deleteProxy }],
  ['proxies//toxics', { GET: listToxics, POST: createToxic }],
  ['proxies//toxics/', { GET: showToxic, PATCH: updateToxic, POST: updateToxic, DELETE: deleteToxic }],
  ['populate', { POST: populate }],
  ['reset', { POST: reset }],
  ['version', { GET: version }],
  ['metrics', { GET: metrics }],
];

export interface Found {
  readonly route: Route;
  readonly names: readonly string[];
}

/** The route, or 400, 404, or 405 with the methods that there are. */
export function findRoute(method: string, target: string): Found | Refusal | { readonly allow: string } {
  const parts = partsOf(target);
  if (parts === null) {
    return new Refusal(400, 'the path cannot be decoded');
  }
  for (const [path, methods] of ROUTES) {
    const pattern = path.split('/');
    if (pattern.length === parts.length && pattern.every((part, at) => fits(part, parts[at] ?? ''))) {
      const route = Object.hasOwn(methods, method) ? methods[method] : undefined;
      const names = parts.filter((_, at) => pattern[at] === '');
      return route === undefined ? { allow: Object.keys(methods).join(', ') } : { route, names };
    }
  }
  return new Refusal(404, 'there is nothing at this path');
}

function fits(pattern: string, part: string): boolean {
  return pattern === '' ? part !== '' : pattern === part;
}

/** A target may be a whole URL (RFC 9112 section 3.2.2). */
function partsOf(target: string): string[] | null {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
  try {
    return path.split('/').slice(1).map(decodeURIComponent);
  } catch {
    return null;
  }
}

/** Spelt as Toxiproxy spells it: some clients compare the text. */
async function version(api: Api): Promise<Answer> {
  return {
    status: 200,
    type: `${JSON_TYPE};charset=utf-8`,
    body: `{"version": ${JSON.stringify(api.version)}}\n`,
  };
}

async function metrics(api: Api): Promise<Answer> {
  return { status: 200, type: METRICS_TYPE, body: metricsText(await api.counted()) };
}
