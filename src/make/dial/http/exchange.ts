/** One request and its answer: connected or reused, timed by phases, the body handed on as it comes. */
import { pipeline, type Readable, Transform } from 'node:stream';
import { SockscopeError } from '../../../errors.ts';
import { type Answered, isTrouble, type WebAsk, type WebTrouble } from '../../../kernel/http-exchange.ts';
import type { HttpExchangeFacts } from '../../../session/http-exchange.ts';
import { addressText } from '../addresses.ts';
import { RequestClock } from './clock.ts';
import { decoderFor } from './decode.ts';
import { failureOf, type Reached, truncated } from './failure.ts';
import { type HttpPlan, hostOf, portOf } from './plan.ts';
import type { HttpConnection, HttpPool } from './pool.ts';
import type { Fields, Redirectable } from './redirect.ts';

export type Head = Pick<HttpExchangeFacts, 'url' | 'version' | 'status' | 'statusText' | 'fields'>;

export interface ExchangeEar {
  head(head: Head): void;
  /** Decoded. The rest waits for the promise; a SockscopeError that it throws ends everything. */
  body(bytes: Uint8Array): Promise<void> | void;
}

/** RFC 9110 section 9.2.2: asking twice is asking once. */
const IDEMPOTENT = /^(GET|HEAD|OPTIONS|PUT|DELETE|TRACE)$/;
const NOT_MODIFIED = 304;
const NS_PER_MS = 1e6;

export function fieldOf(fields: Fields, name: string): string | null {
  return fields.find(([each]) => each.toLowerCase() === name)?.[1] ?? null;
}

function milliseconds(ns: number): string {
  const ms = ns / NS_PER_MS;
  return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}

function asked(plan: HttpPlan, { method, url, fields, body }: Redirectable): Fields {
  const { proxy, keeps } = plan;
  const own = fieldOf(fields, 'host');
  const others = fields.filter(([name]) => name.toLowerCase() !== 'host');
  const needsLength =
    (body !== null || /^(POST|PUT|PATCH)$/.test(method)) && fieldOf(fields, 'content-length') === null;
  const plain = url.protocol === 'http:' && proxy !== null;
  return [
    ['Host', own ?? url.host],
    ...others,
    ...(needsLength ? [['Content-Length', String(body?.length ?? 0)] as const] : []),
    ...(plain && proxy.authorization !== '' ? [['Proxy-Authorization', proxy.authorization] as const] : []),
    ...(keeps || fieldOf(fields, 'connection') !== null ? [] : [['Connection', 'close'] as const]),
  ];
}

export async function exchange(
  pool: HttpPool,
  plan: HttpPlan,
  request: Redirectable,
  whole: number | null,
  ear: ExchangeEar,
  cancelled: AbortSignal,
): Promise<HttpExchangeFacts> {
  const { method, url } = request;
  const where =
    plan.socket === '' ? addressText({ kind: 'tcp', host: hostOf(url), port: portOf(url) }) : plan.socket;
  const notes: string[] = [];
  let connection: HttpConnection | null = null;
  let head: Head | null = null;
  let received = 0;
  let decoded = 0;

  const reached = (): string => {
    const phases = clock.phases();
    const stood = phases.find(({ name, done }) => name === 'connect' && done);
    const server =
      connection === null ? `the server at ${where}` : `the server at ${connection.facts.remote}`;
    const accepted =
      stood !== undefined
        ? `${server} accepted the connection ${milliseconds(stood.from + stood.ns)} after the request began`
        : `${server} had answered on this connection before`;
    switch (clock.phase) {
      case 'resolve':
        return `the name ${hostOf(url)} was still being asked for`;
      case 'connect':
        return `${where} said nothing to our SYN, neither yes nor no`;
      case 'send':
      case 'tls':
      case 'proxy':
        return accepted;
      case 'first byte':
        return `${accepted} and took the whole request`;
      case 'body':
        return head === null
          ? `${server} had begun its answer, but not ended its head`
          : `${server} answered ${head.status}, and ${progress()} had come`;
      default:
        return connection === null && stood === undefined ? 'nothing had begun' : accepted;
    }
  };
  const announced = (): number | null => {
    const length = head === null ? null : fieldOf(head.fields, 'content-length');
    return length === null ? null : Number(length);
  };
  const progress = (): string => `${received}${announced() === null ? '' : ` of ${announced()}`} bytes`;
  pool.prepare(url);
  const clock = new RequestClock(plan.deadlines, whole, reached, cancelled);
  const standing = (): Reached => ({
    where,
    phase: clock.phase,
    head: head !== null,
    received,
    announced: announced(),
    second: connection?.web.protocol === 'HTTP/2',
  });

  const ask = async (fresh: boolean): Promise<SockscopeError | null> => {
    const taken = await pool.take(url, clock, fresh);
    if (taken === null || taken instanceof SockscopeError) {
      return taken;
    }
    connection = taken;
    const reused = taken.uses > 0;
    taken.uses += 1;
    const target =
      url.protocol === 'http:' && plan.proxy !== null
        ? `${url.origin}${url.pathname}${url.search}`
        : `${url.pathname}${url.search}`;
    const asking = taken.web.ask(
      { method, target, scheme: url.protocol.slice(0, -1), fields: asked(plan, request), body: request.body },
      {
        sending: () => clock.begin('send'),
        sent() {
          if (clock.phase === 'send') {
            clock.begin('first byte');
          }
        },
        firstByte() {
          // It may come before the last byte of a long body has gone.
          if (clock.phase === 'send') {
            clock.begin('first byte');
          }
          clock.begin('body');
        },
        informational: (status) => void notes.push(`${status} came before the answer`),
      },
    );
    const stop = (): void => asking.cancel();
    clock.signal.addEventListener('abort', stop, { once: true });
    const answered = await asking.answered;
    const failure = isTrouble(answered)
      ? await unanswered(answered, reused && !fresh)
      : await read(answered, asking);
    clock.signal.removeEventListener('abort', stop);
    if (failure !== null || head === null) {
      taken.web.close();
    } else {
      pool.give(url, taken);
    }
    return failure;
  };

  const unanswered = async (trouble: WebTrouble, again: boolean): Promise<SockscopeError | null> => {
    if (clock.why !== null) {
      return null;
    }
    const closed = trouble.code === 'CLOSED' || trouble.code === 'ECONNRESET' || trouble.code === 'EPIPE';
    if (again && closed && clock.phase !== 'body' && IDEMPOTENT.test(method)) {
      notes.push('the kept connection had been closed meanwhile: asked again over a new one');
      return ask(true);
    }
    return failureOf(trouble, standing());
  };

  const read = async (answered: Answered, asking: WebAsk): Promise<SockscopeError | null> => {
    const { version, status, statusText, fields } = answered;
    head = { url: url.href, version, status, statusText, fields };
    let encoded = '';
    try {
      answered.body.once('end', () => clock.end());
      ear.head(head);
      const counter = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          received += chunk.length;
          done(null, chunk);
        },
      });
      const encoding = plan.decodes ? fieldOf(fields, 'content-encoding') : null;
      const decoder = encoding === null || method === 'HEAD' ? null : decoderFor(encoding);
      if (encoding !== null && decoder === null && encoding !== 'identity') {
        notes.push(`Content-Encoding ${encoding} is not known here: the body is as it came`);
      }
      encoded = decoder === null ? '' : (encoding ?? '');
      const stages = decoder === null ? [answered.body, counter] : [answered.body, counter, decoder];
      // Its errors come out of the last stream too, where they are read.
      const last = pipeline(stages as [Readable, Transform], () => {}) as unknown as Readable;
      for await (const chunk of last as AsyncIterable<Buffer>) {
        decoded += chunk.length;
        await ear.body(chunk);
      }
    } catch (error) {
      if (clock.why !== null) {
        return null;
      }
      if (error instanceof SockscopeError) {
        return error;
      }
      const { code = '', message } = error as NodeJS.ErrnoException;
      const trouble = asking.trouble();
      if (
        trouble === null &&
        encoded !== '' &&
        /^(Z_|ERR_)/.test(code) &&
        code !== 'ERR_STREAM_PREMATURE_CLOSE'
      ) {
        return new SockscopeError(
          'HTTP_ENCODING',
          `The body is not ${encoded}, as its head says it is: ${message}.`,
          'Without --compressed it is shown as it came.',
          1,
        );
      }
      return failureOf(trouble ?? { code: 'CLOSED', message, bytes: null }, standing());
    }
    // Node's HTTP/2 does not compare what came with what was announced (RFC 9113 section 8.1.1).
    const short = method !== 'HEAD' && status !== NOT_MODIFIED && received < (announced() ?? 0);
    const complete = (await answered.complete()) && !short;
    if (complete || clock.why !== null) {
      return null;
    }
    const trouble = asking.trouble();
    return trouble === null ? truncated(standing()) : failureOf(trouble, standing());
  };

  const failed = await ask(false);
  const failure = clock.why ?? failed;
  const phase = clock.phase;
  clock.finish(failure === null);
  const known = connection as HttpConnection | null;
  const answer = head as Head | null;
  return {
    method,
    url: url.href,
    phases: clock.phases(),
    total: clock.now(),
    connection: known === null ? null : { ...known.facts, use: known.uses },
    version: answer?.version ?? '',
    status: answer?.status ?? 0,
    statusText: answer?.statusText ?? '',
    fields: answer?.fields ?? [],
    sent: request.body?.length ?? 0,
    received,
    decoded,
    redirect: null,
    failure:
      failure === null ? null : { code: failure.code, message: failure.message, hint: failure.hint, phase },
    notes,
  };
}
