/**
 * The door to node:http and node:https as a client: requests whose bodies stream both ways over kept connections that are counted.
 * undici would cost less for each request; but it destroys the client's upload together with its own request (so nothing can be
 * answered any more), gives up the connection after every HEAD, takes no `OPTIONS *`, and hides a refused upgrade.
 */
import { lookup } from 'node:dns';
import { Agent, type AgentOptions, type ClientRequest, request as plainRequest } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { connect, type LookupFunction, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface Destination {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** A UNIX socket; empty for TCP. */
  readonly socket: string;
  /** Certificates to trust instead of the system's, in PEM; empty for those. */
  readonly ca: string;
  /** Any certificate will do. */
  readonly insecure: boolean;
}

export interface RequestHead {
  readonly method: string;
  readonly path: string;
  /** Name, value, name, value: sent as they are. */
  readonly fields: readonly string[];
}

export interface ConnectionCounters {
  open: number;
  /** Ever. */
  opened: number;
  /** Requests that went over a connection which had been used before. */
  reused: number;
}

export interface WebClient {
  /** Nothing is sent before its `end` or `write`. With `alone` it gets a connection of its own, which may be half closed. */
  ask(to: Destination, head: RequestHead, alone?: boolean): ClientRequest;
  readonly counters: Readonly<ConnectionCounters>;
  close(): void;
}

/** An address of a name may be refused: nothing connects to it, whatever the name says next time it is asked. */
export type Refuses = (address: string) => boolean;

/** Milliseconds an unused connection is kept; less where the server announces less. */
const IDLE = 30_000;

export function createWebClient(refuses: Refuses | null = null): WebClient {
  const counters = { open: 0, opened: 0, reused: 0 };
  const hints = refuses === null ? {} : { lookup: guarded(refuses) };
  const kept: AgentOptions = { keepAlive: true, scheduling: 'lifo', timeout: IDLE, noDelay: true };
  const alone: AgentOptions & { allowHalfOpen: boolean } = {
    keepAlive: false,
    allowHalfOpen: true,
    noDelay: true,
  };
  const agents = [new Agent(kept), new SecureAgent(kept), new Agent(alone), new SecureAgent(alone)] as const;
  for (const agent of agents) {
    count(agent, counters);
  }
  return {
    ask(to, { method, path, fields }, own = false) {
      const options = {
        method,
        path,
        headers: fields,
        agent: agents[(own ? 2 : 0) + (to.secure ? 1 : 0)]!,
        ...(to.socket === '' ? { host: to.host, port: to.port, ...hints } : { socketPath: to.socket }),
      };
      const asking = to.secure
        ? secureRequest({
            ...options,
            rejectUnauthorized: !to.insecure,
            ...(to.ca === '' ? {} : { ca: to.ca }),
          })
        : plainRequest(options);
      asking.once('socket', () => {
        counters.reused += asking.reusedSocket ? 1 : 0;
      });
      return asking;
    },
    counters,
    close() {
      for (const agent of agents) {
        agent.destroy();
      }
    },
  };
}

type Create = (options: unknown, done: unknown) => Duplex | undefined;

function count(agent: Agent, counters: ConnectionCounters): void {
  const maker = agent as unknown as { createConnection: Create };
  const create = maker.createConnection;
  maker.createConnection = (options, done) => {
    const socket = create.call(agent, options, done);
    socket?.once('connect', () => {
      counters.open++;
      counters.opened++;
      socket.once('close', () => {
        counters.open--;
      });
    });
    return socket;
  };
}

function guarded(refuses: Refuses): LookupFunction {
  return (host, options, done) => {
    lookup(host, { ...options, all: true }, (error, found) => {
      const left = (found ?? []).filter(({ address }) => !refuses(address));
      if (error !== null || left.length === 0) {
        done(error ?? Object.assign(new Error(`${host} is not allowed`), { code: 'EACCES' }), []);
      } else if (options.all === true) {
        done(null, left);
      } else {
        done(null, left[0]!.address, left[0]!.family);
      }
    });
  };
}

/** A connection for a tunnel, half open when its other side is. */
export function connectTunnel(host: string, port: number, refuses: Refuses): Socket {
  return connect({ host, port, allowHalfOpen: true, noDelay: true, lookup: guarded(refuses) });
}
