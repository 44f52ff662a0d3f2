/** `sockscope limits`: what runs out first. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { SockscopeError } from '../errors.ts';
import type { Scope } from '../see/limit.ts';
import { limits } from '../see/limits-read.ts';
import { jsonLines, reportText } from './limits-text.ts';
import { paint, print, width } from './output.ts';

interface Flags {
  all?: boolean;
  json?: boolean;
  watch?: number | true;
}

const EXAMPLES = `
Examples:
  sockscope limits                what is nearest to its end on this machine
  sockscope limits 1234           one process: its descriptors by kind, its queues, its destinations
  sockscope limits :8080          the programs at a port, and the local ports left towards it
  sockscope limits --watch 5      every five seconds, with history and growth per minute
  sockscope limits --all --json   everything, one JSON object per line
`;

const DEFAULT_SECONDS = 2;
const LONGEST_SECONDS = 86_400;

export function define(command: Command): Command {
  return command
    .argument('[process-or-port]', 'a pid (1234, pid:1234) or a port (:8080)')
    .option('-a, --all', 'also what is far from its limit')
    .option('--json', 'one JSON object per line')
    .addOption(new Option('-w, --watch [seconds]', 'again and again, with history').argParser(seconds))
    .addHelpText('after', EXAMPLES)
    .action(async (word: string | undefined, flags: Flags) => {
      const scope = parseScope(word);
      const shape = { all: flags.all === true, json: flags.json === true };
      if (flags.watch !== undefined) {
        const { watchLimits } = await import('./limits-watch.ts');
        await watchLimits(scope, shape, flags.watch === true ? DEFAULT_SECONDS : flags.watch);
        return;
      }
      const report = limits(scope);
      print(shape.json ? jsonLines(report) : reportText(report, { ...shape, width: width(), paint }));
    });
}

/** PID_MAX_LIMIT on 64 bits (include/linux/threads.h). */
const HIGHEST_PID = 4_194_304;

export function parseScope(word: string | undefined): Scope {
  if (word === undefined) {
    return {};
  }
  const port = /^:(\d{1,5})$/.exec(word)?.[1];
  if (port !== undefined && Number(port) >= 1 && Number(port) <= 65535) {
    return { port: Number(port) };
  }
  const pid = /^(?:pid:)?(\d{1,7})$/.exec(word)?.[1];
  if (pid !== undefined && Number(pid) >= 1 && Number(pid) <= HIGHEST_PID) {
    return { pid: Number(pid) };
  }
  throw new SockscopeError(
    'BAD_SCOPE',
    `\`${word}\` is neither a process nor a port.`,
    'Write a pid such as `1234`, or a port from `:1` to `:65535`.',
    2,
  );
}

function seconds(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value < 0.1 || value > LONGEST_SECONDS) {
    throw new InvalidArgumentError(`Seconds, from 0.1 to ${LONGEST_SECONDS}.`);
  }
  return value;
}
