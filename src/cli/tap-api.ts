/** `--api`: Toxiproxy's control API for the taps of this run. */
import { SockscopeError } from '../errors.ts';
import { API_PORT } from '../tap/config.ts';
import { orderTap, USUAL_WISHES } from '../tap/config-defaults.ts';
import { type ControlApi, startControlApi } from '../tap/control-api.ts';
import { isPlaceError, readPlace } from '../tap/place.ts';
import type { Place, TapPlan } from '../tap/plan.ts';
import type { Taps } from '../tap/taps.ts';
import { paint, print } from './output.ts';
import type { TapFlags } from './tap-flags.ts';
import { version } from './version.ts';

const HERE: Place = { kind: 'tcp', host: '127.0.0.1', port: API_PORT, path: '' };

/** Null when nobody asked for it. `configured` is what the configuration file wants. */
export async function startApi(
  taps: Taps,
  flags: TapFlags,
  configured: Place | null,
  seed: number,
): Promise<ControlApi | null> {
  const place = placeOf(flags.api, configured);
  if (place === null) {
    return null;
  }
  const loopback = place.host === 'localhost' || place.host === '::1' || place.host.startsWith('127.');
  const token = process.env.SOCKSCOPE_TOKEN ?? null;
  if (!loopback && token === null) {
    throw new SockscopeError(
      'API_TOKEN',
      `Whoever reaches ${place.host} could change the taps.`,
      'Set SOCKSCOPE_TOKEN to a secret that its clients send as a bearer token, or listen on 127.0.0.1.',
      2,
    );
  }
  const api = await startControlApi({
    host: place.host,
    port: place.port,
    token,
    tokenForEverybody: !loopback,
    control: taps,
    version,
    newPlan,
    seed,
    counted: async () => (await taps.report()).taps,
  });
  if (api instanceof SockscopeError) {
    throw api;
  }
  if (flags.json !== true) {
    const { host, port } = api.address;
    print(`control API (Toxiproxy's) on ${paint.bold(`http://${host}:${port}`)}\n`);
  }
  return api;
}

function placeOf(flag: string | boolean | undefined, configured: Place | null): Place | null {
  if (flag === undefined || flag === false) {
    return configured;
  }
  if (flag === true) {
    return configured ?? HERE;
  }
  const place = readPlace(flag, 'listen');
  if (isPlaceError(place) || place.kind !== 'tcp') {
    throw new SockscopeError(
      'API_ADDRESS',
      `--api: ${isPlaceError(place) ? place.error : 'it listens on TCP'}.`,
      'Write it like --api 8474 or --api 127.0.0.1:8474.',
      2,
    );
  }
  return place;
}

function newPlan(name: string, listen: string, upstream: string, enabled: boolean): TapPlan | SockscopeError {
  const here = readPlace(listen === '' ? '127.0.0.1:0' : listen, 'listen');
  const there = readPlace(upstream, 'target');
  for (const place of [here, there]) {
    if (isPlaceError(place)) {
      return new SockscopeError('API_ADDRESS', `${place.error}.`, place.hint, 2);
    }
  }
  if (isPlaceError(here) || isPlaceError(there)) {
    throw new TypeError('both were looked at');
  }
  const ordered = orderTap(here, there);
  if ('error' in ordered) {
    return new SockscopeError('API_ADDRESS', `${ordered.error}.`, ordered.hint, 2);
  }
  const { searches: _, ...plan } = ordered.plan;
  // Its clients expect to be accepted while the upstream is down, and to lose the connection then.
  return { ...plan, name, enabled, mirrorsRefusal: false, wishes: USUAL_WISHES };
}
