/** `npm start [-- arguments]`: installs what is missing, builds what is stale, runs the program. */
import { join } from 'node:path';
import { become, builtOrExit, ensureInstalled, requireNode, root } from './lib.mjs';

requireNode();
ensureInstalled();
await builtOrExit();
become(process.execPath, [join(root, 'dist/cli.js'), ...process.argv.slice(2)]);
