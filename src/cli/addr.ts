/** `sockscope addr [NAME[:PORT]]`: what a name resolves to, in which order, and who listens there. */
import type { Command } from 'commander';
import { type AddrReport, addr, parseNameAndPort } from '../see/addr.ts';
import { addrText } from './addr-text.ts';
import { paint, print, warn, width } from './output.ts';

const PATIENCE_MS = 1500;

export function define(command: Command): Command {
  return command
    .argument('[name[:port]]', 'a name or address, with a port to ask about', 'localhost')
    .option('--json', 'one line of JSON')
    .addHelpText(
      'after',
      `
Exit code: 0 nothing wrong found; 1 the name does not resolve, or its first address is not served.

Examples:
  sockscope addr                    localhost, the interfaces, everything that listens there
  sockscope addr localhost:3000     why is it refused?
  sockscope addr :3000              the same
  sockscope addr db.internal:5432   which file or server names it
`,
    )
    .action(async (text: string, options: { json?: boolean }) => {
      const wanted = parseNameAndPort(text);
      const waiting = setTimeout(() => warn(`still asking for ${wanted.name} …`), PATIENCE_MS);
      const report = await addr(wanted);
      clearTimeout(waiting);
      print(
        options.json === true ? `${JSON.stringify({ v: 1, ...report })}\n` : addrText(report, paint, width()),
      );
      process.exitCode = exitOf(report);
    });
}

function exitOf(report: AddrReport): 0 | 1 {
  return report.conclusions.some(({ kind }) => kind === 'finding') ? 1 : 0;
}
