/** Reads the figures and has them judged: what `sockscope limits` and the library call. */
import { SockscopeError } from '../errors.ts';
import { descriptorKinds } from '../kernel/descriptor-kinds.ts';
import {
  allProcessDescriptors,
  machineLimits,
  type ProcessDescriptors,
  processDescriptors,
} from '../kernel/limits.ts';
import { type Socket, TCP_STATES } from '../session/socket.ts';
import type { LimitsReport, Scope } from './limit.ts';
import { limitsOf } from './limits.ts';
import { addOwners, type OwnerWish, type Reading, readSockets } from './sockets.ts';

export interface LimitsOptions extends Scope {
  /** Already read ones, with owners where pid or port is given; default: read now. */
  sockets?: readonly Socket[];
  /** `auto` leaves owners out on a machine with many descriptors, unless pid or port is given; default `always`. */
  owners?: OwnerWish;
}

/** Every limit with what is used of it, nearest to its end first. */
export function limits(options: LimitsOptions = {}): LimitsReport {
  const { pid, port } = options;
  const scope: Scope = { ...(pid === undefined ? {} : { pid }), ...(port === undefined ? {} : { port }) };
  const scoped = pid !== undefined || port !== undefined;
  const own = pid === undefined ? null : wantedProcess(pid);
  const { sockets, notes } =
    options.sockets === undefined
      ? readAll(scoped, scoped ? 'always' : (options.owners ?? 'always'))
      : { sockets: options.sockets, notes: [] };
  const processes = own ?? (port === undefined ? allProcessDescriptors() : holders(sockets, port));
  const kinds = new Map<number, ReadonlyMap<string, number>>();
  const unseen: string[] = [];
  for (const { pid } of scoped ? processes : []) {
    const found = descriptorKinds(pid);
    if (found === null) {
      unseen.push(`kinds of descriptors of pid ${pid} not visible: run as root or as its user`);
    } else {
      kinds.set(pid, found);
    }
  }
  const report = limitsOf({ machine: machineLimits(), processes, kinds, sockets }, scope);
  return { ...report, notes: [...report.notes, ...unseen, ...notes] };
}

function wantedProcess(pid: number): ProcessDescriptors[] {
  const found = processDescriptors(pid);
  if (found === null) {
    throw new SockscopeError(
      'NO_PROCESS',
      `There is no process ${pid}.`,
      `Write \`:${pid}\` if the port is meant; \`sockscope ls\` shows who has sockets.`,
      1,
    );
  }
  return [found];
}

/** The programs at the port: those that listen, or else those that use it at either end. */
function holders(sockets: readonly Socket[], port: number): ProcessDescriptors[] {
  const at = sockets.filter(
    ({ family, local, peer }) => family !== 0 && (local.port === port || peer.port === port),
  );
  if (at.length === 0) {
    throw new SockscopeError(
      'NOTHING_THERE',
      `Nothing uses port ${port}.`,
      `Write \`${port}\` if the process is meant; \`sockscope ls -l\` shows what listens.`,
      1,
    );
  }
  const serving = at.filter(({ local }) => local.port === port);
  const pids = new Set(
    (serving.length > 0 ? serving : at).flatMap(({ owners }) => owners.map(({ pid }) => pid)),
  );
  return [...pids].map(processDescriptors).filter((found) => found !== null);
}

const LISTENING = 1 << TCP_STATES.indexOf('LISTEN');
const CLOSE_WAIT = 1 << TCP_STATES.indexOf('CLOSE-WAIT');

function readAll(scoped: boolean, owners: OwnerWish): Reading {
  const tcp = readSockets({ protocols: ['tcp'], owners: 'never' });
  const udp = readSockets({ protocols: ['udp'], details: true, owners: 'never' });
  const unix = readSockets({ protocols: ['unix'], states: LISTENING, owners: 'never' });
  addAges(tcp.sockets);
  const sockets = [...tcp.sockets, ...udp.sockets, ...unix.sockets];
  const named = scoped
    ? sockets
    : sockets.filter(
        ({ state, protocol }) => state === 'LISTEN' || state === 'CLOSE-WAIT' || protocol === 'udp',
      );
  const hidden = addOwners(named, owners);
  return { sockets, notes: [...new Set([...tcp.notes, ...udp.notes, ...unix.notes, ...hidden])] };
}

/** tcp_info tells how long CLOSE-WAIT has been quiet; asking for it of every socket would cost more than all the rest. */
function addAges(sockets: readonly Socket[]): void {
  const leaking = new Map<string, Socket>();
  for (const socket of sockets) {
    if (socket.state === 'CLOSE-WAIT') {
      leaking.set(socket.cookie, socket);
    }
  }
  if (leaking.size === 0) {
    return;
  }
  const detailed = readSockets({ protocols: ['tcp'], states: CLOSE_WAIT, details: true, owners: 'never' });
  for (const { cookie, tcp } of detailed.sockets) {
    const socket = leaking.get(cookie);
    if (socket !== undefined && tcp !== undefined) {
      socket.tcp = tcp;
    }
  }
}
