/** Answers leave here, whichever version of HTTP the client speaks. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { statusText } from '../../../kernel/web-server.ts';
import { type Fields, fieldOf } from '../../cache/fields.ts';
import type { Head } from '../../cache/stored.ts';
import type { WebResponse } from '../web/handler.ts';
import { isSecond } from '../web/versions.ts';
import { type Coding, packed, packer } from './compress.ts';

/** RFC 9113, section 7. */
const INTERNAL_ERROR = 2;

export function begin(response: WebResponse, { status, message, fields }: Head): void {
  if (isSecond(response)) {
    response.writeHead(status, byName(fields));
  } else {
    // The reason the origin gave; a flat list keeps case, order and repetitions.
    (response as ServerResponse).writeHead(status, message || statusText(status), fields as string[]);
  }
}

function byName(fields: Fields): Record<string, string | string[]> {
  const named: Record<string, string | string[]> = Object.create(null);
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase();
    const before = named[name];
    const value = fields[i + 1]!;
    named[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return named;
}

/** Our own words. */
export function plain(response: WebResponse, status: number, text: string, more: Fields = []): void {
  const body = `${text}\n`;
  begin(response, {
    status,
    message: '',
    fields: [
      'Content-Type',
      'text/plain; charset=utf-8',
      'Content-Length',
      String(Buffer.byteLength(body)),
      ...more,
    ],
  });
  response.end(body);
}

/** An answer that stops must not look complete. */
export function cut(response: WebResponse): void {
  if (isSecond(response)) {
    response.stream?.close(INTERNAL_ERROR);
  } else {
    response.destroy();
  }
}

export interface Body {
  /** What may be said about it, after compression was thought of. */
  readonly head: Head;
  readonly coding: Coding | null;
}

export function prepare(head: Head, compress: boolean, accept: string | undefined): Body {
  if (!compress) {
    return { head, coding: null };
  }
  const { fields, coding } = packed(head.status, head.fields, accept);
  return { head: { ...head, fields }, coding };
}

/** A whole body from memory. Null: there is none to be sent. */
export function sendWhole(response: WebResponse, { head, coding }: Body, body: Buffer | null): void {
  begin(response, head);
  if (body === null || coding === null) {
    (response as ServerResponse).end(body ?? undefined);
    return;
  }
  const pack = packer(coding, false);
  pack.pipe(response as ServerResponse);
  pack.end(body);
}

/** Resolves when all of it went out (true), or either side broke off (false); `each` sees every piece as it came. */
export function sendStream(
  response: WebResponse,
  { head, coding }: Body,
  source: Readable,
  flowing: boolean,
  each: (piece: Buffer) => void,
): Promise<boolean> {
  begin(response, head);
  const pack = coding === null ? null : packer(coding, flowing);
  const out = (pack ?? response) as ServerResponse;
  pack?.pipe(response as ServerResponse);
  return new Promise((resolve) => {
    let whole = false;
    if (isSecond(response) ? response.stream.destroyed : response.destroyed) {
      source.destroy();
    }
    let left = pack === null ? Number(fieldOf(head.fields, 'content-length') ?? -1) : -1;
    source.on('data', (piece: Buffer) => {
      each(piece);
      if (left === piece.length) {
        // All of it is there: its end leaves with it.
        whole = true;
        out.end(piece);
        return;
      }
      left -= piece.length;
      if (!out.write(piece)) {
        source.pause();
      }
    });
    out.on('drain', () => source.resume());
    source.once('end', () => {
      whole = true;
      const trailers = (source as Partial<IncomingMessage>).rawTrailers ?? [];
      if (trailers.length > 0) {
        response.addTrailers(trailersOf(trailers));
      }
      out.end();
    });
    source.once('error', () => {});
    source.once('close', () => {
      if (!whole) {
        pack?.destroy();
        cut(response);
      }
      resolve(whole);
    });
    response.once('close', () => {
      pack?.destroy();
      if (!whole) {
        source.destroy();
      }
    });
  });
}

function trailersOf(raw: readonly string[]): Record<string, string> {
  const trailers: Record<string, string> = {};
  for (let i = 0; i < raw.length; i += 2) {
    trailers[raw[i]!] = raw[i + 1]!;
  }
  return trailers;
}
