/** The words of src/lab/api.ts that are passed on as they are. */

/** Of a program: one message and one answer each. */
export const PLAIN_VERBS = [
  'socket',
  'bind',
  'listen',
  'accept',
  'connect',
  'send',
  'recv',
  'sendto',
  'recvmsg',
  'shutdown',
  'close',
  'setsockopt',
  'getsockopt',
  'getsockname',
  'getpeername',
  'poll',
  'epollCreate',
  'epollCtl',
  'epollWait',
  'dup',
  'pipe',
  'open',
  'fcntl',
  'ioctl',
  'setrlimit',
  'signal',
  'job',
  'listening',
  'connected',
  'accepted',
  'received',
] as const;

/** Of a program, for whoever speaks with it through the stage. */
export const PROGRAM_VERBS = [...PLAIN_VERBS, 'spawn', 'exec', 'kill', 'exit'] as const;
