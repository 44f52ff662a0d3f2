/** poll(2) and epoll(7). What is ready already is told on the spot; otherwise a thread waits. */
import { epollCreateCall, epollWaitCall, pollCall } from '../../kernel/calls.ts';
import { CLOEXEC, EPOLL_EVENTS, flagNames, POLL_EVENTS } from '../../kernel/calls-flags.ts';
import {
  controlEpoll,
  EPOLL_OPERATIONS,
  epollMemory,
  pollMemory,
  type Ready,
} from '../../kernel/calls-wait.ts';
import type { Value } from '../../wire/value.ts';
import { bitsOf, flagText, Refused, unknown, within } from './actor-text.ts';
import { type Body, descriptor, isPlain, type Verbs } from './actor-verbs.ts';

const LONGEST_WAIT_MS = 0x7fff_ffff;
const MOST_EVENTS = 100_000;

export function waitVerbs(body: Body): Verbs {
  const { recorder } = body;

  return {
    async poll(wish, timeoutMs) {
      if (!isPlain(wish)) {
        throw new Refused("poll wants descriptors and their events: { 5: ['POLLIN'] }");
      }
      const wishes = Object.entries(wish).map(([fd, events]) => ({
        fd: descriptor(body, Number(fd)),
        bits: bitsOf(POLL_EVENTS, events, 'events of poll'),
      }));
      const timeout = within('a timeout in milliseconds', timeoutMs, -1, LONGEST_WAIT_MS);
      const memory = pollMemory(wishes);
      const [only] = wishes;
      return recorder.make({
        name: 'poll',
        // A poll on one descriptor is that connection's.
        ...(wishes.length === 1 && only !== undefined ? { fd: only.fd } : {}),
        args: (result) => [
          wishes.map(({ fd, bits }) => {
            const came = result === null ? undefined : memory.ready().find((one) => one.fd === fd);
            return {
              fd,
              events: flagText(flagNames(POLL_EVENTS, bits)),
              ...(came === undefined ? {} : { revents: flagText(flagNames(POLL_EVENTS, came.bits)) }),
            };
          }),
          wishes.length,
          timeout,
        ],
        now() {
          const ready = pollCall.now(memory.address, memory.count, 0);
          return ready === 0 && timeout !== 0 ? null : ready;
        },
        aside: (done) => pollCall.aside([memory.address, memory.count, timeout], done),
        value: () => named(POLL_EVENTS, memory.ready()),
      });
    },

    async epollCreate() {
      return recorder.make({
        name: 'epoll_create1',
        args: () => ['EPOLL_CLOEXEC'],
        now: () => epollCreateCall.now(CLOEXEC),
      });
    },

    async epollCtl(given, op, target, events = []) {
      const epoll = descriptor(body, given);
      const fd = descriptor(body, target);
      const operation = Object.hasOwn(EPOLL_OPERATIONS, String(op))
        ? EPOLL_OPERATIONS[op as keyof typeof EPOLL_OPERATIONS]
        : undefined;
      if (operation === undefined) {
        throw new Refused(unknown('epollCtl', String(op), Object.keys(EPOLL_OPERATIONS)));
      }
      const bits = bitsOf(EPOLL_EVENTS, events, 'events of epollCtl');
      return recorder.make({
        name: 'epoll_ctl',
        fd,
        args: () => [
          epoll,
          `EPOLL_CTL_${String(op).toUpperCase()}`,
          fd,
          flagText(flagNames(EPOLL_EVENTS, bits)),
        ],
        now: () => controlEpoll(epoll, operation, fd, bits),
      });
    },

    async epollWait(given, most, timeoutMs) {
      const epoll = descriptor(body, given);
      const count = within('the most events', most, 0, MOST_EVENTS);
      const timeout = within('a timeout in milliseconds', timeoutMs, -1, LONGEST_WAIT_MS);
      const memory = epollMemory(count);
      return recorder.make({
        name: 'epoll_wait',
        args: (result) => [
          epoll,
          result === null
            ? null
            : memory
                .ready(result)
                .map(({ fd, bits }) => ({ fd, events: flagText(flagNames(EPOLL_EVENTS, bits)) })),
          count,
          timeout,
        ],
        now() {
          const ready = epollWaitCall.now(epoll, memory.address, count, 0);
          return ready === 0 && timeout !== 0 ? null : ready;
        },
        aside: (done) => epollWaitCall.aside([epoll, memory.address, count, timeout], done),
        value: (result) => named(EPOLL_EVENTS, memory.ready(result)),
      });
    },
  };
}

function named(table: typeof POLL_EVENTS, ready: readonly Ready[]): Value {
  return Object.fromEntries(ready.map(({ fd, bits }) => [String(fd), flagNames(table, bits)]));
}
