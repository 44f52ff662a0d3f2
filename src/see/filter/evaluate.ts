/** Filter → a question to one row. Compiled to closures once, since a table may have 100 000 rows. */
import { userName } from '../../kernel/users.ts';
import { type Socket, TCP_STATES } from '../../session/socket.ts';
import type { Filter, Predicate, Side } from './ast.ts';
import { glob } from './glob.ts';
import { hostTest } from './host-test.ts';

export type Test = (socket: Socket) => boolean;

export function matches(filter: Filter, socket: Socket): boolean {
  return evaluate(filter)(socket);
}

export function evaluate(filter: Filter): Test {
  switch (filter.kind) {
    case 'and': {
      const tests = filter.of.map(evaluate);
      return (socket) => {
        for (const test of tests) {
          if (!test(socket)) {
            return false;
          }
        }
        return true;
      };
    }
    case 'or': {
      const tests = filter.of.map(evaluate);
      return (socket) => {
        for (const test of tests) {
          if (test(socket)) {
            return true;
          }
        }
        return false;
      };
    }
    case 'not': {
      const test = evaluate(filter.of);
      return (socket) => !test(socket);
    }
    default:
      return predicate(filter);
  }
}

const STATE_BITS = new Map(TCP_STATES.map((name, i) => [name, 1 << i]));

function predicate(p: Predicate): Test {
  switch (p.kind) {
    case 'everything':
      return () => true;
    case 'state':
      return (socket) => (STATE_BITS.get(socket.state)! & p.mask) !== 0;
    case 'host': {
      const test = hostTest(p);
      return sided(p.side, (socket, end) => test(socket.family, socket[end].address));
    }
    case 'port':
      return port(p.side, p.from, p.to);
    case 'family':
      return (socket) => socket.family === p.family;
    case 'protocol':
      return (socket) => socket.protocol === p.protocol;
    case 'device':
      return (socket) => (socket.device ?? '') === p.name;
    case 'mark':
      return (socket) => ((socket.mark ?? 0) & p.mask) >>> 0 === p.value;
    case 'cgroup': {
      const path = cgroupName(p.path);
      return (socket) => socket.cgroup !== undefined && cgroupName(socket.cgroup) === path;
    }
    case 'autobound':
      return autobound(p.from, p.to);
    case 'path': {
      const test = glob(p.pattern);
      return sided(p.side, (socket, end) => socket.family === 0 && test(unixName(socket[end].address)));
    }
    case 'program': {
      const test = programTest(p.text);
      return (socket) => socket.owners.some(({ name }) => test(name));
    }
    case 'pid':
      return (socket) => socket.owners.some(({ pid }) => pid === p.pid);
    case 'user': {
      const { user } = p;
      return typeof user === 'number'
        ? (socket) => socket.uid === user
        : (socket) => userName(socket.uid) === user;
    }
  }
}

function sided(side: Side, test: (socket: Socket, end: 'local' | 'peer') => boolean): Test {
  return side === 'either'
    ? (socket) => test(socket, 'local') || test(socket, 'peer')
    : (socket) => test(socket, side);
}

/** For ss a UNIX socket's port is its inode, so `sport` compares that; the short `:8080` means ports only. */
function port(side: Side, from: number, to: number): Test {
  if (side === 'either') {
    return ({ family, local, peer }) =>
      family !== 0 && ((local.port >= from && local.port <= to) || (peer.port >= from && peer.port <= to));
  }
  // `>= N` has no upper end, which shows only where "ports" are inodes.
  const last = to === 65535 ? Number.POSITIVE_INFINITY : to;
  return (socket) => socket[side].port >= from && socket[side].port <= last;
}

/** Linux names an autobound UNIX socket `@` and five hex digits (unix_autobind). */
function autobound(from: number, to: number): Test {
  return ({ family, local }) =>
    family === 0
      ? local.address === '*' || /^@[0-9a-f]{5}$/.test(local.address)
      : local.port >= from && local.port <= to;
}

function unixName(address: string): string {
  return address === '*' ? '' : address;
}

function cgroupName(path: string): string {
  return `/${path.replace(/^\/sys\/fs\/cgroup(\/unified)?(?=\/|$)/, '').replace(/^\/+|\/+$/g, '')}`;
}

/** Part of the name in any case; with `*` or `?` the pattern is the whole name. */
function programTest(text: string): (name: string) => boolean {
  if (/[*?]/.test(text)) {
    return glob(text);
  }
  const part = text.toLowerCase();
  return (name) => name.toLowerCase().includes(part);
}
