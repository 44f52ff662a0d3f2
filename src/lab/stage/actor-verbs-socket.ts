/** A socket's life: made, bound, connected, asked, closed. */
import {
  acceptCall,
  bindCall,
  closeCall,
  connectCall,
  fcntlCall,
  listenCall,
  shutdownCall,
  socketCall,
} from '../../kernel/calls.ts';
import { localEnd, peerEnd } from '../../kernel/calls-ends.ts';
import {
  AF_INET,
  AF_INET6,
  CLOEXEC,
  F_GETFL,
  F_SETFL,
  NONBLOCK,
  SOCK_DGRAM,
  SOCK_STREAM,
} from '../../kernel/calls-flags.ts';
import { endAt } from '../../kernel/calls-message.ts';
import {
  getOption,
  REAL_OPTIONS,
  type RealOption,
  realOption,
  setOption,
} from '../../kernel/calls-options.ts';
import { fixedMemory } from '../../kernel/epoll.ts';
import { LONGEST_ADDRESS, type RawAddress } from '../../kernel/stream-sockets.ts';
import { destination, endText, flagText, Refused, unknown, within } from './actor-text.ts';
import { type Body, descriptor, switches, type Verbs, wouldWait } from './actor-verbs.ts';

const KINDS: Readonly<Record<string, readonly [family: number, type: number]>> = {
  tcp: [AF_INET, SOCK_STREAM],
  udp: [AF_INET, SOCK_DGRAM],
  tcp6: [AF_INET6, SOCK_STREAM],
  udp6: [AF_INET6, SOCK_DGRAM],
};
const EALREADY = -114;
const EINPROGRESS = -115;
const HOW = { read: 0, write: 1, both: 2 } as const;
const HOW_NAMES = ['SHUT_RD', 'SHUT_WR', 'SHUT_RDWR'];
/** listen(2) takes an int; the kernel cuts it to net.core.somaxconn. */
const LARGEST_INT = 0x7fff_ffff;
/** What Node and many others ask for. */
const USUAL_BACKLOG = 511;

export function socketVerbs(body: Body): Verbs {
  const { recorder, ends, names } = body;

  function opened(verb: string, options: unknown): { bits: number; words: string[] } {
    const asked = switches(verb, options, ['nonblock', 'inherit']);
    const nonblock = asked.has('nonblock');
    const inherit = asked.has('inherit');
    return {
      bits: (nonblock ? NONBLOCK : 0) | (inherit ? 0 : CLOEXEC),
      words: [...(inherit ? [] : ['SOCK_CLOEXEC']), ...(nonblock ? ['SOCK_NONBLOCK'] : [])],
    };
  }

  function option(name: unknown): RealOption {
    const found = realOption(String(name));
    if (found === undefined) {
      const known = REAL_OPTIONS.map((one) => one.name);
      throw new Refused(unknown('the table of socket options', String(name), known));
    }
    return found;
  }

  return {
    async socket(kind = 'tcp', options) {
      const [family, type] = KINDS[String(kind)] ?? [];
      if (family === undefined || type === undefined) {
        throw new Refused(unknown('socket', String(kind), Object.keys(KINDS)));
      }
      const { bits, words } = opened('socket', options);
      const typeName = type === SOCK_STREAM ? 'SOCK_STREAM' : 'SOCK_DGRAM';
      return recorder.make({
        name: 'socket',
        args: () => [family === AF_INET ? 'AF_INET' : 'AF_INET6', [typeName, ...words].join('|'), 0],
        now: () => socketCall.now(family, type | bits, 0),
        after: (fd) => ends.opened(fd),
        tuple: (fd) => ends.tuple(fd),
      });
    },

    async bind(given, address) {
      const fd = descriptor(body, given);
      const { end, raw } = destination(address, ends.family(fd), names);
      return recorder.make({
        name: 'bind',
        fd,
        args: () => [fd, endText(end)],
        now: () => bindCall.now(fd, raw.address, raw.length),
        after: () => ends.look(fd),
      });
    },

    async listen(given, backlog = USUAL_BACKLOG) {
      const fd = descriptor(body, given);
      const length = within('a backlog', backlog, -1, LARGEST_INT);
      return recorder.make({
        name: 'listen',
        fd,
        args: () => [fd, length],
        now: () => listenCall.now(fd, length),
        after: () => ends.look(fd),
      });
    },

    async accept(given, options) {
      const fd = descriptor(body, given);
      const { bits, words } = opened('accept', options);
      const memory = fixedMemory(LONGEST_ADDRESS);
      const length = fixedMemory(4);
      length.words[0] = LONGEST_ADDRESS;
      const call = [fd, memory.address, length.address, bits] as [number, number, number, number];
      const peer = (accepted: number | null): string | null => {
        const end = accepted === null || accepted < 0 ? null : endAt(memory.bytes, length.words[0]!);
        return end === null ? null : endText(end);
      };
      const waits = wouldWait(fd);
      return recorder.make({
        name: 'accept4',
        fd,
        args: (result) => [fd, peer(result), flagText(words)],
        now: () => (waits ? null : acceptCall.now(...call)),
        aside: (done) => acceptCall.aside(call, done),
        after: (accepted) => (accepted < 0 ? undefined : ends.opened(accepted)),
        value: peer,
        tuple: (accepted) => (accepted < 0 ? undefined : ends.tuple(accepted)),
      });
    },

    async connect(given, address) {
      const fd = descriptor(body, given);
      const { end, raw } = destination(address, ends.family(fd), names);
      const waits = wouldWait(fd) && ends.tuple(fd)?.protocol !== 'udp';
      ends.starts(fd, end);
      return recorder.make({
        name: 'connect',
        fd,
        args: () => [fd, endText(end)],
        now: () => (waits ? begun(fd, raw) : connectCall.now(fd, raw.address, raw.length)),
        aside: (done) =>
          connectCall.aside([fd, raw.address, raw.length], (result) =>
            // SO_SNDTIMEO ran out: a connect in one piece says it so.
            done(result === EALREADY ? EINPROGRESS : result),
          ),
        after: () => void ends.look(fd),
      });
    },

    async shutdown(given, how) {
      const fd = descriptor(body, given);
      const number = Object.hasOwn(HOW, String(how)) ? HOW[how as keyof typeof HOW] : undefined;
      if (number === undefined) {
        throw new Refused(unknown('shutdown', String(how), Object.keys(HOW)));
      }
      return recorder.make({
        name: 'shutdown',
        fd,
        args: () => [fd, HOW_NAMES[number]!],
        now: () => shutdownCall.now(fd, number),
      });
    },

    async close(given) {
      const fd = descriptor(body, given);
      const tuple = ends.tuple(fd);
      const linger = getOption(fd, realOption('SO_LINGER')!);
      // Only with SO_LINGER and a time does close wait, whatever O_NONBLOCK says (socket(7)).
      const waits = linger.result === 0 && Number(linger.value) > 0;
      return recorder.make({
        name: 'close',
        fd,
        args: () => [fd],
        now: () => (waits ? null : closeCall.now(fd)),
        aside: (done) => closeCall.aside([fd], done),
        after: () => ends.closed(fd),
        tuple: () => tuple,
      });
    },

    async setsockopt(given, name, value) {
      const fd = descriptor(body, given);
      const chosen = option(name);
      const text = typeof value === 'string' && chosen.shape === 'text';
      const amount = text ? value : within(`a value of ${chosen.name}`, value, -LARGEST_INT - 1, LARGEST_INT);
      return recorder.make({
        name: 'setsockopt',
        fd,
        args: () => [fd, chosen.levelName, chosen.name, amount],
        now: () => setOption(fd, chosen, amount),
      });
    },

    async getsockopt(given, name) {
      const fd = descriptor(body, given);
      const chosen = option(name);
      let got: ReturnType<typeof getOption> | null = null;
      return recorder.make({
        name: 'getsockopt',
        fd,
        args: () => [fd, chosen.levelName, chosen.name, got?.value ?? null],
        now() {
          got = getOption(fd, chosen);
          return got.result;
        },
        value: () => got?.value ?? null,
      });
    },

    getsockname: (given) => named('getsockname', localEnd, given),
    getpeername: (given) => named('getpeername', peerEnd, given),
  };

  /**
   * A connect that fails gives its local port back, and its packets are still to be told apart: so it is begun without waiting, the
   * port is looked up, and then a blocking connect waits for the same handshake and has its outcome (__inet_stream_connect,
   * net/ipv4/af_inet.c).
   */
  function begun(fd: number, raw: RawAddress): number | null {
    const flags = fcntlCall.now(fd, F_GETFL, 0);
    fcntlCall.now(fd, F_SETFL, flags | NONBLOCK);
    const result = connectCall.now(fd, raw.address, raw.length);
    fcntlCall.now(fd, F_SETFL, flags);
    ends.look(fd);
    return result === EINPROGRESS ? null : result;
  }

  async function named(name: string, ask: typeof localEnd, given: unknown): Promise<unknown> {
    const fd = descriptor(body, given);
    let text: string | null = null;
    return recorder.make({
      name,
      fd,
      args: () => [fd, text],
      now() {
        const { result, end } = ask(fd);
        text = end === null ? null : endText(end);
        return result;
      },
      value: () => text,
    });
  }
}
