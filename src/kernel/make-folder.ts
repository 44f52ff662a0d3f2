/** A folder and those above it, for its owner only. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

const OWNER_ONLY = 0o700;

/**
 * true: it was not there. Not mkdir's `recursive`: below /proc Node 20 tries again for ever, because mkdir(2) says ENOENT there
 * whether the parent is there or not.
 */
export function makeFolder(path: string): boolean {
  try {
    return made(path);
  } catch (error) {
    const above = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === path) {
      throw error;
    }
    makeFolder(above);
    return made(path);
  }
}

/** Somebody else may have made it in the meantime. */
function made(path: string): boolean {
  try {
    mkdirSync(path, { mode: OWNER_ONLY });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false;
    }
    throw error;
  }
}
