/** The proxy's file: what holds for all locations stands at its top, and each location may say otherwise. */
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SockscopeError } from '../../../errors.ts';
import { type ConfigMap, readYaml } from './config-yaml.ts';
import { CACHE_BYTES, DEFAULTS, HEALTH_EVERY, type ProxyPlan, type Route, type Target } from './plan.ts';
import { readTarget } from './target.ts';
import { absolute, accessOf, balanceOf, directory, millis, REALM, rateOf, size } from './values.ts';

const MOST_BYTES = 256 * 1024;
const ROUTE_KEYS = [
  'upstreams',
  'balance',
  'health',
  'failures',
  'down-for',
  'timeout',
  'host',
  'compress',
  'try-files',
  'auth',
  'rate',
];
const ROOT_KEYS = [...ROUTE_KEYS, 'cache', 'stale', 'status', 'ca', 'insecure', 'locations'];
const LOCATION_KEYS = [...ROUTE_KEYS, 'path', 'cache', 'ca', 'insecure'];

export async function readConfig(file: string, id: string): Promise<ProxyPlan> {
  const root = await readYaml(read(file, MOST_BYTES), file, ROOT_KEYS);
  const folder = dirname(resolve(file));
  const base = routeOf(root, { ...DEFAULTS, prefix: '/', targets: [] }, folder);
  const routes = (root.maps('locations', LOCATION_KEYS) ?? []).map((one) => {
    const prefix = one.value('path', (text) => absolute(text, 'a location'));
    if (prefix === undefined) {
      throw one.wrong('a location has a path', 'Write path: /api/.');
    }
    const route = routeOf(one, { ...base, prefix }, folder);
    if (route.targets.length === 0) {
      throw one.wrong(
        `the location ${prefix} has no upstreams`,
        'Name them here, or for all at the top of the file.',
      );
    }
    return { ...route, cache: one.flag('cache') ?? base.cache };
  });
  const prefixes = routes.map(({ prefix }) => prefix.replace(/\/$/, ''));
  const twice = routes.find(({ prefix }, i) => prefixes.indexOf(prefix.replace(/\/$/, '')) !== i);
  if (twice !== undefined) {
    throw root.wrong(`two locations are ${twice.prefix}`, 'Make one of them.');
  }
  const all = base.targets.length > 0 && !prefixes.includes('') ? [...routes, base] : routes;
  if (all.length === 0) {
    throw root.wrong('there are no upstreams', 'Write upstreams: and a list of them.');
  }
  return {
    id,
    routes: all.toSorted((a, b) => b.prefix.length - a.prefix.length),
    cacheBytes: root.value('cache', size) ?? CACHE_BYTES,
    stale: root.flag('stale') ?? false,
    status: root.flag('status') ?? false,
  };
}

function routeOf(map: ConfigMap, above: Route, folder: string): Route {
  const ca = map.value('ca', (text) => read(resolve(folder, text), MOST_BYTES)) ?? '';
  const insecure = map.flag('insecure') ?? false;
  const health = map.map('health', ['path', 'every']);
  const auth = map.map('auth', ['realm', 'users', 'bearer']);
  return {
    ...above,
    targets: targetsOf(map, ca, insecure) ?? above.targets,
    balance: map.value('balance', balanceOf) ?? above.balance,
    health:
      health === undefined
        ? above.health
        : {
            path: health.value('path', (text) => absolute(text, 'health')) ?? '/',
            everyMs: health.value('every', millis) ?? HEALTH_EVERY,
          },
    failures: map.value('failures', whole) ?? above.failures,
    downMs: map.value('down-for', millis) ?? above.downMs,
    timeoutMs: map.value('timeout', millis) ?? above.timeoutMs,
    host: map.value('host', hostOf) ?? above.host,
    compress: map.flag('compress') ?? above.compress,
    tryFiles: map.value('try-files', (text) => directory(resolve(folder, text))) ?? above.tryFiles,
    access:
      auth === undefined
        ? above.access
        : accessOf(auth.pairs('users'), auth.texts('bearer') ?? [], auth.value('realm', realmOf) ?? REALM),
    rate: map.value('rate', rateOf) ?? above.rate,
  };
}

function targetsOf(map: ConfigMap, ca: string, insecure: boolean): Target[] | undefined {
  return map.texts('upstreams')?.map((text) => {
    const target = readTarget(text, ca, insecure);
    if (typeof target === 'string') {
      throw map.wrong(target, 'Write localhost:3000, https://host/base or unix:/path.');
    }
    return target;
  });
}

function whole(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) {
    throw new SockscopeError('PROXY_CONFIG', `${text} is no number of failures.`, 'Write failures: 3.', 2);
  }
  return Number(text);
}

function hostOf(text: string): string {
  if (!/^[\w.:[\]-]+$/.test(text)) {
    throw new SockscopeError(
      'PROXY_CONFIG',
      `${text} is no host.`,
      'Write host: keep, host: upstream, or a name.',
      2,
    );
  }
  return text;
}

function realmOf(text: string): string {
  return text.replace(/[^\x20-\x7e]|["\\]/g, '');
}

function read(file: string, most: number): string {
  try {
    if (statSync(file).size <= most) {
      return readFileSync(file, 'utf8');
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SockscopeError(
      'PROXY_CONFIG',
      `${file} cannot be read: ${code}.`,
      'Name a file that can.',
      2,
      error,
    );
  }
  throw new SockscopeError(
    'PROXY_CONFIG',
    `${file} is larger than ${most} bytes.`,
    'Is it the right file?',
    2,
  );
}
