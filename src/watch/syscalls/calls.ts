/** What is shown of each system call, and what follows from it for the descriptors of its process. */
import type { CallName } from '../../kernel/syscall-table.ts';
import type { Value } from '../../session/events.ts';
import type { OpenEpoll } from './descriptors.ts';
import {
  CLONE_FLAGS,
  EPOLL_OPERATIONS,
  FAMILIES,
  FCNTLS,
  FILE_FLAGS,
  flagNames,
  IOCTLS,
  LEVELS,
  MESSAGE_FLAGS,
  oneOf,
  optionName,
  PROTOCOLS,
  SHUTDOWNS,
  SOCKET_FLAGS,
  SOCKET_TYPES,
} from './names.ts';
import type { TracedEnd } from './traced-call.ts';
import {
  epollEvents,
  epollNames,
  fdSet,
  int,
  intAt,
  messageHeader,
  messageHeaders,
  optionValue,
  payload,
  pointer,
  pollSet,
  pollValue,
  type Read,
  seconds,
  sockaddr,
  text,
  textList,
  vectors,
} from './values.ts';

export interface CallView {
  readonly read: Read;
  readonly args: readonly number[];
  /** Null while it has not returned; -errno when it failed. */
  readonly result: number | null;
  isSocket(fd: number): boolean;
  epoll(fd: number): OpenEpoll | null;
}

export interface Shown {
  readonly args: readonly Value[];
  /** An address that the call itself named: of a datagram, of who was accepted. */
  readonly peer?: TracedEnd | null;
}

export interface CallSpec {
  /** `always`; `first`: when the first argument is a socket; `second` likewise (sendfile's source is the second); or a question of its own. */
  readonly when: 'always' | 'first' | 'either' | ((view: CallView) => boolean);
  /** Followed for what it does to descriptors, even where it is not shown. */
  readonly follows?: true;
  /** The first argument is a descriptor. */
  readonly fd: boolean;
  /** What the call will overwrite or lose, taken at its beginning. */
  readonly before?: (view: CallView) => readonly Value[];
  readonly show: (view: CallView, before: readonly Value[]) => Shown;
}

const failed = ({ result }: CallView): boolean => result === null || result < 0;

function onFd(
  show: (view: CallView) => readonly Value[],
  peer?: (view: CallView) => TracedEnd | null,
): CallSpec {
  return {
    when: 'first',
    fd: true,
    show: (view) => {
      const args = [int(view.args[0]!), ...show(view)];
      return peer === undefined ? { args } : { args, peer: peer(view) };
    },
  };
}

/** An address that the kernel writes: (address, length*) at these arguments. */
function written(view: CallView, at: number): { value: Value; end: TracedEnd | null } {
  const length = failed(view) ? null : intAt(view.read, view.args[at + 1]!);
  return length === null
    ? { value: pointer(view.args[at]!), end: null }
    : sockaddr(view.read, view.args[at]!, length);
}

const accepting = (flags: boolean): CallSpec =>
  onFd(
    (view) => [written(view, 1).value, ...(flags ? [flagNames(SOCKET_FLAGS, view.args[3]!)] : [])],
    (view) => written(view, 1).end,
  );

const naming: CallSpec = onFd((view) => [written(view, 1).value]);

const given: CallSpec = onFd((view) => [sockaddr(view.read, view.args[1]!, int(view.args[2]!)).value]);

/** How much of a buffer counts: all while it is sent, what came when it was received. */
const received = (view: CallView): Value =>
  failed(view) ? pointer(view.args[1]!) : payload(view.read, view.args[1]!, view.result!);
const sent = (view: CallView): Value => payload(view.read, view.args[1]!, view.args[2]!);

const reading = onFd((view) => [received(view), view.args[2]!]);
const writing = onFd((view) => [sent(view), view.args[2]!]);
const readingVectors = onFd((view) => [
  failed(view) ? pointer(view.args[1]!) : vectors(view.read, view.args[1]!, int(view.args[2]!), view.result!),
  int(view.args[2]!),
]);
const writingVectors = onFd((view) => [
  vectors(view.read, view.args[1]!, int(view.args[2]!), Number.POSITIVE_INFINITY),
  int(view.args[2]!),
]);

const messageFlags = (bits: number): string | number => flagNames(MESSAGE_FLAGS, bits);

function polling(timeout: (view: CallView) => Value): CallSpec {
  return {
    when: (view) => pollSet(view.read, view.args[0]!, view.args[1]!).some(({ fd }) => view.isSocket(fd)),
    fd: false,
    show: (view) => {
      const set = pollSet(view.read, view.args[0]!, view.args[1]!);
      return { args: [pollValue(set, !failed(view)), timeout(view)] };
    },
  };
}

const sets = (view: CallView): Value[] =>
  [1, 2, 3].map((at) => fdSet(view.read, view.args[at]!, int(view.args[0]!)));

function selecting(perSecond: number): CallSpec {
  return {
    when: (view) =>
      sets(view).some((set) => Array.isArray(set) && set.some((fd) => view.isSocket(Number(fd)))),
    fd: false,
    before: sets,
    show: (view, before) => {
      const after = failed(view) ? null : sets(view);
      const words = ['readable', 'writable', 'urgent'];
      const asked = Object.fromEntries(
        words.flatMap((word, i) => ((before[i] ?? null) === null ? [] : [[word, before[i] ?? null]])),
      );
      const came = words.flatMap((word, i) =>
        Array.isArray(after?.[i]) && after[i].length > 0 ? [[word, after[i]] as const] : [],
      );
      const timeout = seconds(view.read, view.args[4]!, perSecond);
      return { args: after === null ? [asked, timeout] : [asked, Object.fromEntries(came), timeout] };
    },
  };
}

function epollWaiting(timeout: (view: CallView) => Value): CallSpec {
  return {
    when: (view) => view.epoll(int(view.args[0]!))?.sockets !== false,
    fd: true,
    show: (view) => {
      const known = view.epoll(int(view.args[0]!));
      const came = failed(view) ? [] : epollEvents(view.read, view.args[1]!, view.result!);
      const events = came.map(({ events, low, high }): [string, Value] => [
        String(known?.byData.get(`${low}/${high}`) ?? low),
        epollNames(events),
      ]);
      return {
        args: [int(view.args[0]!), Object.fromEntries(events), int(view.args[2]!), timeout(view)],
      };
    },
  };
}

const timeoutMs = (at: number) => (view: CallView) => int(view.args[at]!);
const timespec = (at: number) => (view: CallView) => seconds(view.read, view.args[at]!, 1e9);

const making: Pick<CallSpec, 'when' | 'fd'> = { when: 'always', fd: false };

function cloning(flags: (view: CallView) => number): CallSpec {
  return {
    ...making,
    show: (view) => ({ args: [flagNames(CLONE_FLAGS, Math.floor(flags(view) / 256) * 256)] }),
  };
}

/** The flags of clone and clone3. */
export function cloneFlags(name: string, view: Pick<CallView, 'read' | 'args'>): number {
  return name === 'clone3' ? (intAt(view.read, view.args[0]!) ?? 0) : name === 'clone' ? view.args[0]! : 0;
}

const onlyFollowed: CallSpec = { when: () => false, follows: true, fd: false, show: () => ({ args: [] }) };

const socketArgs = (view: CallView): Value[] => {
  const type = int(view.args[1]!);
  const flags = flagNames(SOCKET_FLAGS, type & ~0xf);
  const kind = oneOf(SOCKET_TYPES, type & 0xf);
  return [
    oneOf(FAMILIES, int(view.args[0]!)),
    flags === 0 ? kind : `${kind}|${flags}`,
    oneOf(PROTOCOLS, int(view.args[2]!)),
  ];
};

const executing = (path: number): CallSpec => {
  const arguments_ = (view: CallView): Value[] => [
    text(view.read, view.args[path]!) ?? pointer(view.args[path]!),
    textList(view.read, view.args[path + 1]!),
  ];
  return {
    when: 'always',
    follows: true,
    fd: false,
    before: arguments_,
    show: (_, before) => ({ args: before }),
  };
};

export const CALL_SPECS: Readonly<Record<CallName, CallSpec>> = {
  socket: { ...making, show: (view) => ({ args: socketArgs(view) }) },
  socketpair: {
    ...making,
    show: (view) => {
      const pair = failed(view)
        ? null
        : [intAt(view.read, view.args[3]!), intAt(view.read, view.args[3]! + 4)];
      return { args: [...socketArgs(view), pair ?? pointer(view.args[3]!)] };
    },
  },
  bind: given,
  connect: {
    ...given,
    show: (view) => ({
      ...given.show(view, []),
      peer: sockaddr(view.read, view.args[1]!, int(view.args[2]!)).end,
    }),
  },
  listen: onFd((view) => [int(view.args[1]!)]),
  accept: accepting(false),
  accept4: accepting(true),
  getsockname: naming,
  getpeername: naming,
  shutdown: onFd((view) => [oneOf(SHUTDOWNS, int(view.args[1]!))]),
  close: { ...onFd(() => []), follows: true },
  read: reading,
  write: writing,
  pread64: onFd((view) => [received(view), view.args[2]!, view.args[3]!]),
  pwrite64: onFd((view) => [sent(view), view.args[2]!, view.args[3]!]),
  readv: readingVectors,
  writev: writingVectors,
  preadv: readingVectors,
  pwritev: writingVectors,
  preadv2: readingVectors,
  pwritev2: writingVectors,
  sendto: onFd(
    (view) => [
      sent(view),
      view.args[2]!,
      messageFlags(view.args[3]!),
      ...(view.args[4] === 0 ? [] : [sockaddr(view.read, view.args[4]!, int(view.args[5]!)).value]),
    ],
    (view) => sockaddr(view.read, view.args[4]!, int(view.args[5]!)).end,
  ),
  recvfrom: onFd(
    (view) => [
      received(view),
      view.args[2]!,
      messageFlags(view.args[3]!),
      ...(view.args[4] === 0 ? [] : [written(view, 4).value]),
    ],
    (view) => written(view, 4).end,
  ),
  sendmsg: onFd(
    (view) => [
      messageHeader(view.read, view.args[1]!, Number.POSITIVE_INFINITY).value,
      messageFlags(view.args[2]!),
    ],
    (view) => messageHeader(view.read, view.args[1]!, 0).end,
  ),
  recvmsg: onFd(
    (view) => {
      if (failed(view)) {
        return [pointer(view.args[1]!), messageFlags(view.args[2]!)];
      }
      const header = messageHeader(view.read, view.args[1]!, view.result!);
      const came = flagNames(MESSAGE_FLAGS, header.flags);
      const value = came === 0 ? header.value : { ...Object(header.value), flags: came };
      return [value, messageFlags(view.args[2]!)];
    },
    (view) => (failed(view) ? null : messageHeader(view.read, view.args[1]!, 0).end),
  ),
  sendmmsg: onFd((view) => [
    failed(view) ? pointer(view.args[1]!) : messageHeaders(view.read, view.args[1]!, view.result!),
    int(view.args[2]!),
    messageFlags(view.args[3]!),
  ]),
  recvmmsg: onFd((view) => [
    failed(view) ? pointer(view.args[1]!) : messageHeaders(view.read, view.args[1]!, view.result!),
    int(view.args[2]!),
    messageFlags(view.args[3]!),
  ]),
  sendfile: {
    when: 'either',
    fd: true,
    show: ({ args }) => ({ args: [int(args[0]!), int(args[1]!), pointer(args[2]!), args[3]!] }),
  },
  splice: {
    when: (view) => view.isSocket(int(view.args[0]!)) || view.isSocket(int(view.args[2]!)),
    fd: false,
    show: ({ args }) => ({ args: [int(args[0]!), int(args[2]!), args[4]!] }),
  },
  setsockopt: onFd(({ read, args }) => [
    oneOf(LEVELS, int(args[1]!)),
    optionName(int(args[1]!), int(args[2]!)),
    optionValue(read, int(args[1]!), int(args[2]!), args[3]!, int(args[4]!)),
  ]),
  getsockopt: onFd((view) => {
    const [level, option] = [int(view.args[1]!), int(view.args[2]!)];
    const length = failed(view) ? null : intAt(view.read, view.args[4]!);
    return [
      oneOf(LEVELS, level),
      optionName(level, option),
      length === null ? pointer(view.args[3]!) : optionValue(view.read, level, option, view.args[3]!, length),
    ];
  }),
  poll: polling(timeoutMs(2)),
  ppoll: polling(timespec(2)),
  select: selecting(1e6),
  pselect6: selecting(1e9),
  epoll_create: { ...onlyFollowed },
  epoll_create1: { ...onlyFollowed },
  epoll_ctl: {
    when: (view) => view.isSocket(int(view.args[2]!)),
    follows: true,
    fd: true,
    show: ({ read, args }) => {
      const [event] = int(args[1]!) === 2 ? [] : epollEvents(read, args[3]!, 1);
      const wish = event === undefined ? [] : [epollNames(event.events)];
      return { args: [int(args[0]!), oneOf(EPOLL_OPERATIONS, int(args[1]!)), int(args[2]!), ...wish] };
    },
  },
  epoll_wait: epollWaiting(timeoutMs(3)),
  epoll_pwait: epollWaiting(timeoutMs(3)),
  epoll_pwait2: epollWaiting(timespec(3)),
  dup: { ...onFd(() => []), follows: true },
  dup2: { ...onFd(({ args }) => [int(args[1]!)]), follows: true },
  dup3: { ...onFd(({ args }) => [int(args[1]!)]), follows: true },
  fcntl: {
    ...onFd(({ args }) => {
      const command = int(args[1]!);
      const name = oneOf(FCNTLS, command);
      return command === 4
        ? [name, flagNames(FILE_FLAGS, int(args[2]!))]
        : command === 1 || command === 3
          ? [name]
          : [name, int(args[2]!)];
    }),
    follows: true,
  },
  ioctl: onFd(({ read, args }) => {
    const request = oneOf(IOCTLS, int(args[1]!));
    return typeof request === 'string'
      ? [request, intAt(read, args[2]!) ?? pointer(args[2]!)]
      : [`0x${(request >>> 0).toString(16)}`, pointer(args[2]!)];
  }),
  close_range: onlyFollowed,
  unshare: onlyFollowed,
  clone: cloning((view) => cloneFlags('clone', view)),
  clone3: cloning((view) => cloneFlags('clone3', view)),
  fork: { ...making, show: () => ({ args: [] }) },
  vfork: { ...making, show: () => ({ args: [] }) },
  execve: executing(0),
  execveat: executing(1),
  exit_group: { ...making, show: ({ args }) => ({ args: [int(args[0]!)] }) },
  kill: { ...making, show: ({ args }) => ({ args: [int(args[0]!), int(args[1]!)] }) },
  tgkill: { ...making, show: ({ args }) => ({ args: [int(args[0]!), int(args[1]!), int(args[2]!)] }) },
  io_uring_setup: onlyFollowed,
  io_uring_enter: onlyFollowed,
};
