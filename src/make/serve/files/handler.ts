/** Answers requests for the files of a directory. */
import type { BigIntStats } from 'node:fs';
import type { Exchange, WebHandler, WebRequest, WebResponse } from '../web/handler.ts';
import { answer } from '../web/refusal.ts';
import { canFly, createPackery, LEAST, packBytes } from './compress.ts';
import { createFinder } from './find.ts';
import { type Absent, look, type Root } from './inside.ts';
import { asHtml, asJson, listDirectory } from './listing.ts';
import { type Asked, fromText, readTarget } from './path.ts';
import type { FilesPlan } from './plan.ts';
import { type Call, type Headers, reply, write } from './reply.ts';
import { createStore, type Opened } from './store.ts';
import { typeOf } from './types.ts';
import { type Coding, codingsFor, wantsJson } from './weights.ts';

const ENDINGS: Readonly<Record<Coding, string>> = { br: '.br', zstd: '.zst', gzip: '.gz' };
const REFUSALS: Readonly<Record<Absent | 'malformed' | 'busy', readonly [number, string]>> = {
  malformed: [400, 'this is no path'],
  none: [404, 'not found'],
  forbidden: [403, 'this may not be read'],
  outside: [403, 'this link leads out of the directory'],
  busy: [503, 'the file is being written'],
};

export function filesHandler(plan: FilesPlan): WebHandler {
  const root: Root = { path: fromText(plan.directory), follow: plan.follow };
  const find = createFinder(root.path, plan.tries, plan.hidden);
  const store = createStore(root);
  const packery = createPackery();
  const methods = plan.cors ? 'GET, HEAD, OPTIONS' : 'GET, HEAD';
  const shared: Headers = plan.cors
    ? {
        'Access-Control-Allow-Origin': '*',
        'Access-Control-Expose-Headers':
          'Accept-Ranges, Content-Encoding, Content-Length, Content-Range, ETag',
      }
    : {};
  const onFiles: Headers =
    plan.cacheControl === null ? shared : { ...shared, 'Cache-Control': plan.cacheControl };
  const onPacking: Headers = { ...onFiles, Vary: 'Accept-Encoding' };

  function refuse({ response }: Call, why: keyof typeof REFUSALS): void {
    const [status, text] = REFUSALS[why];
    answer(response, status, text, {
      ...shared,
      ...(why === 'busy' ? { 'Retry-After': '1' } : {}),
    });
  }

  function file(call: Call, path: string, about: BigIntStats): void | Promise<void> {
    const type = typeOf(path);
    const codings = type.packs ? codingsFor(call.request.headers['accept-encoding']) : [];
    for (const coding of codings) {
      const ready = precompressed(path + ENDINGS[coding], about);
      if (ready !== null) {
        call.exchange.note(`${coding} from a file`);
        return reply(call, { opened: ready, type: type.name, coding, fly: null, common: onPacking }, packery);
      }
    }
    const opened = store.open(path, about);
    if (typeof opened === 'string') {
      refuse(call, opened);
      return;
    }
    const fly = opened.size < LEAST ? null : (codings.find(canFly) ?? null);
    if (fly !== null) {
      call.exchange.note(fly);
    }
    const common = type.packs ? onPacking : onFiles;
    return reply(call, { opened, type: type.name, coding: null, fly, common }, packery);
  }

  /** One that is older than the file itself was made from another. */
  function precompressed(path: string, { mtime }: BigIntStats): Opened | null {
    const about = look(path);
    if (typeof about === 'string' || !about.isFile() || seconds(about.mtime) < seconds(mtime)) {
      return null;
    }
    const opened = store.open(path, about);
    return typeof opened === 'string' ? null : opened;
  }

  async function list(call: Call, path: string, { names }: Asked): Promise<void> {
    const { request, response } = call;
    if (!plan.listing) {
      answer(response, 403, 'this directory is not listed', shared);
      return;
    }
    const entries = await listDirectory(root, path, plan.hidden);
    if (typeof entries === 'string') {
      refuse(call, entries);
      return;
    }
    const json = wantsJson(request.headers.accept);
    const bytes = Buffer.from(json ? asJson(entries) : asHtml(entries, names));
    const coding =
      bytes.length < LEAST ? undefined : codingsFor(request.headers['accept-encoding']).find(canFly);
    const body = coding === undefined ? bytes : await packBytes(bytes, coding);
    write(response, 200, {
      'Content-Type': json ? 'application/json' : 'text/html; charset=utf-8',
      'Content-Length': String(body.length),
      ...(coding === undefined ? {} : { 'Content-Encoding': coding }),
      'X-Content-Type-Options': 'nosniff',
      ...shared,
      Vary: 'Accept, Accept-Encoding',
    });
    response.end(body);
  }

  /** What browsers ask before they ask (the Fetch standard, CORS preflight). */
  function preflight({ headers }: WebRequest, response: WebResponse): void {
    const wanted = headers['access-control-request-headers'];
    write(response, 204, {
      ...shared,
      'Access-Control-Allow-Methods': methods,
      ...(wanted === undefined ? {} : { 'Access-Control-Allow-Headers': wanted }),
      'Access-Control-Max-Age': '600',
      Allow: methods,
    });
    response.end();
  }

  function handle(request: WebRequest, response: WebResponse, exchange: Exchange): void | Promise<void> {
    const { method } = request;
    if (method !== 'GET' && method !== 'HEAD') {
      if (plan.cors && method === 'OPTIONS') {
        preflight(request, response);
      } else {
        answer(response, 405, 'files are only read here', {
          ...shared,
          Allow: methods,
        });
      }
      return;
    }
    const call = { request, response, exchange };
    const asked = readTarget(request.url ?? '');
    const found = typeof asked === 'string' ? asked : find(asked);
    if (typeof found === 'string') {
      refuse(call, found);
    } else if (found.kind === 'file') {
      return file(call, found.path, found.about);
    } else if (found.kind === 'list') {
      return list(call, found.path, asked as Asked);
    } else {
      answer(response, 301, `see ${found.to}`, { ...shared, Location: found.to });
    }
  }

  return { handle };
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
