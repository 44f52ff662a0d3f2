/** Answers with a file: conditions first, then the whole, a part, or several. */
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import type { Exchange, WebRequest, WebResponse } from '../web/handler.ts';
import { answer } from '../web/refusal.ts';
import { type FlyCoding, type Packery, packer, WHOLE } from './compress.ts';
import { judge, rangeApplies } from './conditions.ts';
import { type Parts, partsOf } from './parts.ts';
import { readWhole, sendSlice, sinkOf } from './pieces.ts';
import { readRanges, type Slice } from './ranges.ts';
import { type Opened, release } from './store.ts';
import type { Coding } from './weights.ts';

export type Headers = Readonly<Record<string, string>>;

export interface Call {
  readonly request: WebRequest;
  readonly response: WebResponse;
  readonly exchange: Exchange;
}

/** The file as it was chosen for this client. */
export interface Chosen {
  readonly opened: Opened;
  readonly type: string;
  /** How it is packed already, in a file of its own. */
  readonly coding: Coding | null;
  /** How it is to be packed now. */
  readonly fly: FlyCoding | null;
  /** What every answer about a file says: Cache-Control, CORS, Vary. */
  readonly common: Headers;
}

/** Lets go of the file when it is done with it. */
export function reply(call: Call, chosen: Chosen, packery: Packery): void | Promise<void> {
  const { opened, common } = chosen;
  const { request, response } = call;
  const { headers, method } = request;
  const now = Date.now();
  const verdict = judge(headers, opened, now);
  if (verdict !== 'send') {
    release(opened);
    if (verdict === 'other') {
      answer(response, 412, 'the file is another one by now', common);
    } else {
      write(response, 304, { ...common, ...validators(chosen) });
      response.end();
    }
    return;
  }
  if (chosen.fly !== null) {
    return replyPacked(call, chosen, chosen.fly, packery);
  }
  const { size } = opened;
  // Ranges are defined for GET only (RFC 9110, section 14.2).
  const slices =
    method === 'GET' &&
    headers.range !== undefined &&
    rangeApplies(headers['if-range'] as string | undefined, opened, now)
      ? readRanges(headers.range, size)
      : 'whole';
  if (slices === 'beyond') {
    release(opened);
    answer(response, 416, `the file has ${size} bytes`, { ...common, 'Content-Range': `bytes */${size}` });
    return;
  }
  const parts = slices !== 'whole' && slices.length > 1 ? partsOf(slices, size, chosen.type) : null;
  const list = slices === 'whole' ? [{ from: 0, to: size }] : slices;
  const [first] = list as [Slice];
  write(response, slices === 'whole' ? 200 : 206, {
    'Content-Type': parts?.type ?? chosen.type,
    'Content-Length': String(parts?.length ?? first.to - first.from),
    ...(slices !== 'whole' && parts === null
      ? { 'Content-Range': `bytes ${first.from}-${first.to - 1}/${size}` }
      : {}),
    ...validators(chosen),
    'Accept-Ranges': 'bytes',
    'X-Content-Type-Options': 'nosniff',
    ...common,
  });
  if (method === 'HEAD') {
    release(opened);
    response.end();
    return;
  }
  if (opened.bytes !== null && parts === null) {
    response.end(opened.bytes.subarray(first.from, first.to));
    return;
  }
  return send(call, opened, list, parts);
}

function validators({ opened, coding, fly }: Chosen): Headers {
  return {
    ...(coding === null && fly === null ? {} : { 'Content-Encoding': coding ?? fly! }),
    'Last-Modified': opened.changedText,
    // Packed on the fly it is the same page, but other bytes tomorrow perhaps: a weak validator.
    ETag: fly === null ? opened.tag : `W/${opened.tag}`,
  };
}

export function write(response: WebResponse, status: number, headers: Headers): void {
  (response as ServerResponse).writeHead(status, headers);
}

async function send(
  { response, exchange }: Call,
  opened: Opened,
  slices: readonly Slice[],
  parts: Parts | null,
): Promise<void> {
  const sink = sinkOf(response as Writable, exchange.signal);
  const buffers: Buffer[] = [];
  try {
    for (const [at, slice] of slices.entries()) {
      if (parts !== null && !(await sink.write(parts.heads[at]!))) {
        return;
      }
      if (!(await sendSlice(opened, slice, sink, buffers))) {
        return;
      }
    }
  } finally {
    release(opened);
  }
  if (parts === null) {
    response.end();
  } else {
    response.end(parts.end);
  }
}

async function replyPacked(
  { request, response, exchange }: Call,
  chosen: Chosen,
  fly: FlyCoding,
  packery: Packery,
): Promise<void> {
  const { opened, type, common } = chosen;
  const headers: Headers = {
    'Content-Type': type,
    ...validators(chosen),
    'X-Content-Type-Options': 'nosniff',
    ...common,
  };
  try {
    if (opened.size <= WHOLE) {
      const bytes = packery.kept(opened, fly) ?? (await packery.pack(opened, fly, () => readWhole(opened)));
      write(response, 200, { 'Content-Length': String(bytes.length), ...headers });
      response.end(bytes);
      return;
    }
    write(response, 200, headers);
    if (request.method === 'HEAD') {
      response.end();
    } else if (await packAndSend(response as Writable, exchange.signal, opened, fly)) {
      response.end();
    }
  } finally {
    release(opened);
  }
}

/** False: the client went away. */
async function packAndSend(
  response: Writable,
  signal: AbortSignal,
  opened: Opened,
  fly: FlyCoding,
): Promise<boolean> {
  const transform = packer(opened.size, fly);
  const client = sinkOf(response, signal);
  const feeding = sendSlice(opened, { from: 0, to: opened.size }, sinkOf(transform, signal), []).then(
    () => transform.end(),
    (error: Error) => transform.destroy(error),
  );
  try {
    for await (const bytes of transform) {
      if (!(await client.write(bytes as Buffer))) {
        break;
      }
    }
  } finally {
    transform.destroy();
    await feeding;
  }
  return !signal.aborted;
}
