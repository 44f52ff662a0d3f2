/** The web API itself, on Hono: routes, methods, deadlines. */

import { randomBytes } from 'node:crypto';
import { isMainThread } from 'node:worker_threads';
import { getRequestListener, RequestError } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import type { NodeHouse } from '../kind.ts';
import { readBody } from '../web/body.ts';
import { Cut } from '../web/cut.ts';
import type { Exchange, WebHandler, WebRequest } from '../web/handler.ts';
import { asGob, asJson, type Report } from './about.ts';
import { callSelf } from './call-self.ts';
import { type Route, routeList, routes, routesText, wholeNumber } from './routes.ts';
import { Deadline, rootScope, type Scope, sleep } from './scope.ts';

const LONGEST = 3_600_000;
const MOST_LINES = 100_000;
const MOST_REDIRECTS = 100;

/** What one request is answered with. */
interface Call {
  readonly request: WebRequest;
  readonly exchange: Exchange;
  readonly scope: Scope;
  /** The steps that were cancelled, once that has happened. */
  readonly cancelled: readonly string[];
  /** The answer cannot be given, or not be completed. */
  readonly fail: (error: unknown) => void;
}

interface Env {
  readonly Bindings: { readonly incoming: WebRequest };
}

type Answers = (call: Call, scope: Scope, context: Context<Env>) => Promise<Response> | Response;

/** `deadline` in milliseconds; null is none. */
export function apiHandler(house: NodeHouse, deadline: number | null): WebHandler {
  const app = new Hono<Env>();
  const calls = new WeakMap<WebRequest, Call>();
  const answered = new Map<string, number>();
  const id = randomBytes(8);

  const report = ({ exchange }: Call): Report => ({
    service: 'sockscope api',
    pid: process.pid,
    uptimeSeconds: house.now() / 1e9,
    unixNano: BigInt(Date.now()) * 1_000_000n,
    secure: exchange.secure,
    heapBytes: process.memoryUsage().heapUsed,
    id,
    routes: routeList,
    answered,
  });

  const on = ({ path, methods }: Route, answers: Answers) => {
    // Hono answers HEAD with the headers of GET.
    app.on(
      methods.filter((method) => method !== 'HEAD'),
      path,
      (context) => {
        answered.set(path, (answered.get(path) ?? 0) + 1);
        const call = calls.get(context.env.incoming)!;
        return inTime(call, path, async (scope) => answers(call, scope, context));
      },
    );
    app.all(path, () => text(`${path} answers ${methods.join(' and ')}`, 405, { Allow: methods.join(', ') }));
  };

  on(routes.list, () => text(routesText().trimEnd(), 200));
  on(routes.json, (call) => whole(asJson(report(call)), 'application/json'));
  on(routes.gob, (call) => whole(asGob(report(call)), 'application/x-gob'));
  on(routes.slow, (_call, scope, { req }) => {
    const ms = wholeNumber(req.query('ms'), 1000, 0, LONGEST);
    return ms === null ? badNumber('ms', LONGEST) : slow(scope, ms);
  });
  on(routes.chain, (call, scope, { req }) => {
    const ms = wholeNumber(req.query('ms'), 1000, 0, LONGEST);
    return ms === null ? badNumber('ms', LONGEST) : chain(call, scope, ms);
  });
  on(routes.status, (_call, _scope, { req }) => {
    const code = wholeNumber(req.param('code'), 0, 200, 599);
    if (code === null) {
      return text('a final status is a number from 200 to 599', 400);
    }
    // RFC 9110: these have no content.
    return code === 204 || code === 205 || code === 304
      ? new Response(null, { status: code })
      : text(`this is ${code}`, code);
  });
  on(routes.headers, ({ request }) => whole(headersText(request), 'application/json'));
  on(routes.stream, (call, _scope, { req }) => {
    const count = wholeNumber(req.query('count'), 10, 0, MOST_LINES);
    const ms = wholeNumber(req.query('ms'), 100, 0, LONGEST);
    if (count === null) {
      return badNumber('count', MOST_LINES);
    }
    return ms === null ? badNumber('ms', LONGEST) : streamed(call, count, ms);
  });
  on(routes.redirect, (_call, _scope, { req }) => {
    const left = wholeNumber(req.param('n'), 0, 0, MOST_REDIRECTS);
    if (left === null) {
      return badNumber('n', MOST_REDIRECTS);
    }
    const to = left > 1 ? `/redirect/${left - 1}` : '/';
    return text(`see ${to}`, 302, { Location: to });
  });
  on(routes.echo, async ({ request, exchange }) => {
    const body = await readBody(request, house.common.maxBody);
    if (body === 'gone') {
      throw new Cut(
        `the body stopped: ${(exchange.signal.reason as Error | undefined)?.message ?? 'no reason'}`,
      );
    }
    return body === 'too large'
      ? text(`a body has at most ${house.common.maxBody} bytes here`, 413)
      : whole(body, String(request.headers['content-type'] ?? 'application/octet-stream'));
  });
  app.notFound(({ req }) => text(`there is no ${req.path} here; / lists what there is`, 404));
  // A mistake of ours is told to people and answered by the server, who does so for every kind.
  app.onError((error) => {
    throw error;
  });

  const listener = getRequestListener(
    async (request, env) => {
      const bindings = env as unknown as Env['Bindings'];
      try {
        return await app.fetch(request, bindings);
      } catch (error) {
        calls.get(bindings.incoming)!.fail(error);
        throw error;
      }
    },
    {
      // Half as fast again; in the program a server has a thread, and with it globals, of its own.
      overrideGlobalObjects: !isMainThread,
      // HTTP/1.0 may come without a Host.
      hostname: 'localhost',
      errorHandler: (error) => (error instanceof RequestError ? text('no such target', 400) : undefined),
    },
  );

  return {
    async handle(request, response, exchange) {
      const wanted = deadlineOf(request, deadline);
      if (wanted === 'wrong') {
        response.statusCode = 400;
        response.end(`x-deadline-ms is a number of milliseconds from 1 to ${LONGEST}\n`);
        return;
      }
      const cancelled: string[] = [];
      const scope = rootScope(exchange.signal, wanted, (steps) => {
        cancelled.push(...steps);
        exchange.note(`cancelled: ${steps.join(', ')}`);
      });
      try {
        await new Promise<void>((done, fail) => {
          calls.set(request, { request, exchange, scope, cancelled, fail });
          listener(request, response).then(done, fail);
        });
      } finally {
        scope.end();
      }
    },
  };
}

/** The answer, or that the deadline passed; what was being done then is named in the answer and in the access line. */
async function inTime(
  { scope, cancelled }: Call,
  name: string,
  work: (scope: Scope) => Promise<Response>,
): Promise<Response> {
  try {
    return await scope.step(name, work);
  } catch (error) {
    if (!scope.signal.aborted) {
      throw error;
    }
    const reason: unknown = scope.signal.reason;
    if (reason instanceof Deadline) {
      return text(`${reason.message}; cancelled: ${cancelled.join(', ')}`, 504);
    }
    throw error;
  }
}

const STEPS = [
  ['look up', 0.25],
  ['work', 0.5],
  ['answer', 0.25],
] as const;

async function slow(scope: Scope, ms: number): Promise<Response> {
  for (const [name, share] of STEPS) {
    await scope.step(name, ({ signal }) => sleep(ms * share, signal));
  }
  return text(`it took ${ms} ms`, 200);
}

async function chain({ request, exchange }: Call, scope: Scope, ms: number): Promise<Response> {
  const path = `/slow?ms=${ms}`;
  const answer = await scope.step(`call ${path}`, (inner) => callSelf(path, request, exchange, inner));
  if (answer === null) {
    return text('this connection has no address that could be called', 501);
  }
  const status = answer.status === 200 ? 200 : answer.status === 504 ? 504 : 502;
  return text(`${path} said ${answer.status}: ${answer.text.trimEnd()}`, status);
}

function streamed({ scope, fail }: Call, count: number, ms: number): Response {
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (at === count) {
        controller.close();
        return;
      }
      at++;
      try {
        await scope.step(`line ${at} of ${count}`, ({ signal }) => sleep(at === 1 ? 0 : ms, signal));
        controller.enqueue(Buffer.from(`line ${at} of ${count}\n`));
      } catch {
        // The stream is left as it is: it would look complete if it were closed.
        fail(new Cut((scope.signal.reason as Error).message));
      }
    },
  });
  return new Response(body, { headers: { 'Content-Type': 'text/plain; charset=utf-8' } });
}

function headersText({ headers }: WebRequest): string {
  const own = Object.entries(headers).filter(([name]) => !name.startsWith(':'));
  return `${JSON.stringify(Object.fromEntries(own), null, 2)}\n`;
}

/** The shorter of what the request and the command line say; null is none. */
function deadlineOf({ headers }: WebRequest, most: number | null): number | null | 'wrong' {
  const text = headers['x-deadline-ms'];
  if (text === undefined) {
    return most;
  }
  const asked = wholeNumber(String(text), 0, 1, LONGEST);
  return asked === null ? 'wrong' : Math.min(asked, most ?? LONGEST);
}

function badNumber(name: string, most: number): Response {
  return text(`${name} is a whole number from 0 to ${most}`, 400);
}

function text(line: string, status: number, headers: Readonly<Record<string, string>> = {}): Response {
  return whole(`${line}\n`, 'text/plain; charset=utf-8', status, headers);
}

function whole(
  body: string | Uint8Array,
  type: string,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  return new Response(body, {
    status,
    headers: { 'Content-Type': type, 'Content-Length': String(length), ...headers },
  });
}
