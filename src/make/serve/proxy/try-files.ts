/** `try-files`: a file of a directory is served before the upstream is asked. Nothing outside of the directory, whatever links say. */
import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { notModified, rangeApplies } from '../../cache/conditions.ts';
import { type Fields, fieldOf } from '../../cache/fields.ts';
import { dateText } from '../../cache/http-date.ts';
import { readRange } from '../../cache/ranges.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.avif': 'image/avif',
  '.css': 'text/css; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.gif': 'image/gif',
  '.htm': 'text/html; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.mp4': 'video/mp4',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webm': 'video/webm',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.xml': 'text/xml; charset=utf-8',
};

export interface FoundFile {
  readonly status: 200 | 206 | 304 | 416;
  readonly fields: Fields;
  /** Null: no body. The bytes [from, to). */
  readonly body: { readonly file: FileHandle; readonly from: number; readonly to: number } | null;
}

/** `path` is decoded and has no `..`. Null: there is no such file, and the upstream is asked. */
export async function findFile(root: string, path: string, request: Fields): Promise<FoundFile | null> {
  let file: FileHandle;
  let real: string;
  try {
    [real, file] = await openInside(root, path);
  } catch {
    return null;
  }
  const about = await file.stat();
  if (!about.isFile()) {
    await file.close();
    return null;
  }
  const now = Date.now();
  const { size, mtimeMs } = about;
  const changed = Math.floor(mtimeMs / 1000) * 1000;
  const fields = [
    ...['Last-Modified', dateText(changed)],
    ...['ETag', `"${changed.toString(36)}-${size.toString(36)}"`],
    ...['Accept-Ranges', 'bytes'],
  ];
  const type = ['Content-Type', TYPES[extname(real).toLowerCase()] ?? 'application/octet-stream'];
  if (notModified(request, fields, now)) {
    await file.close();
    return { status: 304, fields, body: null };
  }
  const slice = rangeApplies(request, fields) ? readRange(fieldOf(request, 'range'), size) : 'none';
  if (slice === 'beyond') {
    await file.close();
    return { status: 416, fields: ['Content-Range', `bytes */${size}`, 'Content-Length', '0'], body: null };
  }
  const { from, to } = slice === 'none' ? { from: 0, to: size } : slice;
  const part = slice === 'none' ? [] : ['Content-Range', `bytes ${from}-${to - 1}/${size}`];
  return {
    status: slice === 'none' ? 200 : 206,
    fields: [...type, ...fields, ...part, 'Content-Length', String(to - from)],
    body: { file, from, to },
  };
}

async function openInside(root: string, path: string): Promise<[string, FileHandle]> {
  const [base, real] = [await realpath(root), await realpath(join(root, path))];
  if (!real.startsWith(base.endsWith(sep) ? base : base + sep)) {
    throw new Error('outside');
  }
  // A FIFO would wait for its writer.
  return [real, await open(real, constants.O_RDONLY | constants.O_NONBLOCK)];
}
