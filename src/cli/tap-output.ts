/** Where what a tap tells goes: lines, JSON, nothing but the live line, a recording. */
import { writeSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Address } from '../reactor/reactor.ts';
import { encode } from '../session/ndjson.ts';
import { clientOwners } from '../tap/client-owner.ts';
import type { Wants } from '../tap/engine.ts';
import { errnoText } from '../tap/errno-text.ts';
import type { Observation } from '../tap/observation.ts';
import { createTapRecorder } from '../tap/record/recorder.ts';
import { addressText, tapEvents } from '../tap/to-events.ts';
import { type Painter, painter, wantsColour } from '../view/colour.ts';
import { wallClock } from '../view/wire/wall-clock.ts';
import type { Session } from '../watch/session.ts';
import { isTerminal, print, width } from './output.ts';
import type { TapFlags } from './tap-flags.ts';
import { createTapHar } from './tap-har.ts';
import { createShower, type ShowOptions } from './tap-show.ts';
import { version } from './version.ts';
import { writtenFile } from './written-file.ts';

export interface Output {
  readonly colour: Painter;
  /** A recording must not lose anything. */
  readonly patient: boolean;
  /** How lines look; keys change it. */
  readonly look: ShowOptions;
  wants(): Wants;
  /** Into the recordings that there are. */
  record(seen: Observation): void;
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
const MOST_OWNED = 10_000;
/** A recording that is watched while it grows, or cut off, is whole up to a moment ago. */
const FLUSH_MS = 500;

interface Recording {
  observe(seen: Observation): void;
  finish(): void;
}

function recordingsOf(flags: TapFlags, session: Session, ownerOf: (address: string) => string): Recording[] {
  const recordings: Recording[] = [];
  const common = { startedAt: session, reveal: flags.reveal === true };
  if (flags.write !== undefined) {
    const target = writtenFile(flags.write);
    const recorder = createTapRecorder({ ...common, version, write: target.write, ownerOf });
    const flushing = setInterval(() => recorder.flush(), FLUSH_MS);
    flushing.unref();
    recordings.push({
      observe(seen) {
        if (seen.type === 'key') {
          recorder.secrets(seen.line);
        } else {
          recorder.observe(seen);
        }
      },
      finish() {
        clearInterval(flushing);
        recorder.finish();
        target.close();
      },
    });
  }
  if (flags.har !== undefined) {
    const target = writtenFile(flags.har);
    const har = createTapHar({ ...common, write: target.write });
    recordings.push({
      observe: (seen) => har.observe(seen),
      finish() {
        har.finish();
        target.close();
      },
    });
  }
  return recordings;
}

/** On standard error. When nobody reads it any more the program goes on all the same. */
function besideIt(): (text: string) => void {
  let gone = false;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  return (text) => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length && !gone; ) {
      try {
        at += writeSync(STANDARD_ERROR, bytes, at);
      } catch (error) {
        const again = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
        gone = !again;
        if (again) {
          Atomics.wait(pause, 0, 0, 1);
        }
      }
    }
  };
}

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
  const say = options.beside ? besideIt() : print;

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

  const recordings = recordingsOf(flags, session, (address) => owned.get(address) ?? '');
  const records = recordings.length > 0;
  /** Clients whose program is known, for the recording. */
  const owned = new Map<string, string>();

  function record(seen: Observation): void {
    if (seen.type === 'opened') {
      const owner = look.ownerOf(seen.client, seen.entered);
      if (owned.size >= MOST_OWNED) {
        owned.clear();
      }
      owned.set(addressText(seen.client), owner);
    }
    for (const recording of recordings) {
      recording.observe(seen);
    }
  }

  function showsBytes(): boolean {
    return !quiet && (look.layer === 'bytes' || look.hex || look.verbose === 2);
  }

  function text(seen: Observation): string {
    if (seen.type === 'bytes' && !showsBytes()) {
      return '';
    }
    if (flags.json === true) {
      const line = events.line(seen);
      return line === null ? '' : `${line}\n`;
    }
    return !quiet || seen.type === 'standing' || seen.type === 'lost' ? shower.line(seen) : '';
  }

  return {
    colour,
    patient: records,
    look,
    wants: () => ({
      connections: records || !quiet,
      messages: records || (!quiet && look.layer === 'messages'),
      bytes: records || showsBytes(),
      reveal: flags.reveal === true,
      brief: look.verbose === 0 && flags.json !== true && !records,
    }),
    record(seen) {
      if (records) {
        record(seen);
      }
    },
    show(seen) {
      const line = text(seen);
      if (line !== '') {
        options.clear();
        say(line);
      }
    },
    say,
    finish() {
      for (const recording of recordings) {
        recording.finish();
      }
      owners?.close();
    },
  };
}
