/** `ssh copy` alone, as a program: what its tests start in rooms of their own. */
import { Command } from 'commander';
import { SockscopeError } from '../errors.ts';
import { define } from './ssh-copy.ts';

define(new Command('copy'))
  .parseAsync()
  .catch((error: unknown) => {
    if (!(error instanceof SockscopeError)) {
      throw error;
    }
    process.stderr.write(`${error.message}\n${error.hint}\n`);
    process.exitCode = error.exit;
  })
  .then(() => process.exit());
