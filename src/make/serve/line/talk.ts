/** One client of `serve line`. */
import { AGAIN, type Stream } from '../../../reactor/reactor.ts';
import type { RawHouse, Talk, Visit } from '../kind.ts';
import { answerLine, type Client, type Desk } from './commands.ts';

const PIECE = 64 * 1024;
const USUAL_MOST = 8192;
/** A subscriber who does not read is left behind. */
const MOST_UNSENT = 1024 * 1024;
const DRAIN_GRACE_NS = 200e6;
const LF = 10;
const NOTHING = Buffer.alloc(0);

const into = Buffer.alloc(PIECE);

export interface LineTalk extends Talk {
  /** Something happened on a channel. */
  tell(line: string): void;
}

export interface Room extends Desk {
  readonly house: RawHouse;
  join(channel: string, who: LineTalk): void;
  leave(channel: string, who: LineTalk): void;
}

export function lineTalk(room: Room, stream: Stream, visit: Visit): LineTalk {
  const { house } = room;
  const most = house.common.maxBody > 0 ? house.common.maxBody : USUAL_MOST;
  const channels = new Set<string>();
  let rest = NOTHING;
  let unsent: Buffer = NOTHING;
  let gathered = '';
  let reading = false;
  /** A line is too long: everything up to its end is skipped. */
  let skipping = false;
  let last = '';
  let ended = false;

  const client: Client = {
    channels,
    subscribe(channel) {
      channels.add(channel);
      room.join(channel, talk);
    },
    unsubscribe(channel) {
      channels.delete(channel);
      room.leave(channel, talk);
    },
  };

  function end(how: string, fine = true): void {
    if (!ended) {
      ended = true;
      for (const channel of channels) {
        room.leave(channel, talk);
      }
      visit.done(how, 0, 0, fine);
    }
  }

  function send(): void {
    if (ended) {
      return;
    }
    if (gathered !== '') {
      const bytes = Buffer.from(gathered);
      gathered = '';
      unsent = unsent.length === 0 ? bytes : Buffer.concat([unsent, bytes]);
    }
    if (unsent.length > 0) {
      const taken = stream.write(unsent, 0, unsent.length);
      if (taken < 0 && taken !== AGAIN) {
        end('reset by the client', false);
        return;
      }
      unsent = taken === unsent.length ? NOTHING : unsent.subarray(Math.max(0, taken));
    }
    if (last !== '' && unsent.length === 0) {
      end(last);
    } else if (unsent.length > MOST_UNSENT) {
      end('left behind: it does not read', false);
    }
  }

  function line(text: string, bytes: number): void {
    const at = house.reactor.now();
    const allowed = house.common.rate === 0 || house.allows(visit.client);
    const answer = allowed
      ? answerLine(text, client, room)
      : { name: '', lines: ['ERR rate too many requests'], last: false };
    const said = `${answer.lines.join('\r\n')}\r\n`;
    gathered += said;
    if (answer.last) {
      last = 'goodbye';
    }
    const took = house.now() - at;
    if (house.wantsLines) {
      const [first = ''] = answer.lines;
      const result = first.startsWith('ERR')
        ? first.split(' ').slice(0, 2).join(' ')
        : (first.split(' ')[0] ?? '');
      const what = answer.name === '' ? text.slice(0, 40) : answer.name;
      const line = { what, result, fine: true, took, received: bytes, sent: said.length, note: '' };
      house.access({ at, from: visit.peer, ...line });
    } else {
      house.counted(took, bytes, said.length, true);
    }
  }

  function take(bytes: Buffer): void {
    let at = 0;
    while (last === '') {
      const stop = bytes.indexOf(LF, at);
      if (stop < 0) {
        break;
      }
      if (skipping) {
        skipping = false;
      } else if (stop - at > most) {
        gathered += `ERR too-long a line has at most ${most} bytes\r\n`;
      } else {
        line(bytes.toString('utf8', at, stop).replace(/\r$/, ''), stop + 1 - at);
      }
      at = stop + 1;
    }
    if (!skipping && bytes.length - at > most) {
      gathered += `ERR too-long a line has at most ${most} bytes\r\n`;
      skipping = true;
    }
    rest = skipping || at === bytes.length ? NOTHING : Buffer.from(bytes.subarray(at));
  }

  const talk: LineTalk = {
    readable() {
      while (!ended && last === '') {
        const count = stream.read(into, 0, PIECE);
        if (count === AGAIN) {
          return;
        }
        if (count <= 0) {
          if (count < 0) {
            end('reset by the client', false);
          } else {
            last = 'closed by the client';
            send();
          }
          return;
        }
        reading = true;
        const fresh = into.subarray(0, count);
        take(rest.length === 0 ? fresh : Buffer.concat([rest, fresh]));
        reading = false;
        send();
        if (count < PIECE && !stream.hungUp) {
          return;
        }
      }
    },
    writable() {
      send();
    },
    tell(event) {
      gathered += `${event}\r\n`;
      if (!reading) {
        send();
      }
    },
    drain() {
      // A request may be on its way; on a machine that stood still it has arrived, and nobody has looked yet.
      const end = (): void => {
        talk.readable(stream);
        if (!ended) {
          gathered += 'BYE the server ends\r\n';
          last ||= 'closed by the server';
          send();
        }
      };
      house.reactor.after(DRAIN_GRACE_NS, () => house.reactor.soon(end));
    },
    dropped() {
      ended = true;
      for (const channel of channels) {
        room.leave(channel, talk);
      }
    },
  };
  return talk;
}
