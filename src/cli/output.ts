/** Where text leaves the program. A reader that goes away (`| head`) ends us quietly. */
import { writeSync } from 'node:fs';
import { painter, wantsColour } from '../view/colour.ts';

export const paint = painter(wantsColour(process.stdout.isTTY === true, process.env));

export function isTerminal(): boolean {
  return process.stdout.isTTY === true;
}

const NARROWEST = 40;
const USUAL = 100;

export function width(): number {
  return Math.max(NARROWEST, process.stdout.columns ?? USUAL);
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** A full pipe whose other end is non-blocking answers EAGAIN: wait for it on a lock nobody holds, without spinning. */
const pause = new Int32Array(new SharedArrayBuffer(4));

export function printBytes(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'EPIPE') {
        process.exit(0);
      }
      if (code !== 'EAGAIN') {
        throw error;
      }
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

export function print(text: string): void {
  printBytes(Buffer.from(text));
}

export function warn(text: string): void {
  process.stderr.write(text.endsWith('\n') ? text : `${text}\n`);
}
