/** What a tap tells, as text: which observation becomes which line. */
import type { Address } from '../reactor/reactor.ts';
import type { Observation } from '../tap/observation.ts';
import { addressText } from '../tap/to-events.ts';
import { endedText, type LineOptions, type TapLines, tapLines } from '../view/tap/lines.ts';
import { duration, several } from '../view/units.ts';

/** Connections that were told of with their first message, and those that said nothing yet. */
const MAX_SILENT = 10_000;

const TOLD = {
  reset: ['connections', 'the client is reset'],
  closed: ['connections', 'the client is closed'],
  refused: ['connections', 'the client is refused'],
  silence: ['datagrams', 'UDP has no way to tell the client'],
} as const;

const RELEASED = {
  go: 'let go',
  edit: 'edited, and let go',
  drop: 'dropped',
  gone: 'gone, the connection is over',
} as const;

export interface Shower {
  /** '' when nothing is to be shown. */
  line(observation: Observation): string;
}

export interface ShowOptions extends LineOptions {
  /** What a client's errno is called, for dials that failed. */
  readonly errnoText: (errno: number) => string;
  /** Which program is at the client's end; '' when nobody knows. */
  readonly ownerOf: (client: Address, entered: Address) => string;
}

export function createShower(options: ShowOptions): Shower {
  const lines: TapLines = tapLines(options);
  const states = new Map<string, string>();
  const opened = new Map<string, Extract<Observation, { type: 'opened' }>>();

  return {
    line(seen) {
      switch (seen.type) {
        case 'message':
          return options.layer === 'messages' ? lines.message(seen, seen.heard) : '';
        case 'bytes':
          return lines.bytes(seen, seen.from, seen.bytes);
        case 'trouble':
          return lines.event(
            seen,
            seen.from,
            seen.of === 'decoder' ? `cannot read on: ${seen.why}` : seen.why,
            'broken',
          );
        case 'key':
          return '';
        case 'opened':
          if (opened.size >= MAX_SILENT) {
            opened.clear();
          }
          opened.set(`${seen.tap} ${seen.connection}`, seen);
          return '';
        case 'dialled': {
          const came = opened.get(`${seen.tap} ${seen.connection}`);
          opened.delete(`${seen.tap} ${seen.connection}`);
          const owner = came === undefined ? '' : options.ownerOf(came.client, came.entered);
          const client =
            came === undefined ? '' : `${addressText(came.client)}${owner === '' ? '' : ` ${owner}`}`;
          return lines.event(
            seen,
            null,
            `${client} ⇄ ${addressText(seen.target)}, answered in ${duration(seen.took / 1000)}`,
            'plain',
          );
        }
        case 'dial-failed':
          return lines.event(
            seen,
            null,
            `${seen.target} does not take ${TOLD[seen.told][0]}: ${options.errnoText(seen.errno)}; ${TOLD[seen.told][1]}`,
            'grave',
          );
        case 'half-closed':
          // Most closes begin with one FIN and end a moment later: only who wants everything wants this line.
          return options.verbose === 0
            ? ''
            : lines.event(
                seen,
                seen.from,
                `FIN: the ${seen.from} says no more, the other direction stays open`,
                'plain',
              );
        case 'ended': {
          opened.delete(`${seen.tap} ${seen.connection}`);
          const { how, by, fromClient, fromServer, took } = seen;
          const grave = how === 'reset' || how === 'dial' || how === 'timeout';
          return lines.event(
            seen,
            null,
            endedText(how, by, fromClient, fromServer, took),
            how === 'fault' ? 'broken' : grave ? 'grave' : 'plain',
          );
        }
        case 'fault':
          return lines.event(seen, seen.from, `fault: ${seen.what}`, 'broken');
        case 'held':
          return lines.held(seen, seen.id, seen.heard, seen.bytes);
        case 'released':
          return lines.event(seen, null, `held ${seen.id}: ${RELEASED[seen.verdict]}`, 'broken');
        case 'standing': {
          // That it listens is told where it begins; afterwards only what changes.
          const before = states.get(seen.tap) ?? 'listening';
          states.set(seen.tap, seen.state);
          if (before === 'closed' && seen.state === 'listening' && seen.why === '') {
            return lines.about(seen.at, seen.tap, `listens on ${addressText(seen.listens)}`, false);
          }
          return before === seen.state && !seen.why.startsWith('the program ')
            ? ''
            : standing(lines, seen, options);
        }
        case 'lost':
          return lines.about(
            Math.max(0, seen.at),
            '',
            `${several(seen.count, 'event')} not shown: ${seen.why}`,
            true,
          );
      }
    },
  };
}

function standing(
  lines: TapLines,
  { at, tap, state, why, listens }: Extract<Observation, { type: 'standing' }>,
  { errnoText }: ShowOptions,
): string {
  if (why.startsWith('the program ')) {
    return lines.about(
      at,
      tap,
      state === 'listening' ? `${why}; so does the tap, on ${addressText(listens)}` : why,
      state === 'closed',
    );
  }
  const because = /^-?\d+$/.test(why) ? errnoText(Number(why)) : why;
  switch (state) {
    case 'refusing':
      return lines.about(
        at,
        tap,
        because === ''
          ? 'refuses clients, as the fault wants'
          : `the target does not take connections (${because}): clients are refused until it does`,
        true,
      );
    case 'silent':
      return lines.about(
        at,
        tap,
        'the target does not answer: clients are not answered either until it does',
        true,
      );
    case 'resting':
      return lines.about(at, tap, because, true);
    case 'listening':
      return lines.about(at, tap, 'the target takes connections: so does the tap', false);
    case 'closed':
      return because === '' ? '' : lines.about(at, tap, because, true);
  }
}
