/** Names of files that are not complete yet: `.name.sockscope-1a2b3c4d`, beside the name they will have. */
import { createHash, randomBytes } from 'node:crypto';
import { type ByteName, join } from './byte-name.ts';

const LONGEST_NAME = 255;

/**
 * With `same` (the size and the time of the original) the name is the same every time: a partial file under it belongs to this very
 * original, and can be continued. Without, it is random.
 */
export function partPath(path: ByteName, same: string | null): ByteName {
  const slash = path.lastIndexOf('/') + 1;
  const key =
    same === null
      ? randomBytes(4).toString('hex')
      : createHash('sha256').update(same).digest('hex').slice(0, 8);
  const end = `.sockscope-${key}`;
  const name = `.${path.slice(slash)}`.slice(0, LONGEST_NAME - end.length);
  return slash === 0 ? `${name}${end}` : join(path.slice(0, slash), `${name}${end}`);
}

export function sameOriginal(size: number, modified: number): string {
  return `${size} ${modified}`;
}
