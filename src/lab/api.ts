/** What a stage is made of, as a story or a person's test sees it. */
import type { Event, SocketState, Value } from '../session/events.ts';
import type { Socket } from '../session/socket.ts';

export interface StageWish {
  /** Host names and what is special about each; two hosts, `client` and `server`, unless told otherwise. */
  readonly hosts?: Readonly<Record<string, HostWish>>;
  /** What every pair of hosts has between them at the start. */
  readonly wire?: Path;
  /** Of every random choice of the wire. */
  readonly seed?: number;
  /**
   * False: states are only looked at, also by root. The kernel's trace tells of every namespace of the machine, so two stages with
   * the very same addresses and ports at the same time would hear of each other.
   */
  readonly trace?: boolean;
  /** Set on every host before anything else, where the kernel has it: `{ 'net.ipv4.tcp_retries2': 5 }` or `tcp_retries2`. */
  readonly sysctl?: Sysctls;
}

export type Sysctls = Readonly<Record<string, string | number>>;

export interface HostWish {
  /** The segments it is plugged into; `lan` alone unless told otherwise. On the first: 10.9.0.N and fd09::N; on the second 10.8.0.N. */
  readonly on?: readonly string[];
  /** Further IPv4 addresses on its first segment: 10.9.0.(10 N + 0, 1, …). */
  readonly more?: number;
  readonly sysctl?: Sysctls;
  readonly mtu?: number;
  /** The host that packets for other segments go to. */
  readonly gateway?: string;
  /** Passes packets on between its segments. */
  readonly router?: boolean;
  /** `static` unless ARP is the subject: nobody asks for addresses, everybody knows them. */
  readonly neighbours?: 'static' | 'arp';
  /** Has addresses that everybody knows, and no machine behind them: what is sent there is lost. */
  readonly absent?: boolean;
}

/** What a frame meets on its way. */
export interface Path {
  readonly delayMs?: number;
  /** Up to so much more, evenly spread; never so that frames overtake each other. */
  readonly jitterMs?: number;
  /** Frames follow one another at most so fast; those that wait are queued. */
  readonly bitsPerSecond?: number;
  /** Bytes that may wait for their turn; more is dropped. */
  readonly queueBytes?: number;
  /** IP packets larger than this are dropped without a word, as behind a broken tunnel. */
  readonly mtu?: number;
  /** 0…1 */
  readonly loss?: number;
}

/** Which frames a rule is about. Everything given must fit. */
export interface Match {
  readonly from?: string;
  readonly to?: string;
  /** TCP flags that must be set, and no others of S F R U; PSH counts only when it is asked for: 'S', 'SA', 'A', 'FA', 'R'. */
  readonly flags?: string;
  /** With or without payload. */
  readonly data?: boolean;
  /** tcpdump's words: `tcp port 80 and len > 200`. */
  readonly filter?: string;
  /** Counted among those that fit, from 1. */
  readonly nth?: number | readonly number[];
  /** Not before so many have fitted. */
  readonly after?: number;
  /** No more than so many. */
  readonly most?: number;
  /** 0…1 */
  readonly chance?: number;
}

export type Act =
  | { readonly do: 'drop' }
  | { readonly do: 'duplicate' }
  /** Arrives so much later; frames behind it may overtake it. */
  | { readonly do: 'delay'; readonly ms: number }
  /** Flips one bit of the payload; checksums are left as they were. */
  | { readonly do: 'corrupt' }
  /** Kept until `release`. */
  | { readonly do: 'hold' };

export interface Rule {
  readonly id: number;
  /** How many frames it has met. */
  hits(): Promise<number>;
  /** Lets go of the frames it holds, oldest first; all of them unless told how many. How many it was. */
  release(count?: number): Promise<number>;
  remove(): Promise<void>;
}

export interface Wire {
  /** Changes the path from one host to another, or all paths. */
  path(path: Path, between?: { readonly from?: string; readonly to?: string }): Promise<void>;
  rule(act: Act, match?: Match): Promise<Rule>;
  drop(match?: Match): Promise<Rule>;
  hold(match?: Match): Promise<Rule>;
  /** Nothing reaches or leaves the host any more; it is not told (its link stays up, as with a switch in between). */
  cut(host: string): Promise<void>;
  plug(host: string): Promise<void>;
  /** Puts a TCP segment on the wire that no host sent, e.g. a SYN from an address that is not there. */
  inject(segment: Segment): Promise<void>;
}

export interface Segment {
  /** `10.9.0.77:1234` */
  readonly from: string;
  readonly to: string;
  readonly flags: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly data?: string;
}

/** What one system call said. */
export interface Call {
  readonly name: string;
  /** What it returned; -1 with an errno. */
  readonly result: number;
  /** The errno's name, or null. */
  readonly errno: string | null;
  /** Nanoseconds since the session began, and how long it took. */
  readonly at: number;
  readonly took: number;
  /** What was received. */
  readonly bytes: Uint8Array;
  /** The same as text. */
  readonly text: string;
  /** What else it gave back: an option's value, revents per fd, msg_flags, an address. */
  readonly value: Value;
}

export type Kind = 'tcp' | 'udp' | 'tcp6' | 'udp6';
export type Data = string | Uint8Array;
export type PollWish = Readonly<Record<number, readonly string[]>>;

/**
 * A process on a host. Every method is one system call, made when it is called and answered when it has returned; an errno is an
 * answer, not an exception. Calls that wait really wait: do not `await` what shall go on beside. Addresses are written
 * `10.9.0.2:80`, `[fd09::2]:80`, `*:80`, `[::]:80`; a host's name may stand for its address: `server:80`, and
 * `server6:80` for the one of IPv6.
 */
export interface Program {
  readonly host: string;
  readonly pid: number;
  socket(kind?: Kind, options?: { readonly nonblock?: boolean; readonly inherit?: boolean }): Promise<Call>;
  bind(fd: number, address: string): Promise<Call>;
  listen(fd: number, backlog?: number): Promise<Call>;
  /** The new descriptor is the result, the peer's address the value. */
  accept(fd: number, options?: { readonly nonblock?: boolean; readonly inherit?: boolean }): Promise<Call>;
  connect(fd: number, address: string): Promise<Call>;
  /** A number as data is so many bytes of filler. Without MSG_NOSIGNAL, as most programs do; see `signal`. */
  send(fd: number, data: Data | number, flags?: readonly string[]): Promise<Call>;
  recv(fd: number, most?: number, flags?: readonly string[]): Promise<Call>;
  sendto(fd: number, data: Data | number, address: string, flags?: readonly string[]): Promise<Call>;
  /** The value holds `from`, `flags` (MSG_TRUNC, MSG_ERRQUEUE …) and, from the error queue, `error`. */
  recvmsg(fd: number, most?: number, flags?: readonly string[]): Promise<Call>;
  shutdown(fd: number, how: 'read' | 'write' | 'both'): Promise<Call>;
  close(fd: number): Promise<Call>;
  /** By its real name: SO_REUSEADDR, TCP_NODELAY, SO_LINGER (seconds; -1 is off), TCP_REPAIR … */
  setsockopt(fd: number, name: string, value: number): Promise<Call>;
  /** The value is what the kernel says; SO_ERROR is given as the errno's name or 0. */
  getsockopt(fd: number, name: string): Promise<Call>;
  getsockname(fd: number): Promise<Call>;
  getpeername(fd: number): Promise<Call>;
  /** `{ 5: ['POLLIN'] }`; the value is what came: `{ '5': ['POLLIN', 'POLLHUP'] }`. -1 waits for ever. */
  poll(wish: PollWish, timeoutMs: number): Promise<Call>;
  epollCreate(): Promise<Call>;
  epollCtl(epoll: number, op: 'add' | 'mod' | 'del', fd: number, events: readonly string[]): Promise<Call>;
  /** The value is `{ '5': ['EPOLLIN'] }`. */
  epollWait(epoll: number, most: number, timeoutMs: number): Promise<Call>;
  dup(fd: number): Promise<Call>;
  pipe(): Promise<Call>;
  open(path: string): Promise<Call>;
  fcntl(fd: number, flag: 'O_NONBLOCK' | 'FD_CLOEXEC', on: boolean): Promise<Call>;
  /** SIOCATMARK, SIOCINQ, SIOCOUTQ: the value is what it says. */
  ioctl(fd: number, request: string): Promise<Call>;
  /** prlimit(2) on itself, soft limit; the value is what it was. */
  setrlimit(name: 'NOFILE', soft: number): Promise<Call>;
  /** Node ignores SIGPIPE; `default` is what a C program has. */
  signal(name: NodeJS.Signals, what: 'default' | 'ignore'): Promise<Call>;
  /** fork(2) and exec(2): a child that inherits what is not close-on-exec. */
  spawn(command: string, args?: readonly string[]): Promise<Child>;
  /** execve(2): this process becomes another program. */
  exec(command: string, args?: readonly string[]): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
  exit(status: number): Promise<void>;
  /** How it ended. */
  readonly exited: Promise<Exit>;
  /** Runs a job of `lab/jobs` inside this process, for what is too fast or too much for one call at a time. */
  job(name: string, options?: Readonly<Record<string, Value>>): Promise<Value>;

  /** Several calls at once, for stories in which they are not the subject. They throw where something fails. */
  listening(address: string, options?: ListenWish): Promise<number>;
  /** A connected socket. */
  connected(address: string, options?: ConnectWish): Promise<number>;
  /** The next connection's descriptor. */
  accepted(listener: number): Promise<number>;
  /** Receives until so many bytes have come, or the end; how it ended is in the last call. */
  received(fd: number, bytes: number): Promise<Call>;
}

export interface ListenWish {
  readonly backlog?: number;
  readonly options?: Readonly<Record<string, number>>;
  readonly nonblock?: boolean;
}

export interface ConnectWish {
  readonly from?: string;
  readonly options?: Readonly<Record<string, number>>;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A foreign program. */
export interface Child {
  readonly pid: number;
  readonly host: string;
  write(text: string): Promise<void>;
  /** Ends its standard input. */
  end(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** What it has printed so far. */
  stdout(): Promise<string>;
  stderr(): Promise<string>;
  /** Until its output fits. */
  prints(what: RegExp, timeoutMs?: number): Promise<string>;
  readonly exited: Promise<Exit>;
}

export interface SpawnWish {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Its system calls appear in the session; true unless told otherwise. */
  readonly traced?: boolean;
  readonly nofile?: number;
}

/** A machine: a network namespace with addresses, and the program that its verbs speak for. */
export interface Host extends Omit<Program, 'host' | 'pid' | 'exited'> {
  readonly name: string;
  /** IPv4 on its first segment. */
  readonly address: string;
  readonly address6: string;
  readonly addresses: readonly string[];
  /** One more process on this host. */
  program(): Promise<Program>;
  /** A foreign program on this host: `nc`, `curl`, your own server. */
  start(command: string, args?: readonly string[], options?: SpawnWish): Promise<Child>;
  /** Null when this kernel has no such setting. */
  sysctl(name: string): Promise<string | null>;
  /** False when this kernel has no such setting. */
  setSysctl(name: string, value: string | number): Promise<boolean>;
  /** What has been counted since the stage was built: `TcpExt.ListenOverflows`, `Udp.RcvbufErrors` … Zeros are left out. */
  counters(): Promise<Readonly<Record<string, number>>>;
  /** The kernel's socket table now, with timers and queues; mini sockets too. */
  sockets(): Promise<readonly Socket[]>;
  /** `unreachable`, `prohibit` or `blackhole` for a destination, or a way to it. */
  route(
    destination: string,
    how: 'unreachable' | 'prohibit' | 'blackhole' | { readonly via: string },
  ): Promise<void>;
  /** Forgets who has which address; with `arp` neighbours it must be asked again. */
  flushNeighbours(): Promise<void>;
  /** As if the plug were pulled: nothing leaves any more, everything inside is gone, and nobody is told. */
  powerOff(): Promise<void>;
  /** The same machine again, with the same addresses, nothing running and nothing remembered. */
  boot(): Promise<void>;
}

export interface Stage {
  readonly seed: number;
  /** Whether the kernel's own trace of state changes is part of the session, or why not. */
  readonly tracing: { readonly on: true } | { readonly on: false; readonly why: string };
  /** Settings that were asked for and that this kernel lacks. */
  readonly missing: readonly string[];
  host(name: string): Host;
  readonly wire: Wire;
  /** What has been seen so far. */
  readonly seen: Seen;
  /** Says in the session what comes next. */
  say(text: string): Promise<void>;
  /** Waits until it is so; throws with `what` in its sentence when it does not become so in time (10 s). */
  until(what: string, holds: (seen: Seen) => boolean, timeoutMs?: number): Promise<void>;
  /** Until the host has a connection's socket in that state. */
  reached(host: string, state: SocketState, timeoutMs?: number): Promise<void>;
  /** Lets time pass; everything is still recorded. */
  pass(ms: number): Promise<void>;
  /** Everything seen up to this moment has become events. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface CallMatch {
  readonly host?: string;
  readonly pid?: number;
  readonly name?: string;
  readonly fd?: number;
  readonly errno?: string;
}

export interface PacketMatch {
  /** The host that sent it. */
  readonly from?: string;
  /** As in `Match`. */
  readonly flags?: string;
  readonly data?: boolean;
  readonly protocol?: string;
  readonly note?: string;
  readonly since?: number;
  readonly until?: number;
}

/** The session, to ask. Everything is in order of time. */
export interface Seen {
  readonly events: readonly Event[];
  calls(match?: CallMatch): Extract<Event, { type: 'syscall' }>[];
  packets(match?: PacketMatch): Extract<Event, { type: 'packet' }>[];
  fates(what?: 'delivered' | 'dropped' | 'held'): Extract<Event, { type: 'fate' }>[];
  /** The states that sockets of this host went through, e.g. `CLOSED SYN-SENT ESTABLISHED`; of one connection when named. */
  states(host: string, connection?: string): SocketState[];
  infos(host: string): Extract<Event, { type: 'info' }>[];
  /** The last known difference of a counter; 0 when it was never told. */
  counter(host: string, name: string): number;
  /** The moment of the last event. */
  readonly end: number;
}
