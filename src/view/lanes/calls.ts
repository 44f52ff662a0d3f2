/** System calls: a quick one once, one that waits at its beginning and at its end. */
import type { Syscall } from '../../session/events.ts';
import { callWords, waits } from './call-words.ts';
import type { Placed } from './page.ts';
import type { Scene } from './scene.ts';
import { type Line, piece } from './text.ts';

export interface Call {
  event: Syscall;
  /** The beginning has been passed; drawn unless it was folded. */
  began: boolean;
  drawn: boolean;
  placed: Placed | null;
}

export interface Calls {
  /** The beginning of what is known to end later; null when the whole of it is drawn at the returned moment instead. */
  begin(call: Call): void;
  end(call: Call): void;
  unfinished(call: Call, at: number): void;
}

/** Longer than this is waiting. */
export const WAITED = 1e6;

/** Whether it has a beginning of its own in the drawing. */
export function inTwoParts({ took, name }: Syscall): boolean {
  return took === null || took >= WAITED || name === 'connect';
}

/** When a call that is drawn once is drawn: what waited for something stands behind it. */
export function drawnAt({ at, took, name }: Syscall): number {
  return waits(name) ? at + (took ?? 0) : at;
}

export function createCalls(scene: Scene): Calls {
  const { page, glyphs, ascii, company } = scene;
  const pids = new Map<string, Set<number>>();

  function who({ host, pid, connection }: Syscall): Line {
    let known = pids.get(host);
    if (known === undefined) {
      known = new Set();
      pids.set(host, known);
    }
    known.add(pid);
    return [...(known.size > 1 ? [piece(`[${pid}] `, 'blue')] : []), ...company.mark(connection)];
  }

  function put(event: Syscall, at: number, line: Line): Placed | null {
    const end = scene.endOf(event.host, event.side);
    if (end === null) {
      page.middle(at, [piece(`${scene.clean(event.host)}: `, 'dim'), ...line]);
      return null;
    }
    return page.program(end, at, line);
  }

  const identity = ({ host, pid, fd, name }: Syscall): string => `${host}|${pid}|${name}|${fd ?? ''}`;

  return {
    begin(call) {
      call.began = true;
      const { event } = call;
      scene.offer({
        at: event.at,
        kind: `begin|${event.host}|${event.name}`,
        same: `begin|${identity(event)}`,
        worth: 'usual',
        noun: '',
        connection: event.connection,
        hide() {},
        draw() {
          const { head } = callWords(event, ascii, glyphs);
          call.drawn = true;
          call.placed = put(event, event.at, [...who(event), ...head, piece(` ${glyphs.ellipsis}`, 'dim')]);
        },
      });
    },
    end(call) {
      const { event } = call;
      const words = callWords(event, ascii, glyphs);
      const at = inTwoParts(event) ? event.at + (event.took ?? 0) : drawnAt(event);
      const failed = event.errno !== undefined;
      scene.offer({
        at,
        kind: `call|${event.host}|${event.name}|${words.outcome}`,
        same: `call|${identity(event)}|${words.outcome}`,
        worth: failed ? 'trouble' : 'usual',
        noun: words.outcome === 'ok' ? words.name : `${words.name} = ${words.outcome}`,
        connection: event.connection,
        hide() {},
        draw() {
          const whole = [...who(event), ...words.head, piece(' '), ...words.tail];
          if (call.placed !== null && page.replace(call.placed, whole, at)) {
            return;
          }
          const rest = [
            ...who(event),
            piece(`${glyphs.ellipsis} `, 'dim'),
            piece(words.name),
            piece(' '),
            ...words.tail,
          ];
          put(event, at, call.drawn ? rest : whole);
        },
      });
      if (failed && event.name === 'connect' && event.connection !== undefined) {
        company.ended(event.connection);
      }
    },
    unfinished(call, at) {
      const { event } = call;
      if (call.drawn) {
        const name = scene.clean(event.name);
        put(event, at, [...who(event), piece(`${glyphs.ellipsis} ${name} still waits`, 'yellow')]);
      }
    },
  };
}
