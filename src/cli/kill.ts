import type { Command } from 'commander';
import { SockscopeError } from '../errors.ts';
import type { KillPlan } from '../see/kill.ts';
import type { ConnectionPlan, DoomedSocket } from '../see/kill-connections.ts';
import { type KillOptions, type KillReport, kill } from '../see/kill-run.ts';
import { type KillSocketsOptions, killSockets } from '../see/kill-sockets.ts';
import { parseDuration } from '../see/kill-targets.ts';
import type { Victim } from '../see/kill-victims.ts';
import { choose } from './kill-ask.ts';
import {
  doomedText,
  killLines,
  placeResultText,
  remarks,
  resultText,
  socketLines,
  socketResultText,
  victimText,
} from './kill-words.ts';
import { paint, print, warn } from './output.ts';

interface Flags {
  clients?: boolean;
  connections?: boolean;
  connection?: string[];
  listeners?: boolean;
  dryRun?: boolean;
  yes?: boolean;
  signal: string;
  forceAfter?: string;
  wait?: string;
  force?: boolean;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  sockscope kill :8080                      who listens on port 8080, after a question
  sockscope kill :3000 node pid:1234 --yes  several at once, without one
  sockscope kill :8080 --dry-run            only show who it would be
  sockscope kill :8080 --force-after 3s     SIGTERM, and SIGKILL after three seconds
  sockscope kill --connection 127.0.0.1:40000 127.0.0.1:8080
                                            end one connection, let both programs live
  sockscope kill --connections state close-wait
                                            the same for all that a filter matches (see ls)

Exit status: 0 done, 1 nothing matched or somebody is still there, 2 usage, 3 not permitted.
`;

export function define(command: Command): Command {
  return command
    .argument('[targets...]', 'a port (:8080, 127.0.0.1:8080), a program (node), a process (pid:1234)')
    .option('--clients', 'also programs that only have a connection with the port, or do not listen')
    .option('--connection <ends...>', 'destroy the connection between two ends, not the programs')
    .option('--connections', 'destroy the sockets that a filter matches, not the programs')
    .option('--listeners', 'with --connections: listening sockets too')
    .option('-n, --dry-run', 'show what would be done, and do nothing')
    .option('-y, --yes', 'do not ask')
    .option('-s, --signal <signal>', 'TERM, HUP, KILL, 9 …', 'TERM')
    .option('--force-after <time>', 'SIGKILL to whoever is still there after 500ms, 3s, 1m')
    .option('--wait <time>', 'how long to wait for the end (default 5s)')
    .option('--force', 'even pid 1, this program and those it runs inside')
    .option('--json', 'one JSON object per line')
    .addHelpText('after', EXAMPLES)
    .action(async (targets: string[], flags: Flags) => {
      process.exitCode =
        flags.connection !== undefined || flags.connections
          ? await runSockets(targets, flags)
          : await runKill(targets, flags);
    });
}

async function runKill(targets: string[], flags: Flags): Promise<number> {
  if (flags.listeners) {
    throw new SockscopeError(
      'USAGE',
      '--listeners goes with --connections.',
      'Add --connections, or leave it out.',
      2,
    );
  }
  const options: KillOptions = {
    targets,
    signal: flags.signal,
    ...(flags.clients && { clients: true }),
    ...(flags.force && { force: true }),
    ...(flags.dryRun && { dryRun: true }),
    ...(flags.forceAfter !== undefined && { forceAfterMs: parseDuration(flags.forceAfter) }),
    ...(flags.wait !== undefined && { waitMs: parseDuration(flags.wait) }),
    choose: (plan, signal) => chooseVictims(plan, signal.name, flags),
  };
  const report = await kill(options);
  show(report, flags);
  return (await offerHolders(report, options, flags)) ?? report.exit;
}

function show(report: KillReport, flags: Flags): void {
  if (flags.json) {
    printLines(killLines(report));
    return;
  }
  const unshown = flags.dryRun || report.plan.victims.length === 0;
  if (unshown) {
    print(report.plan.victims.map((victim) => victimText(victim, paint)).join(''));
    for (const remark of remarks(report.plan)) {
      warn(remark);
    }
  }
  for (const result of report.results) {
    print(`${resultText(result, report.signal.name, paint)}\n`);
  }
  for (const place of report.places) {
    print(`${placeResultText(place, paint)}\n`);
  }
}

async function chooseVictims(plan: KillPlan, signal: string, flags: Flags): Promise<readonly Victim[]> {
  if (!flags.json || !flags.yes) {
    tell(plan.victims.map((victim) => victimText(victim, paint)).join(''), flags);
    for (const remark of remarks(plan)) {
      warn(remark);
    }
  }
  return choose(plan.victims, flags, `Send ${signal} to`, ({ process: { name, pid } }) => `${name} (${pid})`);
}

/** A child that inherited the socket, or a supervisor's new one: named above, and on a terminal offered as the next to go. */
async function offerHolders(report: KillReport, options: KillOptions, flags: Flags): Promise<number | null> {
  const done = new Set(report.results.map(({ victim }) => victim.process.pid));
  const holders = report.places.flatMap((place) => place.holders).filter(({ pid }) => !done.has(pid));
  if (holders.length === 0 || flags.yes || process.stdin.isTTY !== true) {
    return null;
  }
  const targets = [...new Set(holders.map(({ pid }) => `pid:${pid}`))];
  const next = await kill({ ...options, targets });
  show(next, flags);
  const onlyPorts = report.results.every(({ outcome }) =>
    ['ended', 'killed', 'gone before'].includes(outcome),
  );
  return onlyPorts && report.plan.missed.length + report.plan.refusals.length === 0 ? next.exit : report.exit;
}

async function runSockets(words: string[], flags: Flags): Promise<number> {
  const report = await killSockets(socketOptions(words, flags));
  if (flags.json) {
    printLines(socketLines(report));
    return report.exit;
  }
  if (flags.dryRun) {
    tellSockets(report.plan, flags);
  } else if (report.missed !== null) {
    report.plan.notes.forEach(warn);
  }
  if (report.missed !== null) {
    warn(report.missed);
  }
  for (const result of report.results) {
    print(`${socketResultText(result, paint)}\n`);
  }
  return report.exit;
}

function socketOptions(words: string[], flags: Flags): KillSocketsOptions {
  const common: KillSocketsOptions = {
    ...(flags.dryRun && { dryRun: true }),
    ...(flags.listeners && { listeners: true }),
    choose: async (plan) => {
      if (!flags.json || !flags.yes) {
        tellSockets(plan, flags);
      }
      return choose(plan.doomed, flags, 'Destroy', ({ socket }) => doomedName(socket));
    },
  };
  if (flags.connection === undefined) {
    return { ...common, filter: words.join(' ') };
  }
  const [from, to, ...more] = [...flags.connection, ...words];
  if (from === undefined || to === undefined || more.length > 0 || flags.connections) {
    throw new SockscopeError(
      'USAGE',
      '--connection wants exactly two ends.',
      'Write `--connection 127.0.0.1:40000 127.0.0.1:8080`, or `--connections` and a filter.',
      2,
    );
  }
  return { ...common, connection: [from, to] };
}

function doomedName({ local, peer }: DoomedSocket['socket']): string {
  return `${local.address}:${local.port} → ${peer.address}:${peer.port}`;
}

function tellSockets(plan: ConnectionPlan, flags: Flags): void {
  tell(plan.doomed.map((one) => doomedText(one, paint)).join(''), flags);
  plan.notes.forEach(warn);
}

/** With --json, standard output belongs to the lines. */
function tell(text: string, flags: Flags): void {
  if (flags.json) {
    warn(text);
  } else {
    print(text);
  }
}

function printLines(lines: object[]): void {
  print(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}
