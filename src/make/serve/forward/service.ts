/** The forward proxy: whole URIs and CONNECT, for clients that know that they speak to a proxy. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connectTunnel, createWebClient, type WebClient } from '../../../kernel/web-client.ts';
import { Cache } from '../../cache/cache.ts';
import { Collapse } from '../../cache/collapse.ts';
import type { NodeHouse } from '../kind.ts';
import { ask } from '../proxy/ask.ts';
import { type Asked, readAsked } from '../proxy/asked.ts';
import { type Refusal, refusalFor } from '../proxy/failure.ts';
import { type Job, type Relay, relay } from '../proxy/relay.ts';
import { plain } from '../proxy/reply.ts';
import { framing, passedHere, proxyFields } from '../proxy/request-fields.ts';
import { tunnel } from '../proxy/tunnel.ts';
import { rawHead, refuseRaw } from '../proxy/upgrade.ts';
import type { Exchange, WebHandler } from '../web/handler.ts';
import { type Allowed, createAllowed } from './allowed.ts';
import { isItself } from './itself.ts';
import type { ForwardPlan } from './plan.ts';

const HOW = 'this is a forward proxy: ask it for a whole URI, as `curl -x` does, or CONNECT to HOST:PORT';
/** Connections know only one set of lists, and a name may turn out to be different things on different ports. */
const MOST_CLIENTS = 256;

export function forwardHandler(house: NodeHouse, plan: ForwardPlan): WebHandler {
  const { id, cacheBytes, stale, timeoutMs } = plan;
  const allowed = createAllowed(plan);
  const clients = new Clients(allowed);
  const through: Relay = {
    cache: cacheBytes === 0 ? null : new Cache({ bytes: cacheBytes, staleWhenDown: stale }),
    collapse: new Collapse(),
    tally: { hit: 0, miss: 0, stale: 0, revalidated: 0, bypass: 0 },
  };
  const tunnels = new Set<() => void>();

  function admit(host: string, port: number, asked: Asked, socket: Duplex): Refusal | null {
    if (!allowed.host(host, port)) {
      return { status: 403, text: `${host}:${port} is not allowed here` };
    }
    if (passedHere(asked.fields, id) || isItself(named(host), port, socket as Socket)) {
      return { status: 508, text: 'this leads back to the proxy itself' };
    }
    return null;
  }

  return {
    async handle(request, response, exchange) {
      const asked = readAsked(request, exchange.secure);
      const to = typeof asked === 'string' || !asked.absolute ? null : destination(asked);
      if (typeof asked === 'string' || to === null) {
        request.resume();
        plain(response, 400, typeof asked === 'string' ? asked : HOW);
        return;
      }
      const refusal = admit(to.host, to.port, asked, request.socket);
      if (refusal !== null) {
        exchange.note(refusal.text);
        request.resume();
        plain(response, refusal.status, refusal.text);
        return;
      }
      const { method, scheme, authority, path, fields } = asked;
      const job: Job = {
        request: { method, uri: `${scheme}://${authority}${path}`, fields },
        compress: false,
        send: async (sent, waiting) => {
          const began = performance.now();
          const sender = { client: '', scheme, authority, httpVersion: request.httpVersion, id };
          const body = waiting !== null && asked.hasBody ? request : null;
          const outcome = await ask(clients.of(to.host, to.port), to, {
            head: {
              method,
              path,
              fields: [...proxyFields(sent, authority, sender), ...framing(asked.fields, body !== null)],
            },
            body,
            mostBody: house.common.maxBody,
            timeoutMs,
            waiting,
            upgrade: false,
          });
          waiting?.note(`${authority} ${(performance.now() - began).toFixed(1)} ms`);
          if (outcome.kind === 'came') {
            const { statusCode = 502, statusMessage = '', rawHeaders } = outcome.message;
            return {
              kind: 'reached',
              came: outcome,
              head: { status: statusCode, message: statusMessage, fields: rawHeaders },
            };
          }
          if (outcome.kind === 'upgraded') {
            outcome.socket.destroy();
            const text = `${authority} switched protocols, and nobody had asked it to`;
            return { kind: 'not reached', refusal: { status: 502, text }, down: false };
          }
          const { code } = outcome;
          const why = code === 'EGONE' ? null : refusalFor(outcome, authority, timeoutMs);
          return { kind: 'not reached', refusal: why, down: code !== 'E2BIG' && code !== 'EACCES' };
        },
      };
      await relay(through, job, response, exchange);
    },

    connect(request: IncomingMessage, socket, head, exchange) {
      const found = /^(\[[0-9a-f:.]+\]|[^:/@\s]+):(\d{1,5})$/i.exec(request.url ?? '');
      const port = Number(found?.[2] ?? 0);
      if (found === null || port < 1 || port > 65535) {
        refuseRaw(socket, { status: 400, text: 'CONNECT is followed by HOST:PORT', fields: [] });
        return;
      }
      const host = found[1]!.replace(/^\[|\]$/g, '');
      const asked = readAsked(Object.assign(request, { url: '/' }), exchange.secure);
      const refusal =
        typeof asked === 'string' ? { status: 400, text: asked } : admit(host, port, asked, socket);
      if (refusal !== null) {
        exchange.note(refusal.text);
        refuseRaw(socket, { ...refusal, fields: [] });
        return;
      }
      dig({ host, port, allowed, timeoutMs, socket, head, exchange, tunnels });
    },

    drain() {
      for (const end of tunnels) {
        end();
      }
    },

    close: () => clients.close(),
  };
}

interface Dig {
  readonly host: string;
  readonly port: number;
  readonly allowed: Allowed;
  readonly timeoutMs: number;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly exchange: Exchange;
  readonly tunnels: Set<() => void>;
}

function dig({ host, port, allowed, timeoutMs, socket, head, exchange, tunnels }: Dig): void {
  const name = `${host}:${port}`;
  const other = connectTunnel(host, port, (address) => !allowed.address(host, port, address));
  let code = '';
  const late = setTimeout(() => {
    code = 'ETIMEDOUT';
    other.destroy();
  }, timeoutMs);
  const gone = () => other.destroy();
  socket.once('close', gone);
  const refuse = (refusal: Refusal) => {
    exchange.note(refusal.text);
    refuseRaw(socket, { ...refusal, fields: [] });
  };
  const failed = () => {
    clearTimeout(late);
    if (!socket.destroyed) {
      const failure = { kind: 'failed', code, stood: false, reused: false, bodySent: false } as const;
      refuse(refusalFor(failure, name, timeoutMs));
    }
  };
  other.on('error', (error: NodeJS.ErrnoException) => {
    code ||= error.code ?? error.message;
  });
  other.once('close', failed);
  other.once('connect', () => {
    clearTimeout(late);
    other.off('close', failed);
    socket.off('close', gone);
    if (isItself(other.remoteAddress ?? '', port, socket as Socket)) {
      other.destroy();
      refuse({ status: 508, text: 'this leads back to the proxy itself' });
      return;
    }
    socket.write(rawHead(200, 'Connection established', []));
    if (head.length > 0) {
      other.write(head);
    }
    tunnel(socket, other);
    const end = () => {
      socket.end();
      other.end();
    };
    tunnels.add(end);
    socket.once('close', () => tunnels.delete(end));
  });
}

/** `localhost` is looked up by everybody; what it is is no secret. */
function named(host: string): string {
  return host.toLowerCase() === 'localhost' ? '127.0.0.1' : host;
}

function destination({ scheme, authority }: Asked) {
  const uri = `${scheme}://${authority}`;
  if (!URL.canParse(uri)) {
    return null;
  }
  const { hostname, port, username, password } = new URL(uri);
  if (hostname === '' || username !== '' || password !== '') {
    return null;
  }
  const secure = scheme === 'https';
  return {
    secure,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (secure ? 443 : 80) : Number(port),
    socket: '',
    ca: '',
    insecure: false,
  };
}

/** One for each destination, because each checks the addresses of its own name and port. */
class Clients {
  readonly #allowed: Allowed;
  readonly #clients = new Map<string, WebClient>();

  constructor(allowed: Allowed) {
    this.#allowed = allowed;
  }

  of(host: string, port: number): WebClient {
    const key = `${host} ${port}`;
    const known = this.#clients.get(key);
    const client = known ?? createWebClient((address) => !this.#allowed.address(host, port, address));
    // The one that was used last stands last.
    this.#clients.delete(key);
    this.#clients.set(key, client);
    if (this.#clients.size > MOST_CLIENTS) {
      const [oldest, idle] = [...this.#clients].find(([, { counters }]) => counters.open === 0) ?? [];
      idle?.close();
      this.#clients.delete(oldest ?? '');
    }
    return client;
  }

  close(): void {
    for (const client of this.#clients.values()) {
      client.close();
    }
  }
}
