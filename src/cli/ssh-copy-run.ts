/** Runs `ssh copy`: what was typed becomes an order, and Ctrl-C leaves nothing half-written. */
import { SockscopeError } from '../errors.ts';
import { connectTo } from '../make/ssh/connect.ts';
import { type CopyOrder, copy } from '../make/ssh/copy.ts';
import { CopyEnded } from '../make/ssh/copy-order.ts';
import { type CopyPlace, readCopyPlace } from '../make/ssh/remote-path.ts';
import { warn } from './output.ts';
import { createAsk } from './ssh-ask.ts';
import { createCopyShow } from './ssh-copy-show.ts';
import { type SshFlags, settingsOf } from './ssh-flags.ts';

export interface SshCopyFlags extends SshFlags {
  readonly recursive?: boolean;
  readonly preserve?: boolean;
  readonly links?: boolean;
  readonly protocol: 'sftp' | 'scp';
  readonly resume?: boolean;
  readonly parallel: number;
  readonly verbose?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

const STATUS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;
/** A server that does not answer any more cannot be waited for. */
const PATIENCE_MS = 3000;

export async function runCopy(paths: readonly string[], flags: SshCopyFlags): Promise<void> {
  const { target, order } = orderOf(paths, flags);
  const connection = await connectTo(target, settingsOf(flags), createAsk(warn));
  const stop = new AbortController();
  const show = createCopyShow(flags);
  let status = 0;
  const interrupted = (signal: (typeof SIGNALS)[number]): void => {
    const mine = STATUS[signal];
    if (stop.signal.aborted) {
      process.exit(mine);
    }
    status = mine;
    stop.abort();
    setTimeout(() => process.exit(mine), PATIENCE_MS).unref();
  };
  for (const signal of SIGNALS) {
    process.on(signal, interrupted as NodeJS.SignalsListener);
  }
  try {
    await copy(connection.client, order, show.watch, stop.signal);
  } catch (error) {
    if (!(error instanceof CopyEnded)) {
      throw error;
    }
    if (error.why !== 'stopped') {
      throw endedError(error, flags, connection.lost);
    }
  } finally {
    show.end();
    for (const signal of SIGNALS) {
      process.off(signal, interrupted as NodeJS.SignalsListener);
    }
    await connection.end();
  }
  process.exitCode = status === 0 && show.failed() > 0 ? 1 : status;
}

function endedError(error: CopyEnded, flags: SshCopyFlags, lost: string | null): SockscopeError {
  const kept = flags.resume === true;
  if (error.why === 'disk full') {
    return new SockscopeError(
      'COPY_DISK_FULL',
      `The copy ended: ${error.message}.`,
      kept
        ? 'Make room and copy again with --resume: it goes on there.'
        : 'The partial file was removed; what was complete is there.',
      1,
      error,
    );
  }
  return new SockscopeError(
    'SSH_LOST',
    `The copy ended: ${lost ?? error.message}.`,
    kept
      ? 'Copy again with --resume: it goes on there.'
      : 'What was complete is there; with --resume the next attempt goes on where this one ended.',
    1,
    error,
  );
}

function orderOf(paths: readonly string[], flags: SshCopyFlags): { target: string; order: CopyOrder } {
  const places = paths.map(readCopyPlace);
  const to = places.at(-1);
  const from = places.slice(0, -1);
  if (to === undefined || from.length === 0) {
    throw usage('There is only one place.', 'Name what to copy, and last where to.');
  }
  refuse(
    flags.protocol === 'scp' && flags.links === true,
    'The scp protocol has no symbolic links.',
    '--links',
  );
  refuse(
    flags.protocol === 'scp' && flags.resume === true,
    'The scp protocol begins every file at its start.',
    '--resume',
  );
  const hosts = [...new Set(from.flatMap((place) => (place.kind === 'there' ? [place.target] : [])))];
  if (hosts.length > 0 && to.kind === 'there') {
    throw usage(
      'Both sides are on hosts.',
      'Copy from one host to here first, and then from here to the other.',
    );
  }
  if (hosts.length === 0 && to.kind === 'here') {
    throw usage('No side is on a host.', 'Write host:path on one side; cp copies here.');
  }
  if (hosts.length > 1 || (hosts.length === 1 && from.some(({ kind }) => kind === 'here'))) {
    throw usage('The sources are not all in one place.', 'Copy from each host by itself.');
  }
  const target = to.kind === 'there' ? to.target : hosts[0]!;
  return {
    target,
    order: {
      direction: to.kind === 'there' ? 'up' : 'down',
      protocol: flags.protocol,
      sources: from.map(({ path }: CopyPlace) => path),
      target: to.path,
      wishes: {
        recursive: flags.recursive === true,
        preserve: flags.preserve === true,
        links: flags.links === true,
        resume: flags.resume === true,
        parallel: flags.parallel,
      },
    },
  };
}

function refuse(wrong: boolean, what: string, flag: string): void {
  if (wrong) {
    throw usage(what, `Leave out ${flag}, or --protocol scp.`);
  }
}

function usage(message: string, hint: string): SockscopeError {
  return new SockscopeError('COPY_USAGE', message, hint, 2);
}
