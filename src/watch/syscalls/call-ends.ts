/** What a finished call means for the descriptors of its process. */
import { isSocket, lookAtSocket } from '../../kernel/ptrace-sockets.ts';
import type { CallView } from './calls.ts';
import { newEpoll, type OpenSocket } from './descriptors.ts';
import type { Begun, Process, Task, Tasks } from './processes.ts';
import { endOf, epollEvents, int } from './values.ts';

const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const CLONE_FILES = 0x400;
const EPOLL_CTL_DEL = 2;
const F_DUPFD = 0;
const F_DUPFD_CLOEXEC = 1030;
const CLOSE_RANGE_CLOEXEC = 4;

export function socketAt(task: Task, fd: number): OpenSocket | null {
  return task.process.descriptors.socket(fd, (number) => isSocket(task.tid, number));
}

/** Calls after which a socket's ends may be others than before. */
const MOVES: ReadonlySet<string> = new Set(['bind', 'connect', 'listen', 'accept', 'accept4', 'getsockname']);

/** Asks the kernel about it where that can bring something new. */
export function learn(tasks: Tasks, task: Task, begun: Begun, fd: number, socket: OpenSocket): void {
  if (socket.looked && !MOVES.has(begun.name) && socket.local !== null && socket.local.port !== 0) {
    return;
  }
  // Neither TCP nor UDP: it has no ends of ours, and never will.
  if (socket.looked && socket.protocol === null) {
    return;
  }
  look(tasks, task.process, fd, socket);
}

export function look(tasks: Tasks, process: Process, fd: number, socket: OpenSocket): void {
  const handle = tasks.pidfd(process);
  const seen = handle < 0 ? null : lookAtSocket(handle, fd);
  socket.looked = true;
  if (seen === null) {
    return;
  }
  socket.protocol = seen.protocol === IPPROTO_TCP ? 'tcp' : seen.protocol === IPPROTO_UDP ? 'udp' : null;
  socket.cookie = seen.cookie;
  const local = seen.local === null ? null : endOf(seen.local);
  // After a failed connect the kernel gives the port back; what it was is still what the call was about.
  if (local !== null && (local.port !== 0 || socket.local === null)) {
    socket.local = local;
  }
  const peer = seen.peer === null ? null : endOf(seen.peer);
  socket.peer = peer ?? socket.peer;
}

/** For calls that give descriptors a new meaning, and only where they succeeded. */
export function follow(task: Task, begun: Begun, view: CallView, result: number): void {
  const { descriptors } = task.process;
  const { name, args } = begun;
  const [first, second, third] = [int(args[0]!), int(args[1]!), int(args[2]!)];
  if (name === 'close') {
    // Whatever it returns (EINTR, EIO), the descriptor is gone: close(2). EBADF: it was not there.
    descriptors.closed(first);
    return;
  }
  if (result < 0) {
    return;
  }
  switch (name) {
    case 'epoll_create':
    case 'epoll_create1':
      descriptors.set(result, newEpoll());
      break;
    case 'epoll_ctl': {
      const epoll = descriptors.epoll(first);
      const [event] = second === EPOLL_CTL_DEL ? [] : epollEvents(view.read, args[3]!, 1);
      if (epoll !== null && event !== undefined) {
        epoll.sockets ||= socketAt(task, third) !== null;
        epoll.byData.set(`${event.low}/${event.high}`, third);
      }
      break;
    }
    case 'dup':
    case 'dup2':
    case 'dup3':
      if (result !== first) {
        descriptors.copy(first, result);
      }
      break;
    case 'fcntl':
      if (second === F_DUPFD || second === F_DUPFD_CLOEXEC) {
        descriptors.copy(first, result);
      }
      break;
    case 'close_range':
      if ((third & CLOSE_RANGE_CLOEXEC) === 0) {
        descriptors.closedRange(first >>> 0, second >>> 0);
      }
      break;
    case 'unshare':
      if ((args[0]! & CLONE_FILES) !== 0) {
        descriptors.forget();
      }
      break;
    default:
      break;
  }
}
