/** Bytes in and out. A call that can be made without waiting is made at once, so that its moment is exact; otherwise a thread waits. */
import { recvCall, recvmsgCall, sendCall, sendtoCall } from '../../kernel/calls.ts';
import { flagNames, MSG_FLAGS } from '../../kernel/calls-flags.ts';
import { messageMemory, plainMemory } from '../../kernel/calls-message.ts';
import type { Value } from '../../wire/value.ts';
import type { Asked } from './actor-record.ts';
import { hasRoom } from './actor-room.ts';
import { bitsOf, destination, endText, flagText, payload, preview, within } from './actor-text.ts';
import { type Body, descriptor, orWait, type Verbs, wouldWait } from './actor-verbs.ts';

const MSG_DONTWAIT = MSG_FLAGS.MSG_DONTWAIT!;
const MSG_WAITALL = MSG_FLAGS.MSG_WAITALL!;
const MSG_FASTOPEN = MSG_FLAGS.MSG_FASTOPEN!;
const USUAL_MOST = 65536;
const LARGEST = 64 << 20;

export function dataVerbs(body: Body): Verbs {
  const { recorder, ends, names } = body;

  function waits(fd: number, bits: number): boolean {
    return (bits & MSG_DONTWAIT) === 0 && wouldWait(fd);
  }

  return {
    async send(given, data, flags = []) {
      const fd = descriptor(body, given);
      const { bytes, address: from } = payload(data);
      const bits = bitsOf(MSG_FLAGS, flags, 'flags of send');
      const blocking = waits(fd, bits);
      const atOnce = !blocking || hasRoom(fd, bytes.length);
      return recorder.make({
        name: 'send',
        fd,
        args: () => [fd, preview(bytes), bytes.length, flagText(flagNames(MSG_FLAGS, bits))],
        now() {
          if (!atOnce) {
            return null;
          }
          const sent = sendCall.now(fd, from, bytes.length, blocking ? bits | MSG_DONTWAIT : bits);
          return blocking ? orWait(sent) : sent;
        },
        aside: (done) => sendCall.aside([fd, from, bytes.length, bits], done),
        after: () => ends.lookOnce(fd),
      });
    },

    async sendto(given, data, address, flags = []) {
      const fd = descriptor(body, given);
      const { bytes, address: from } = payload(data);
      const bits = bitsOf(MSG_FLAGS, flags, 'flags of sendto');
      const { end, raw } = destination(address, ends.family(fd), names);
      const blocking = waits(fd, bits);
      const connects = (bits & MSG_FASTOPEN) !== 0;
      if (connects) {
        ends.starts(fd, end);
      }
      return recorder.make({
        name: 'sendto',
        fd,
        args: () => [fd, preview(bytes), bytes.length, flagText(flagNames(MSG_FLAGS, bits)), endText(end)],
        now: () => (blocking ? null : sendtoCall.now(fd, from, bytes.length, bits, raw.address, raw.length)),
        aside: (done) => sendtoCall.aside([fd, from, bytes.length, bits, raw.address, raw.length], done),
        after: () => (connects ? void ends.look(fd) : ends.lookOnce(fd)),
        tuple: () => ends.tuple(fd, end),
      });
    },

    async recv(given, most = USUAL_MOST, flags = []) {
      const fd = descriptor(body, given);
      const length = within('the most bytes to receive', most, 0, LARGEST);
      const bits = bitsOf(MSG_FLAGS, flags, 'flags of recv');
      const memory = plainMemory(length);
      // With MSG_TRUNC the result is the datagram's length, which may be more than came (recv(2)).
      const came = (result: number): Uint8Array => memory.bytes.slice(0, Math.min(result, length));
      return recorder.make({
        name: 'recv',
        fd,
        args: (result) => [
          fd,
          result === null || result < 0 ? null : preview(came(result)),
          length,
          flagText(flagNames(MSG_FLAGS, bits)),
        ],
        ...receiving(fd, bits, (now) => recvCall.now(fd, memory.address, length, now)),
        aside: (done) => recvCall.aside([fd, memory.address, length, bits], done),
        bytes: came,
      });
    },

    async recvmsg(given, most = USUAL_MOST, flags = []) {
      const fd = descriptor(body, given);
      const length = within('the most bytes to receive', most, 0, LARGEST);
      const bits = bitsOf(MSG_FLAGS, flags, 'flags of recvmsg');
      const memory = messageMemory(length);
      const came = (result: number): Uint8Array => memory.payload.slice(0, Math.min(result, length));
      const told = (result: number): Value => {
        if (result < 0) {
          return null;
        }
        const from = memory.from();
        const { error, dropped } = memory.control();
        return {
          from: from === null ? null : endText(from),
          flags: flagNames(MSG_FLAGS, memory.flags()),
          ...(error === null
            ? {}
            : {
                error: { ...error, offender: error.offender === null ? null : error.offender.address },
              }),
          ...(dropped === null ? {} : { dropped }),
        };
      };
      return recorder.make({
        name: 'recvmsg',
        fd,
        args: (result) => [
          fd,
          result === null || result < 0 ? null : preview(came(result)),
          result === null ? null : told(result),
          flagText(flagNames(MSG_FLAGS, bits)),
        ],
        ...receiving(fd, bits, (now) => recvmsgCall.now(fd, memory.address, now)),
        aside: (done) => recvmsgCall.aside([fd, memory.address, bits], done),
        bytes: came,
        value: told,
        tuple: (result) =>
          result < 0 ? undefined : ends.tuple(fd, memory.from() ?? undefined, memory.control().to),
      });
    },
  };

  /** Nothing is taken by an attempt that finds nothing; only MSG_WAITALL could be left with a part. */
  function receiving(fd: number, bits: number, receive: (bits: number) => number): Pick<Asked, 'now'> {
    const blocking = waits(fd, bits);
    return {
      now() {
        if (!blocking) {
          return receive(bits);
        }
        return (bits & MSG_WAITALL) !== 0 ? null : orWait(receive(bits | MSG_DONTWAIT));
      },
    };
  }
}
