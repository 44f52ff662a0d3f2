/** JSON-RPC over TCP and UNIX sockets: texts in, texts out, a line each. */
import { AGAIN, type Stream } from '../../../reactor/reactor.ts';
import type { RawHouse, RawService, Talk, Visit } from '../kind.ts';
import { type Answering, type Asked, answerTo } from './answer.ts';
import { createFrames } from './frames.ts';
import type { Methods } from './methods.ts';

const PIECE = 64 * 1024;
const USUAL_MOST = 1024 * 1024;
/** A client that asks and does not read is not read any more either. */
const MOST_UNSENT = 1024 * 1024;
const DRAIN_GRACE_NS = 200e6;
const MS = 1e6;
const NOTHING = Buffer.alloc(0);

const into = new Uint8Array(PIECE);

export function streamService(house: RawHouse, methods: Methods): RawService {
  return { visit: (stream, visit) => talk(house, methods, stream, visit) };
}

function talk(house: RawHouse, methods: Methods, stream: Stream, visit: Visit): Talk {
  const frames = createFrames(house.common.maxBody > 0 ? house.common.maxBody : USUAL_MOST);
  let under = 0;
  let unsent: Buffer = NOTHING;
  /** Gathered while one arrival is worked through, so that they leave in one call. */
  let gathered = '';
  let gathering = false;
  let ended = false;
  let draining = false;
  /** Why nothing more is read; the connection ends when all has been answered. */
  let last = '';
  let length = 0;
  let began = 0;

  function send(): void {
    if (gathered !== '') {
      const bytes = Buffer.from(gathered);
      gathered = '';
      unsent = unsent.length === 0 ? bytes : Buffer.concat([unsent, bytes]);
    }
    if (unsent.length > 0 && !ended) {
      const taken = stream.write(unsent, 0, unsent.length);
      if (taken < 0 && taken !== AGAIN) {
        end('reset by the client', false);
        return;
      }
      unsent = taken === unsent.length ? NOTHING : unsent.subarray(Math.max(0, taken));
    }
    if (last !== '' && under === 0 && unsent.length === 0) {
      end(last, true);
    }
  }

  function end(how: string, fine: boolean): void {
    if (!ended) {
      ended = true;
      visit.done(how, 0, 0, fine);
    }
  }

  function lineOf(at: number): Answering['asked'] {
    const received = length;
    return ({ what, result, fine }: Asked) => {
      const took = house.now() - at;
      if (house.wantsLines) {
        house.access({ at, from: visit.peer, what, result, fine, took, received, sent: 0, note: '' });
      } else {
        house.counted(took, received, 0, fine);
      }
    };
  }

  function each(text: string): void {
    under++;
    length = text.length;
    if (house.common.rate > 0 && !house.allows(visit.client)) {
      answered('{"id":null,"result":null,"error":"too many requests"}');
      return;
    }
    const later = (ms: number, run: () => void): void => void house.reactor.after(ms * MS, run);
    answerTo(text, { methods, later, asked: lineOf(began) }, answered);
  }

  function answered(answer: string): void {
    under--;
    if (answer !== '') {
      gathered += `${answer}\n`;
    }
    if (!gathering) {
      send();
    }
  }

  function readable(): void {
    while (!ended && last === '' && unsent.length < MOST_UNSENT) {
      const count = stream.read(into, 0, PIECE);
      if (count === AGAIN) {
        return;
      }
      if (count <= 0) {
        last = count === 0 ? 'closed by the client' : 'reset by the client';
        if (count < 0) {
          end(last, false);
        } else {
          send();
        }
        return;
      }
      began = house.reactor.now();
      gathering = true;
      const why = frames.take(into, 0, count, each);
      gathering = false;
      if (why !== '') {
        gathered += `{"jsonrpc":"2.0","error":{"code":-32700,"message":${JSON.stringify(why)}},"id":null}\n`;
        last = `refused: ${why}`;
      }
      send();
      if (count < PIECE && !stream.hungUp) {
        return;
      }
    }
  }

  return {
    readable,
    writable() {
      send();
      readable();
    },
    drain() {
      if (draining) {
        return;
      }
      draining = true;
      // A request may be on its way; on a machine that stood still it has arrived, and nobody has looked yet.
      const end = (): void => {
        readable();
        if (!ended) {
          last ||= 'closed by the server';
          send();
        }
      };
      house.reactor.after(DRAIN_GRACE_NS, () => house.reactor.soon(end));
    },
  };
}
