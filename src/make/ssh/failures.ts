/** What went wrong on the way to an SSH server, as a sentence. */
import { SockscopeError } from '../../errors.ts';
import type { Login } from './login.ts';
import { plainLine } from './plain.ts';

export const NO_COMMON_ALGORITHM = 'SSH_NO_COMMON_ALGORITHM';

export interface Attempt {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** `ssh2` tells both sides' lists only to whoever debugs: by their class. */
  readonly lists: ReadonlyMap<string, { local?: string; remote?: string }>;
  readonly login: Login | null;
  /** Half sentences about keys that were left out. */
  readonly notes: readonly string[];
  shaken: boolean;
}

interface Ssh2Error extends Error {
  readonly level?: string;
  readonly code?: string | number;
}

function place({ host, port }: Attempt): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export function timedOut(attempt: Attempt, ms: number): SockscopeError {
  const what = attempt.shaken ? 'stopped answering during the login' : 'did not answer';
  return new SockscopeError(
    'SSH_TIMEOUT',
    `${place(attempt)} ${what} within ${ms / 1000} s.`,
    'Is the address right, and does a firewall swallow the packets? --connect-timeout waits longer.',
    1,
  );
}

export function failureOf(attempt: Attempt, error: Ssh2Error): SockscopeError {
  const where = place(attempt);
  switch (error.code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_NODATA':
      return new SockscopeError(
        'SSH_NO_NAME',
        `There is no host named ${attempt.host}.`,
        'Look at the spelling, or give it a HostName in ~/.ssh/config.',
        1,
        error,
      );
    case 'ECONNREFUSED':
      return new SockscopeError(
        'SSH_REFUSED',
        `${where} refused the connection: nothing listens there.`,
        'Is sshd running, and is the port right?',
        1,
        error,
      );
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return new SockscopeError(
        'SSH_UNREACHABLE',
        `${where} cannot be reached (${error.code}).`,
        'Is the address right, and is there a route to it?',
        1,
        error,
      );
  }
  if (error.level === 'client-authentication' || attempt.shaken) {
    return notLoggedIn(attempt, error);
  }
  const [, kind] = /no matching (.*)/i.exec(error.message) ?? [];
  if (kind !== undefined) {
    return noCommon(attempt, kind, error);
  }
  return new SockscopeError(
    'SSH_HANDSHAKE',
    `${where} is no SSH server that one can talk to: ${plainLine(error.message)}.`,
    'Look at what answers there: sockscope watch, or nc.',
    1,
    error,
  );
}

function noCommon(attempt: Attempt, kind: string, error: Error): SockscopeError {
  const lists = [...attempt.lists].find(([name]) => kind.toLowerCase().includes(name))?.[1];
  const spread = (list: string | undefined): string =>
    plainLine(list ?? '').replaceAll(',', ', ') || 'nothing';
  return new SockscopeError(
    NO_COMMON_ALGORITHM,
    `${place(attempt)} and sockscope have no ${kind} in common. It offers ${spread(lists?.remote)}; here there is ${spread(lists?.local)}.`,
    'Enable one of them on the server, or correct the lists in ~/.ssh/config.',
    1,
    error,
  );
}

function notLoggedIn({ login, user, host, notes }: Attempt, error: Error): SockscopeError {
  const tried = login?.tried ?? [];
  const offers = login?.offers ?? [];
  const asSaid = error.message.startsWith('All configured') ? '' : ` (${plainLine(error.message)})`;
  const [note] = notes;
  return new SockscopeError(
    'SSH_DENIED',
    `${host} does not let ${user} in${asSaid}: ${tried.length === 0 ? 'there was nothing to try' : `tried ${tried.join(', ')}`}; the server takes ${
      offers.length === 0 ? 'nothing' : offers.join(', ')
    }.`,
    note === undefined
      ? 'Name a key with -i, start an agent, or look at ~/.ssh/authorized_keys on the host.'
      : `${note[0]?.toUpperCase()}${note.slice(1)}.`,
    1,
    error,
  );
}
