/** For tests: the command alone, without the rest of the program. */
import { Command } from 'commander';
import { define } from './load.ts';

define(new Command('load'))
  .parseAsync(process.argv.slice(2), { from: 'user' })
  .then(() => process.exit());
