/** Descriptors that are no sockets, and what a process does to itself. */
import { dupCall, fcntlCall, ioctlCall, openCall, pipeCall } from '../../kernel/calls.ts';
import {
  CLOEXEC,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  IOCTLS,
  NONBLOCK,
} from '../../kernel/calls-flags.ts';
import {
  becomeProgram,
  exitAtOnce,
  isSignal,
  limitDescriptors,
  setSignal,
} from '../../kernel/calls-program.ts';
import { fixedMemory } from '../../kernel/epoll.ts';
import { errnoName } from '../../kernel/errno.ts';
import { findCommand } from '../../kernel/spawn-program.ts';
import { jobs } from '../jobs.ts';
import { commandLine } from './actor-child.ts';
import { jobTools } from './actor-job.ts';
import { Refused, unknown, within } from './actor-text.ts';
import { type Body, descriptor, isPlain, type Verbs } from './actor-verbs.ts';

const MOST_DESCRIPTORS = 1 << 30;

/** `said`: everything told so far has left this process. */
export function processVerbs(body: Body, said: () => Promise<void>): Verbs {
  const { recorder, ends } = body;

  return {
    async dup(given) {
      const fd = descriptor(body, given);
      return recorder.make({
        name: 'dup',
        fd,
        args: () => [fd],
        now: () => dupCall.now(fd),
        after: (copy) => (copy < 0 ? undefined : ends.copied(fd, copy)),
      });
    },

    /** The value is the reading end and the writing end. */
    async pipe() {
      const memory = fixedMemory(8);
      const pair = (): [number, number] => [memory.words[0]!, memory.words[1]!];
      return recorder.make({
        name: 'pipe2',
        args: (result) => [result === 0 ? pair() : null, 'O_CLOEXEC'],
        now: () => pipeCall.now(memory.address, CLOEXEC),
        after: (result) => (result < 0 ? undefined : pair().forEach(ends.closed)),
        value: (result) => (result < 0 ? null : pair()),
      });
    },

    async open(path) {
      if (typeof path !== 'string') {
        throw new Refused(`open wants a path, not ${String(path)}`);
      }
      return recorder.make({
        name: 'open',
        args: () => [path, 'O_RDONLY|O_CLOEXEC'],
        now: () => openCall.now(path, CLOEXEC),
        after: (fd) => ends.closed(fd),
      });
    },

    async fcntl(given, flag, on) {
      const fd = descriptor(body, given);
      if (flag !== 'O_NONBLOCK' && flag !== 'FD_CLOEXEC') {
        throw new Refused(unknown('fcntl', String(flag), ['O_NONBLOCK', 'FD_CLOEXEC']));
      }
      const ofFile = flag === 'O_NONBLOCK';
      return recorder.make({
        name: 'fcntl',
        fd,
        args: () => [fd, ofFile ? 'F_SETFL' : 'F_SETFD', on === true ? flag : 0],
        now() {
          if (!ofFile) {
            return fcntlCall.now(fd, F_SETFD, on === true ? FD_CLOEXEC : 0);
          }
          const before = fcntlCall.now(fd, F_GETFL, 0);
          return before < 0
            ? before
            : fcntlCall.now(fd, F_SETFL, on === true ? before | NONBLOCK : before & ~NONBLOCK);
        },
      });
    },

    async ioctl(given, request) {
      const fd = descriptor(body, given);
      const number = Object.hasOwn(IOCTLS, String(request)) ? IOCTLS[String(request)] : undefined;
      if (number === undefined) {
        throw new Refused(unknown('ioctl', String(request), Object.keys(IOCTLS)));
      }
      const memory = fixedMemory(4);
      const said = (result: number | null): number | null =>
        result === null || result < 0 ? null : memory.words[0]!;
      return recorder.make({
        name: 'ioctl',
        fd,
        args: (result) => [fd, String(request), said(result)],
        now: () => ioctlCall.now(fd, number, memory.address),
        value: said,
      });
    },

    async setrlimit(name, soft) {
      if (name !== 'NOFILE') {
        throw new Refused(unknown('setrlimit', String(name), ['NOFILE']));
      }
      const wanted = within('a limit of descriptors', soft, 0, MOST_DESCRIPTORS);
      let before = 0;
      return recorder.make({
        name: 'prlimit64',
        args: () => [0, 'RLIMIT_NOFILE', wanted, before],
        now() {
          const limited = limitDescriptors(wanted);
          before = limited.before;
          return limited.result;
        },
        value: () => before,
      });
    },

    async signal(name, what) {
      if (typeof name !== 'string' || !isSignal(name)) {
        throw new Refused(`there is no signal ${String(name)}`);
      }
      if (what !== 'default' && what !== 'ignore') {
        throw new Refused(unknown('signal', String(what), ['default', 'ignore']));
      }
      return recorder.make({
        name: 'signal',
        args: () => [name, what === 'default' ? 'SIG_DFL' : 'SIG_IGN'],
        now: () => setSignal(name, what),
      });
    },

    async exec(given, words) {
      const { command, args } = commandLine('exec', given, words);
      const at = recorder.now();
      const found = findCommand(command);
      const told = { name: 'execve', args: ['path' in found ? found.path : command, [command, ...args]], at };
      const failed = (errno: string, number?: number): never => {
        recorder.tell({ ...told, took: recorder.now() - at, result: -1, errno }, number);
        throw new Refused(`exec of ${command} failed with ${errno}`);
      };
      if ('why' in found) {
        return failed(found.why === 'missing' ? 'ENOENT' : 'EACCES');
      }
      // Nobody is left to tell that it succeeded: it does not return then.
      const number = recorder.tell({ ...told, took: null, result: null });
      await said();
      return failed(errnoName(becomeProgram(found.path, [command, ...args], process.env)), number);
    },

    async exit(status) {
      const number = within('an exit status', status, 0, 255);
      recorder.tell({ name: 'exit_group', args: [number], at: recorder.now(), took: null, result: null });
      await said();
      exitAtOnce(number);
    },

    async job(name, options = {}) {
      const load = Object.hasOwn(jobs, String(name)) ? jobs[String(name)] : undefined;
      if (load === undefined) {
        throw new Refused(unknown('the list of jobs', String(name), Object.keys(jobs)));
      }
      if (!isPlain(options)) {
        throw new Refused('options of a job are names and values');
      }
      const { job } = await load();
      return job.run(options, jobTools(body));
    },
  };
}
