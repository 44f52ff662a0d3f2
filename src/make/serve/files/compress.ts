/** gzip and brotli on the fly. Up to a megabyte the result is kept, so that a page is packed once and not once for every visitor. */
import type { Transform } from 'node:stream';
import { promisify } from 'node:util';
import { brotliCompress, constants, createBrotliCompress, createGzip, gzip } from 'node:zlib';
import { createRecent } from './recent.ts';
import type { Opened } from './store.ts';
import type { Coding } from './weights.ts';

export type FlyCoding = Exclude<Coding, 'zstd'>;

/** Below this it is one packet anyway. */
export const LEAST = 1000;
/** Larger files are packed while they are sent. */
export const WHOLE = 2 ** 20;
const MEMORY = 16 * 2 ** 20;
/** Between time and size; what others take for answers made on the fly. */
const GZIP = { level: 5 };
const QUALITY = 4;

const withGzip = promisify(gzip) as (bytes: Buffer, options: object) => Promise<Buffer>;
const withBrotli = promisify(brotliCompress) as (bytes: Buffer, options: object) => Promise<Buffer>;

function brotli(size: number): object {
  return {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: Math.min(size, 2 ** 30),
    },
  };
}

export function canFly(coding: Coding): coding is FlyCoding {
  return coding !== 'zstd';
}

export function packBytes(bytes: Buffer, coding: FlyCoding): Promise<Buffer> {
  return coding === 'gzip' ? withGzip(bytes, GZIP) : withBrotli(bytes, brotli(bytes.length));
}

export function packer(size: number, coding: FlyCoding): Transform {
  return coding === 'gzip' ? createGzip(GZIP) : createBrotliCompress(brotli(size));
}

export interface Packery {
  /** Null: it has not been packed before. */
  kept(opened: Opened, coding: FlyCoding): Buffer | null;
  /** `read` gives the file's bytes; it is asked once for all who want the same at the same time. */
  pack(opened: Opened, coding: FlyCoding, read: () => Promise<Buffer>): Promise<Buffer>;
}

export function createPackery(): Packery {
  const recent = createRecent<{ readonly tag: string; readonly bytes: Buffer }>(MEMORY);
  const running = new Map<string, Promise<Buffer>>();
  return {
    kept({ path, tag }, coding) {
      const known = recent.get(`${coding} ${path}`);
      return known?.tag === tag ? known.bytes : null;
    },
    pack(opened, coding, read) {
      const key = `${coding} ${opened.path} ${opened.tag}`;
      const before = running.get(key);
      if (before !== undefined) {
        return before;
      }
      const packing = (async () => {
        try {
          const bytes = await packBytes(await read(), coding);
          // A file that was written just now may be written again with the same time (store.ts).
          if (Date.now() - opened.changed > 2000) {
            recent.put(`${coding} ${opened.path}`, { tag: opened.tag, bytes }, bytes.length);
          }
          return bytes;
        } finally {
          running.delete(key);
        }
      })();
      running.set(key, packing);
      return packing;
    },
  };
}
