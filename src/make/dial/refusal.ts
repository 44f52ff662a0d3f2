/** Why a connection did not come about, in one sentence, and what to do about it. */
import { SockscopeError } from '../../errors.ts';
import { errnoMeaning, errnoName } from '../../kernel/errno.ts';
import { durationText } from '../../session/quantities.ts';
import type { DialPlan } from './kind.ts';

const ENOENT = -2;
const EAGAIN = -11;
const EACCES = -13;
const EINVAL = -22;
const EPROTOTYPE = -91;
const EADDRINUSE = -98;
const EADDRNOTAVAIL = -99;
const ENETUNREACH = -101;
export const ETIMEDOUT = -110;
const ECONNREFUSED = -111;
const EHOSTUNREACH = -113;

export function notConnected(plan: DialPlan, where: string, errno: number, ours: boolean): SockscopeError {
  const failed = (what: string, hint: string): SockscopeError =>
    new SockscopeError('DIAL_FAILED', what, hint, 1);
  const { host, port, source } = plan;
  const from = source === null ? 'it' : `${source.host || 'any address'}:${source.port}`;
  switch (errno) {
    case ECONNREFUSED:
      return plan.scheme.startsWith('unix')
        ? failed(
            `Nobody listens on ${where}: the file is there, its server is not.`,
            `\`sockscope ls unix\` shows the sockets that are served.`,
          )
        : failed(
            `${where} refused: nobody listens there.`,
            `\`sockscope addr ${host}:${port}\` shows who listens on that port, and where.`,
          );
    case ENOENT:
      return failed(`There is no socket ${where}.`, 'Start its server, or look at the path again.');
    case EACCES:
      return failed(
        `${source === null ? where : from} may not be used by you.`,
        source === null
          ? '`ls -l` shows whose it is; broadcast needs --sockopt broadcast.'
          : 'Ports below 1024 are for root.',
      );
    case EPROTOTYPE:
      return failed(
        `${where} is a socket of another type.`,
        plan.scheme === 'unix' ? 'Try unix-dgram: instead.' : 'Try unix: instead.',
      );
    case ETIMEDOUT:
      return failed(
        ours
          ? `${where} did not answer within ${durationText(plan.patience)}.`
          : `${where} did not answer: the kernel gave up.`,
        'A filter drops what is sent there, or the host is gone; -w 60s waits longer.',
      );
    case EHOSTUNREACH:
    case ENETUNREACH:
      return failed(
        `There is no way to ${where}: ${errnoMeaning(errno)}.`,
        '`ip route get` shows where it would go.',
      );
    case EADDRNOTAVAIL:
      return failed(
        source === null
          ? `No local port is left to reach ${where}.`
          : `${from} is not an address of this machine.`,
        source === null
          ? '`sockscope limits` shows what they are used for.'
          : '`sockscope addr` lists those it has.',
      );
    case EADDRINUSE:
      return failed(`${from} is in use already.`, 'Take another one, or leave out the port.');
    case EINVAL:
      return failed(
        `${where} cannot be connected to like this.`,
        'Look at the address and the socket options again.',
      );
    case EAGAIN:
      return failed(`The queue of ${where} is full.`, 'Its server accepts nobody just now.');
    default:
      return failed(`${where}: ${errnoMeaning(errno)} (${errnoName(errno)}).`, 'Nothing was sent.');
  }
}

export function optionRefused(option: string, errno: number): SockscopeError {
  return new SockscopeError(
    'DIAL_OPTION',
    `The kernel does not take the socket option ${option}: ${errnoMeaning(errno)} (${errnoName(errno)}).`,
    'Leave it out of --sockopt, or give it another value.',
    1,
  );
}
