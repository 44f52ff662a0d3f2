/** Where what a tap tells goes: lines, JSON, nothing but the live line, a recording. */
import { writeSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Address } from '../reactor/reactor.ts';
import { encode } from '../session/ndjson.ts';
import { clientOwners } from '../tap/client-owner.ts';
import type { Wants } from '../tap/engine.ts';
import { errnoText } from '../tap/errno-text.ts';
import type { Observation } from '../tap/observation.ts';
import { tapEvents } from '../tap/to-events.ts';
import { type Painter, painter, wantsColour } from '../view/colour.ts';
import { wallClock } from '../view/wire/wall-clock.ts';
import type { Session } from '../watch/session.ts';
import { isTerminal, print, width } from './output.ts';
import type { TapFlags } from './tap-flags.ts';
import { createShower, type ShowOptions } from './tap-show.ts';

export interface Output {
  readonly colour: Painter;
  /** A recording must not lose anything. */
  readonly patient: boolean;
  /** How lines look; keys change it. */
  readonly look: ShowOptions;
  wants(): Wants;
  show(seen: Observation): void;
  say(text: string): void;
  finish(): void;
}

export interface OutputOptions {
  readonly several: boolean;
  /** On standard error, because standard output is somebody else's. */
  readonly beside: boolean;
  /** Who led-through programs are, by the address of their end. */
  whoAt(client: Address): string;
  /** The live line goes before anything else is written. */
  clear(): void;
}

const STANDARD_ERROR = 2;

export function createOutput(flags: TapFlags, session: Session, options: OutputOptions): Output {
  const { clock, netns, seconds, nanoseconds } = session;
  const terminal = options.beside ? process.stderr.isTTY === true : isTerminal();
  const colour = painter(flags.color === true || wantsColour(terminal, process.env));
  const quiet = flags.quiet === true;
  const verbose = Math.min(2, flags.verbose) as 0 | 1 | 2;
  const owners = quiet ? null : clientOwners();
  const look: ShowOptions = {
    paint: colour,
    clock: wallClock(seconds, nanoseconds),
    width: terminal ? width() : null,
    verbose,
    layer: flags.bytes === true ? 'bytes' : 'messages',
    hex: flags.hex === true,
    several: options.several,
    errnoText,
    ownerOf: (client, entered) => options.whoAt(client) || (owners?.of(client, entered) ?? ''),
  };
  const shower = createShower(look);
  const events = tapEvents(netns);
  const say = options.beside
    ? (text: string) => {
        writeSync(STANDARD_ERROR, text);
      }
    : print;

  if (flags.json === true) {
    say(
      `${encode({
        v: 1,
        type: 'session',
        startedAt: clock.startedAt,
        host: hostname(),
        clock: { source: 'monotonic', uncertaintyNs: clock.uncertaintyNs },
      })}\n`,
    );
  }

  function text(seen: Observation): string {
    if (flags.json === true) {
      const line = events.line(seen);
      return line === null ? '' : `${line}\n`;
    }
    return !quiet || seen.type === 'standing' || seen.type === 'lost' ? shower.line(seen) : '';
  }

  return {
    colour,
    patient: false,
    look,
    wants: () => ({
      connections: !quiet,
      messages: !quiet && look.layer === 'messages',
      bytes: !quiet && (look.layer === 'bytes' || look.hex || verbose === 2),
      reveal: flags.reveal === true,
      brief: verbose === 0 && flags.json !== true,
    }),
    show(seen) {
      const line = text(seen);
      if (line !== '') {
        options.clear();
        say(line);
      }
    },
    say,
    finish() {
      owners?.close();
    },
  };
}
