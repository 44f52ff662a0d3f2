/** From stops to calls: what began, what ended, what is worth telling. */
import { errnoName } from '../../kernel/errno.ts';
import type { CallInfo } from '../../kernel/ptrace.ts';
import { readMemory } from '../../kernel/ptrace-memory.ts';
import { tcpState } from '../../kernel/ptrace-sockets.ts';
import {
  AUDIT_ARCH_AARCH64,
  AUDIT_ARCH_X86_64,
  CALLS_ARM64,
  CALLS_X86_64,
  type CallName,
} from '../../kernel/syscall-table.ts';
import type { Value } from '../../session/events.ts';
import { type SocketState, TCP_STATES } from '../../session/socket.ts';
import { follow, learn, look, socketAt } from './call-ends.ts';
import { CALL_SPECS, type CallSpec, type CallView, cloneFlags } from './calls.ts';
import { tupleOf } from './descriptors.ts';
import type { Begun, Task, Tasks } from './processes.ts';
import type { TracedCall } from './traced-call.ts';
import { int } from './values.ts';

export interface Surroundings {
  readonly tasks: Tasks;
  readonly info: CallInfo;
  readonly now: () => number;
  trouble(text: string): void;
  /** Something waits to be told: `tick` is wanted soon. */
  pending(): void;
  send(calls: readonly TracedCall[]): void;
}

export interface Reader {
  callStop(task: Task): void;
  /** A fork, vfork or clone of this thread made that one. */
  created(task: Task, child: number): void;
  /** Tells calls that have been waiting for so long, and all that is finished. False: nothing is left to wait for. */
  tick(waitingNs: number): boolean;
  gone(task: Task): void;
  flush(): void;
}

const MOST_IN_BATCH = 512;
const CLONE_FILES = 0x400;

/** Results that never reach the program as they are: the kernel begins the call again, or makes EINTR of it (linux/errno.h). */
const RESTARTS: Readonly<Record<number, string>> = {
  512: 'ERESTARTSYS',
  513: 'ERESTARTNOINTR',
  514: 'ERESTARTNOHAND',
  516: 'ERESTART_RESTARTBLOCK',
};

const OUR_ARCH = process.arch === 'arm64' ? AUDIT_ARCH_AARCH64 : AUDIT_ARCH_X86_64;
const OUR_CALLS = process.arch === 'arm64' ? CALLS_ARM64 : CALLS_X86_64;
/** The x32 ABI: 64-bit registers, 32-bit pointers, numbers of its own. */
const X32 = 0x4000_0000;

/** Their result is the descriptor that matters. */
const ARRIVALS: ReadonlySet<string> = new Set(['socket', 'accept', 'accept4']);
const NEVER_RETURN: ReadonlySet<string> = new Set(['exit_group']);
const URINGS: ReadonlySet<string> = new Set(['io_uring_setup', 'io_uring_enter']);

export function createReader(around: Surroundings): Reader {
  const { tasks, info, now } = around;
  const said = new Set<string>();
  let batch: TracedCall[] = [];
  let calls = 0;
  /** Threads inside a shown call that has not been told. */
  const untold = new Set<Task>();

  function once(text: string): void {
    if (!said.has(text)) {
      said.add(text);
      around.trouble(text);
    }
  }

  function viewOf(task: Task, args: readonly number[], result: number | null): CallView {
    return {
      args,
      result,
      read: (address, length) => readMemory(task.tid, address, length),
      isSocket: (fd) => socketAt(task, fd) !== null,
      epoll: (fd) => task.process.descriptors.epoll(fd),
    };
  }

  function nameOf(): CallName | null {
    if (info.arch !== OUR_ARCH || (OUR_ARCH === AUDIT_ARCH_X86_64 && (info.number & X32) !== 0)) {
      once('a 32-bit program: its system calls are not decoded');
      return null;
    }
    return OUR_CALLS[info.number] ?? null;
  }

  function entry(task: Task): void {
    const name = nameOf();
    task.begun = null;
    if (name === null) {
      return;
    }
    if (URINGS.has(name)) {
      once('io_uring: calls made through it are not visible');
      return;
    }
    const spec = CALL_SPECS[name];
    const { args } = info;
    const shown = isShown(task, spec, args);
    if (!shown && spec.follows !== true) {
      return;
    }
    const own = args.slice();
    const begun: Begun = {
      id: shown ? ++calls : 0,
      name,
      args: own,
      at: now(),
      shown,
      before: shown ? (spec.before?.(viewOf(task, own, null)) ?? []) : [],
      told: false,
    };
    task.begun = begun;
    if (NEVER_RETURN.has(name)) {
      tell(task, begun, null);
    } else if (shown) {
      untold.add(task);
      around.pending();
    }
  }

  function isShown(task: Task, spec: CallSpec, args: readonly number[]): boolean {
    switch (spec.when) {
      case 'always':
        return true;
      case 'first':
        return socketAt(task, int(args[0]!)) !== null;
      case 'either':
        return socketAt(task, int(args[0]!)) !== null || socketAt(task, int(args[1]!)) !== null;
      default:
        return spec.when(viewOf(task, args, null));
    }
  }

  function exit(task: Task, begun: Begun, result: number): void {
    const at = now();
    untold.delete(task);
    const view = viewOf(task, begun.args, result);
    if (begun.shown && begun.name !== 'close') {
      tell(task, begun, result, at);
      follow(task, begun, view, result);
    } else {
      const before = begun.shown ? socketAt(task, int(begun.args[0]!)) : null;
      if (begun.shown && before !== null) {
        tell(task, begun, result, at);
      }
      follow(task, begun, view, result);
    }
  }

  /** The socket it is about, asked about where that can bring something new; for accept that is the new one. */
  function subject(task: Task, begun: Begun, result: number | null): ReturnType<typeof socketAt> {
    const spec = CALL_SPECS[begun.name];
    const made = ARRIVALS.has(begun.name) && result !== null && result >= 0;
    if (made) {
      task.process.descriptors.closed(result);
    }
    const fd = made ? result : spec.fd ? int(begun.args[0]!) : null;
    const socket = fd === null ? null : socketAt(task, fd);
    if (fd !== null && socket !== null && begun.name !== 'close') {
      learn(tasks, task, begun, fd, socket);
    }
    return socket;
  }

  function tell(task: Task, begun: Begun, result: number | null, at = now()): void {
    const spec = CALL_SPECS[begun.name];
    const { args, peer } = spec.show(viewOf(task, begun.args, result), begun.before);
    const socket = subject(task, begun, result);
    if (socket !== null && begun.name === 'connect' && peer !== undefined && peer !== null) {
      socket.peer = peer;
    }
    const accepted = begun.name === 'accept' || begun.name === 'accept4';
    const tuple = socket === null ? undefined : tupleOf(socket, accepted ? null : (peer ?? null));
    begun.told = true;
    push({
      type: 'syscall',
      at: begun.at,
      took: result === null ? null : at - begun.at,
      pid: task.process.pid,
      tid: task.tid,
      program: task.process.program,
      call: begun.id,
      ...(spec.fd ? { fd: int(begun.args[0]!) } : {}),
      name: begun.name,
      args: args as readonly Value[],
      ...outcome(result),
      ...(tuple === undefined ? {} : { tuple }),
      ...(socket === null || socket.cookie === '' ? {} : { socket: socket.cookie }),
      ...stateAfter(task, begun, result, socket),
    });
  }

  function stateAfter(
    task: Task,
    { name, args }: Begun,
    result: number | null,
    socket: ReturnType<typeof socketAt>,
  ): { state?: SocketState } {
    if (result === null || socket?.protocol !== 'tcp' || name === 'close') {
      return {};
    }
    const handle = tasks.pidfd(task.process);
    const newer = ARRIVALS.has(name) && result >= 0;
    const number = handle < 0 ? 0 : tcpState(handle, newer ? result : int(args[0]!));
    const state = TCP_STATES[number];
    return number === 0 || state === undefined ? {} : { state };
  }

  function push(call: TracedCall): void {
    batch.push(call);
    if (batch.length >= MOST_IN_BATCH) {
      flush();
    } else {
      around.pending();
    }
  }

  function flush(): void {
    if (batch.length > 0) {
      const full = batch;
      batch = [];
      around.send(full);
    }
  }

  return {
    callStop(task) {
      // The end of a call that nobody wants to know: no need to ask what it was.
      if (task.inCall === true && task.begun === null) {
        task.inCall = false;
        return;
      }
      switch (info.read(task.tid)) {
        case 'entry':
          task.inCall = true;
          entry(task);
          break;
        case 'exit': {
          const { begun } = task;
          task.inCall = false;
          task.begun = null;
          if (begun !== null) {
            exit(task, begun, info.result);
          }
          break;
        }
        default:
          break;
      }
    },
    created(task, child) {
      const { begun } = task;
      if (
        child > 0 &&
        begun !== null &&
        (cloneFlags(begun.name, viewOf(task, begun.args, null)) & CLONE_FILES) !== 0
      ) {
        tasks.share(child, task);
      }
    },
    tick(waitingNs) {
      const since = now() - waitingNs;
      for (const task of untold) {
        const { begun } = task;
        if (begun === null || begun.told || tasks.all.get(task.tid) !== task) {
          untold.delete(task);
        } else if (begun.at <= since) {
          lookWhileItWaits(task, begun);
          tell(task, begun, null);
          untold.delete(task);
        }
      }
      const had = batch.length > 0;
      flush();
      return had || untold.size > 0;
    },
    gone(task) {
      untold.delete(task);
    },
    flush,
  };

  /** The kernel has chosen the local end by now, and gives it back should the connect fail. */
  function lookWhileItWaits(task: Task, begun: Begun): void {
    const fd = int(begun.args[0]!);
    const socket = begun.name === 'connect' ? socketAt(task, fd) : null;
    if (socket !== null) {
      look(tasks, task.process, fd, socket);
    }
  }
}

function outcome(result: number | null): { result: number | null; errno?: string } {
  if (result === null || result >= 0) {
    return { result };
  }
  return { result: -1, errno: RESTARTS[-result] ?? errnoName(-result) };
}
