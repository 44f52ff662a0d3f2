/** One system call of a traced program, as the tracer tells it. Plain data: it crosses threads. */
import type { SocketState, Value } from '../../session/events.ts';

export interface TracedEnd {
  readonly address: string;
  readonly port: number;
}

/** Port 0 is "none yet". */
export interface TracedTuple {
  readonly protocol: 'tcp' | 'udp';
  readonly local: TracedEnd;
  readonly peer: TracedEnd;
}

export interface TracedCall {
  readonly type: 'syscall';
  /** Nanoseconds since the session's start, read when the tracer saw the call begin. */
  readonly at: number;
  /** Null: it has not returned yet; the same `call` comes again when it has. Time in the tracer is in it. */
  readonly took: number | null;
  readonly pid: number;
  readonly tid: number;
  /** The process's short name at that moment. */
  readonly program: string;
  /** Of this trace, to find the begun one when it ends. */
  readonly call: number;
  /** The descriptor that it is about; it is the first of `args` as well. */
  readonly fd?: number;
  readonly name: string;
  /** As strace writes them: flags by name, addresses as `10.9.0.2:80`, payload in quotes. */
  readonly args: readonly Value[];
  /** -1 with an errno. Null exactly when `took` is. */
  readonly result: number | null;
  /** The errno's name; ERESTARTSYS and its like where the kernel may begin the call again by itself. */
  readonly errno?: string;
  /** The socket's ends as far as they were known when the call returned. */
  readonly tuple?: TracedTuple;
  /** The kernel's cookie of the socket, 16 hex digits, once it was looked at. */
  readonly socket?: string;
  /** A TCP socket's state when the call had ended; absent for close, which leaves nothing to ask. */
  readonly state?: SocketState;
}
