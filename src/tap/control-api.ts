/**
 * The control API on :8474: Toxiproxy's, with every fault that there is here. Here: who may ask, what was asked, one change
 * after the other.
 */
import { randomBytes } from 'node:crypto';
import { SockscopeError } from '../errors.ts';
import { errnoMeaning } from '../kernel/errno.ts';
import { type HttpAnswer, type HttpRequest, serveHttp } from '../kernel/http-server.ts';
import { type Answer, type Api, JSON_TYPE, type NewPlan } from './api/api.ts';
import { badBody, Refusal } from './api/errors.ts';
import { type GuardRules, guard } from './api/guard.ts';
import { type Found, findRoute } from './api/routes.ts';
import type { TapControl, TapState } from './control.ts';
import { faults } from './faults.ts';
import { toxicTypes } from './toxic-types.ts';

export interface ControlApiOptions {
  readonly host: string;
  /** 0: the next free one. */
  readonly port: number;
  /** Wanted of browsers and of clients on other machines; null: of nobody. */
  readonly token: string | null;
  /** … and of everybody else too. */
  readonly tokenForEverybody?: boolean;
  readonly control: TapControl;
  readonly version: string;
  readonly newPlan: NewPlan;
  /** The run's seed, told in a header of every answer. */
  readonly seed?: number | string;
  /** The taps with counts as they are now, for /metrics; without it, as the control has them. */
  readonly counted?: () => Promise<readonly TapState[]>;
}

export interface ControlApi {
  readonly address: { readonly host: string; readonly port: number };
  close(): Promise<void>;
}

/** Bytes of a body. A thousand proxies with ten toxics each are less. */
export const MAX_BODY = 4 << 20;

/** Toxiproxy's own, in milliseconds: 15 s to send a request, a connection rests for 60 s. */
const HEAD_TIMEOUT = 5_000;
const REQUEST_TIMEOUT = 15_000;
const IDLE_TIMEOUT = 60_000;

export async function startControlApi(options: ControlApiOptions): Promise<ControlApi | SockscopeError> {
  const { control, newPlan, version, host, port } = options;
  const counted = options.counted ?? (async () => control.list());
  const api: Api = { control, newPlan, version, types: toxicTypes(faults), counted };
  const hosts = [host];
  const rules = { hosts, token: options.token, tokenForEverybody: options.tokenForEverybody ?? false };
  const inOrder = createQueue();

  const server = await serveHttp({
    host,
    port,
    headTimeout: HEAD_TIMEOUT,
    requestTimeout: REQUEST_TIMEOUT,
    idleTimeout: IDLE_TIMEOUT,
    answer: async (request) => {
      const headers: Record<string, string> = { 'X-Toxiproxy-Request-Id': randomBytes(10).toString('hex') };
      if (options.seed !== undefined) {
        headers['X-Sockscope-Seed'] = String(options.seed);
      }
      return finish(await answerTo(request, api, rules, inOrder, headers), headers);
    },
  });
  if (typeof server === 'string') {
    return cannotListen(host, port, server);
  }
  hosts.push(server.address.host);
  return server;
}

type Queue = <T>(work: () => Promise<T>) => Promise<T>;

/** Two changes at once would each read the state before the other. */
function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next;
    return next;
  };
}

async function answerTo(
  request: HttpRequest,
  api: Api,
  rules: GuardRules,
  inOrder: Queue,
  headers: Record<string, string>,
): Promise<Answer | Refusal> {
  const refusal = guard(request, rules);
  if (refusal !== null) {
    if (refusal.status === 401) {
      headers['WWW-Authenticate'] = 'Bearer';
    }
    return refusal;
  }
  const found = findRoute(request.method, request.target);
  if (found instanceof Refusal) {
    return found;
  }
  if ('allow' in found) {
    headers.Allow = found.allow;
    return new Refusal(405, `${request.method} is not for this path, ${found.allow} is`);
  }
  if (request.method === 'GET') {
    return found.route(api, { names: found.names, json: async () => undefined });
  }
  return change(found, request, api, inOrder);
}

/** The body comes first: a slow client must not hold up the others. */
async function change(
  { route, names }: Found,
  request: HttpRequest,
  api: Api,
  inOrder: Queue,
): Promise<Answer | Refusal> {
  const body = await request.body(MAX_BODY);
  if (body === 'too large') {
    return new Refusal(413, `the body is longer than ${MAX_BODY} bytes`);
  }
  if (body === 'gone') {
    return badBody('it was not sent to its end');
  }
  return inOrder(() => route(api, { names, json: async () => parse(body.toString('utf8')) }));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return badBody(text.trim() === '' ? 'it is empty' : (error as Error).message);
  }
}

function finish(answer: Answer | Refusal, headers: Record<string, string>): HttpAnswer {
  if (answer instanceof Refusal) {
    return {
      status: answer.status,
      headers: { ...headers, 'Content-Type': JSON_TYPE },
      body: `${JSON.stringify(answer)}\n`,
    };
  }
  const type: Record<string, string> = answer.type === '' ? {} : { 'Content-Type': answer.type };
  return { status: answer.status, headers: { ...headers, ...type }, body: answer.body };
}

function cannotListen(host: string, port: number, code: string): SockscopeError {
  return new SockscopeError(
    'API_LISTEN',
    `The control API cannot listen on ${host}:${port}: ${code}, ${errnoMeaning(code)}.`,
    code === 'EADDRINUSE'
      ? `Something listens there already (sockscope ls :${port} names it); give it another port, or 0 for the next free one.`
      : 'Give an address of this machine, and a port that you may listen on.',
    3,
  );
}
