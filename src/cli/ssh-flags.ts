/** What every command over SSH may be told about the way there. */
import { type Command, InvalidArgumentError } from 'commander';
import type { SshSettings } from '../make/ssh/connection.ts';
import { durationNs } from '../session/quantities.ts';

export interface SshFlags {
  readonly port?: number;
  readonly user?: string;
  readonly identity?: readonly string[];
  readonly config?: string;
  readonly option?: readonly string[];
  readonly knownHosts?: string;
  readonly acceptNew?: boolean;
  readonly password: boolean;
  readonly connectTimeout?: number;
}

export function addSshOptions(command: Command): Command {
  return command
    .option('-p, --port <port>', 'of the server', port)
    .option('-l, --user <name>', 'to log in as')
    .option('-i, --identity <file>', 'a private key; may be given several times', gather)
    .option('-F, --config <file>', 'instead of ~/.ssh/config and /etc/ssh/ssh_config; none: no file')
    .option('-o, --option <key=value>', 'a line of ssh_config(5); may be given several times', gather)
    .option('--known-hosts <file>', 'instead of ~/.ssh/known_hosts')
    .option('--accept-new', 'add a host that is not known; one whose key changed is refused all the same')
    .option('--no-password', 'keys only: nothing is asked for the server')
    .option(
      '--connect-timeout <time>',
      'for the connection and each answer of the login (20s)',
      milliseconds,
    );
}

export function settingsOf(flags: SshFlags): SshSettings {
  const {
    port: number,
    user,
    identity,
    config,
    option,
    knownHosts,
    acceptNew,
    password,
    connectTimeout,
  } = flags;
  return {
    password,
    ...(number === undefined ? {} : { port: number }),
    ...(user === undefined ? {} : { user }),
    ...(identity === undefined ? {} : { identities: identity }),
    ...(config === undefined ? {} : { configFile: config }),
    ...(option === undefined ? {} : { options: option }),
    ...(knownHosts === undefined ? {} : { knownHosts }),
    ...(acceptNew === undefined ? {} : { acceptNew }),
    ...(connectTimeout === undefined ? {} : { connectTimeoutMs: connectTimeout }),
  };
}

export function gather(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** A timer of Node holds 31 bits. */
const LONGEST_MS = 2 ** 31 - 1;

export function milliseconds(text: string): number {
  const ns = durationNs(text);
  if (ns === null || ns <= 0 || ns / 1e6 > LONGEST_MS) {
    throw new InvalidArgumentError('A time such as 500ms, 10s or 2m.');
  }
  return ns / 1e6;
}

function port(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > 65_535) {
    throw new InvalidArgumentError('A port is a number from 1 to 65535.');
  }
  return number;
}
