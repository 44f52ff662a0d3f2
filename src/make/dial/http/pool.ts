/** Connections for HTTP, kept for the next request to the same place. */
import type { Duplex } from 'node:stream';
import { SockscopeError } from '../../../errors.ts';
import { openTunnel, overHttp1, overHttp2, type WebConnection } from '../../../kernel/http-exchange.ts';
import type { SecureContext } from '../../../kernel/tls.ts';
import type { HttpConnectionFacts, HttpTlsFacts } from '../../../session/http-exchange.ts';
import { addressText } from '../addresses.ts';
import type { RequestClock } from './clock.ts';
import { connectFor } from './connect.ts';
import { hostOf, type ProxyPlan, portOf, type WayPlan } from './plan.ts';
import { contextFor, secureFor } from './secure.ts';

export interface HttpConnection {
  readonly web: WebConnection;
  readonly facts: Omit<HttpConnectionFacts, 'use'>;
  uses: number;
}

export interface HttpPool {
  /** What takes time here and says nothing about the network. */
  prepare(url: URL): void;
  /** Null: the clock says why. With `fresh` none that was used before. */
  take(url: URL, clock: RequestClock, fresh: boolean): Promise<HttpConnection | SockscopeError | null>;
  give(url: URL, connection: HttpConnection): void;
  /** How many connections were made. */
  readonly opened: number;
  close(): void;
}

export function createHttpPool(way: WayPlan): HttpPool {
  const kept = new Map<string, HttpConnection[]>();
  const all = new Set<HttpConnection>();
  let opened = 0;
  let context: SecureContext | SockscopeError | null = null;
  return {
    prepare({ protocol }) {
      if (protocol === 'https:') {
        context ??= contextFor(way);
      }
    },
    async take(url, clock, fresh) {
      const idle = kept.get(url.origin) ?? [];
      for (let one = idle.pop(); one !== undefined; one = idle.pop()) {
        if (!fresh && one.web.usable()) {
          return one;
        }
        one.web.close();
        all.delete(one);
      }
      const made = context instanceof SockscopeError ? context : await connect(way, context, url, clock);
      if (made !== null && !(made instanceof SockscopeError)) {
        opened += 1;
        all.add(made);
      }
      return made;
    },
    give(url, connection) {
      if (connection.web.usable()) {
        kept.set(url.origin, [...(kept.get(url.origin) ?? []), connection]);
      } else {
        connection.web.close();
        all.delete(connection);
      }
    },
    get opened() {
      return opened;
    },
    close() {
      for (const { web } of all) {
        web.close();
      }
      all.clear();
      kept.clear();
    },
  };
}

async function connect(
  way: WayPlan,
  context: SecureContext | null,
  url: URL,
  clock: RequestClock,
): Promise<HttpConnection | SockscopeError | null> {
  const [host, port] = [hostOf(url), portOf(url)];
  const { proxy } = way;
  const connected = await connectFor(way, proxy?.host ?? host, proxy?.port ?? port, clock);
  if (connected === null || connected instanceof SockscopeError) {
    return connected;
  }
  const { dialled, addresses, tries } = connected;
  let socket: Duplex = dialled.socket;
  // Whoever uses it next has listeners of his own; between them an error must find one.
  socket.on('error', () => {});
  let tls: HttpTlsFacts | null = null;
  let second = way.protocols === 'h2 at once';
  if (context !== null && url.protocol === 'https:') {
    if (proxy !== null) {
      const through = await tunnel(proxy, socket, addressText({ kind: 'tcp', host, port }), clock);
      if (through === null || through instanceof SockscopeError) {
        socket.destroy();
        return through;
      }
      socket = through;
    }
    const secured = await secureFor(way, context, socket, host, port, clock);
    if (secured === null || secured instanceof SockscopeError) {
      socket.destroy();
      return secured;
    }
    ({ socket, second } = secured);
    tls = secured.facts;
  }
  return {
    web: second ? overHttp2(socket, url.origin) : overHttp1(socket),
    facts: {
      local: addressText(dialled.addresses.local),
      remote: addressText(dialled.addresses.remote),
      addresses,
      tries,
      proxy: proxy === null ? null : `${proxy.host}:${proxy.port}`,
      tls,
    },
    uses: 0,
  };
}

async function tunnel(
  proxy: ProxyPlan,
  socket: Duplex,
  target: string,
  clock: RequestClock,
): Promise<Duplex | SockscopeError | null> {
  clock.begin('proxy');
  const fields: [string, string][] =
    proxy.authorization === '' ? [] : [['Proxy-Authorization', proxy.authorization]];
  const through = await openTunnel(socket, target, fields, clock.signal);
  if (clock.why !== null) {
    return null;
  }
  if (typeof through !== 'number' && !('code' in through)) {
    return through;
  }
  const what =
    typeof through === 'number'
      ? `answered ${through} to CONNECT ${target}`
      : `broke off at CONNECT ${target}: ${through.code === 'CLOSED' ? 'it closed the connection' : through.message}`;
  const hint =
    through === 407
      ? 'Write its user and password: -x http://user:password@proxy:port.'
      : 'Look at the log of the proxy.';
  return new SockscopeError('HTTP_PROXY', `The proxy ${proxy.host}:${proxy.port} ${what}.`, hint, 1);
}
