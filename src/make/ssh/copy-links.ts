/** Whether a link that a server sent may be made. */
import type { ByteName } from './byte-name.ts';

/**
 * Only relative ones that climb first and then go down, and climb no higher than what is copied: `depth` folders. A `..` behind a name is
 * refused: the name may be a link itself, and then nobody knows what is above it.
 */
export function linkStaysInside(target: ByteName, depth: number): boolean {
  if (target === '' || target.startsWith('/') || target.includes('\0')) {
    return false;
  }
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const firstName = parts.findIndex((part) => part !== '..');
  const climbs = firstName === -1 ? parts.length : firstName;
  // A link at depth 1 is in the folder that was asked for: it may not climb at all.
  return climbs < Math.max(1, depth) && !parts.slice(climbs).includes('..');
}
