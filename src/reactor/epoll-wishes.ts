/** Socket options as they are wished for at listen and connect. */
import type { SocketWishes } from './reactor.ts';
import { getOption, SOCKET_OPTIONS, setOption } from './socket-options.ts';

const ENOPROTOOPT = -92;
const EOPNOTSUPP = -95;
const SOL_SOCKET = 1;

/** 0 or the first -errno. What belongs to TCP or IP means nothing on a UNIX socket and is left out there. */
export function applyWishes(fd: number, kind: 'tcp' | 'unix', wishes: SocketWishes | undefined): number {
  for (const name in wishes) {
    const result = setOption(fd, name, wishes[name]!);
    if (result < 0 && !(kind === 'unix' && isForeign(name, result))) {
      return result;
    }
  }
  return 0;
}

function isForeign(name: string, result: number): boolean {
  const option = SOCKET_OPTIONS.find((one) => one.name === name);
  return (
    option !== undefined && option.level !== SOL_SOCKET && (result === ENOPROTOOPT || result === EOPNOTSUPP)
  );
}

/** What a listener hands down to the sockets it accepts. Linux copies almost every option of TCP; the rest is set on each. */
export interface Inheritance {
  /** 0, or -errno: the listener does not take a wish. */
  readonly result: number;
  /** On an accepted descriptor. The first one shows which wishes did not come down by themselves. */
  apply(fd: number): void;
}

export function bequeath(
  listener: number,
  kind: 'tcp' | 'unix',
  wishes: SocketWishes | undefined,
): Inheritance {
  const result = applyWishes(listener, kind, wishes);
  const expected = new Map<string, number>();
  for (const name in wishes) {
    expected.set(name, getOption(listener, name));
  }
  let rest: SocketWishes | null = null;
  return {
    result,
    apply(fd) {
      if (expected.size === 0) {
        return;
      }
      rest ??= missing(fd, expected, wishes);
      for (const name in rest) {
        setOption(fd, name, rest[name]!);
      }
    },
  };
}

function missing(
  fd: number,
  expected: ReadonlyMap<string, number>,
  wishes: SocketWishes | undefined,
): SocketWishes {
  const rest: Record<string, number> = {};
  for (const [name, value] of expected) {
    if (kindless(value) || getOption(fd, name) !== value) {
      rest[name] = wishes![name]!;
    }
  }
  return rest;
}

/** The listener could not say it, so nothing can be concluded from it. */
function kindless(value: number): boolean {
  return value === ENOPROTOOPT || value === EOPNOTSUPP;
}
