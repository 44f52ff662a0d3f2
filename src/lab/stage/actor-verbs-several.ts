/** Verbs of several calls, for stories in which they are not the subject. What fails ends them. */
import type { Call } from '../api.ts';
import { Refused } from './actor-text.ts';
import { isPlain, type Verb, type Verbs } from './actor-verbs.ts';

const MOST_AT_ONCE = 65536;

export function severalVerbs(single: Verbs): Verbs {
  const call = async (method: string, ...args: readonly unknown[]): Promise<Call> =>
    (await (single[method] as Verb)(...args)) as Call;

  /** The call's result; a socket that is not handed out is closed again. */
  async function must(
    what: string,
    fd: number | null,
    method: string,
    ...args: readonly unknown[]
  ): Promise<Call> {
    const done = await call(method, ...args);
    if (done.errno !== null) {
      if (fd !== null) {
        await call('close', fd);
      }
      throw new Refused(`${what} failed with ${done.errno}`);
    }
    return done;
  }

  async function options(fd: number, given: unknown): Promise<void> {
    if (given !== undefined && !isPlain(given)) {
      throw new Refused('options are names of socket options and their values');
    }
    for (const [name, value] of Object.entries(given ?? {})) {
      await must(`setsockopt ${name}`, fd, 'setsockopt', fd, name, value);
    }
  }

  return {
    async listening(address, wish = {}) {
      const {
        backlog,
        options: wished,
        nonblock,
      } = asWish('listening', wish, ['backlog', 'options', 'nonblock']);
      const kind = kindFor(address);
      const { result: fd } = await must('socket', null, 'socket', kind, { nonblock: nonblock === true });
      // As servers do, or they could not start again while old connections are in TIME_WAIT.
      await options(fd, { SO_REUSEADDR: 1, ...(isPlain(wished) ? wished : {}) });
      await must(`bind to ${String(address)}`, fd, 'bind', fd, address);
      await must(`listen on ${String(address)}`, fd, 'listen', fd, backlog);
      return fd;
    },

    async connected(address, wish = {}) {
      const { from, options: wished } = asWish('connected', wish, ['from', 'options']);
      const { result: fd } = await must('socket', null, 'socket', kindFor(address));
      await options(fd, wished);
      if (from !== undefined) {
        await must(`bind to ${String(from)}`, fd, 'bind', fd, from);
      }
      await must(`connect to ${String(address)}`, fd, 'connect', fd, address);
      return fd;
    },

    async accepted(listener) {
      return (await must(`accept on ${String(listener)}`, null, 'accept', listener)).result;
    },

    async received(fd, bytes) {
      if (typeof bytes !== 'number' || !Number.isInteger(bytes) || bytes < 0) {
        throw new Refused(`received wants a number of bytes, not ${String(bytes)}`);
      }
      const parts: Uint8Array[] = [];
      let left = bytes;
      let last: Call;
      do {
        last = await call('recv', fd, Math.min(left, MOST_AT_ONCE));
        parts.push(last.bytes);
        left -= last.bytes.length;
      } while (left > 0 && last.result > 0);
      const all = Buffer.concat(parts);
      // Its own memory, as every call's bytes are; how it ended is in the last call.
      return { ...last, bytes: new Uint8Array(all), text: all.toString() };
    },
  };
}

function kindFor(address: unknown): string {
  return String(address).startsWith('[') ? 'tcp6' : 'tcp';
}

function asWish(verb: string, given: unknown, known: readonly string[]): Readonly<Record<string, unknown>> {
  const wrong = isPlain(given) ? Object.keys(given).find((name) => !known.includes(name)) : String(given);
  if (!isPlain(given) || wrong !== undefined) {
    throw new Refused(`${verb} has no option ${wrong}; known are ${known.join(', ')}`);
  }
  return given;
}
