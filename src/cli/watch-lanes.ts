/** `sockscope watch --lanes`: running programs, their connections and what crosses, until Ctrl-C. */
import { SockscopeError } from '../errors.ts';
import { type Filter, filterError, parseFilter } from '../see/filter/index.ts';
import { type Concerned, concernedBy, judgeOf, namedPids } from '../see/traced-sockets.ts';
import type { Socket } from '../session/socket.ts';
import { several } from '../view/units.ts';
import { readerGone } from '../watch/live.ts';
import type { TracedCall } from '../watch/syscalls/trace-program.ts';
import { openRecording } from './lab-recording.ts';
import { isTerminal, paint, print, warn, width } from './output.ts';
import { programDrawing } from './program-drawing.ts';
import { lookAtPrograms, type ProgramLook } from './program-look.ts';
import { createTracers, type Tracers } from './watch-lanes-tracers.ts';
import type { WatchFlags } from './watch-order.ts';
import { writtenFile } from './written-file.ts';

const LOOK_MS = 500;
/** Reading the socket table and every program's descriptors may take this share of the time. */
const SHARE = 0.1;
const READER_MS = 100;
const STANDARD_OUTPUT = 1;

export async function runWatchLanes(words: readonly string[], flags: WatchFlags): Promise<void> {
  const filter = readFilter(words);
  checkFlags(flags);
  const json = flags.json === true;
  const text = words.join(' ');
  const recording =
    flags.write === undefined
      ? null
      : openRecording(flags.write, `sockscope watch --lanes ${text}`, { open: writtenFile }, true);
  const look = lookAtPrograms(
    programDrawing({
      json,
      columns: width(),
      colour: paint.bold('x') !== 'x',
      put(lines) {
        // `| head` has seen enough: it ends in good order, and the recording is written.
        if (lines.length > 0 && !readerGone(STANDARD_OUTPUT)) {
          print(`${lines.join('\n')}\n`);
        }
      },
      file: recording,
    }),
  );
  const note = (said: string): void => {
    warn(paint.dim(said));
    if (json || recording !== null) {
      look.lost('watch', said);
    }
  };
  const judge = judging(filter);
  const tracers = createTracers({
    start: look.start,
    calls: (batch) => look.calls(batch.filter(judge.concerns)),
    lost: (why) => look.lost('calls', why),
    note,
  });
  look.begin();
  if (look.noPackets !== null) {
    note(`packets not visible: ${look.noPackets}`);
  }
  const finder = createFinder({ filter, look, tracers, judge, note });
  await finder.find();
  const matched = finder.found();
  if (!matched) {
    warn(paint.dim(`nothing matches ${text} yet${hint(text)}; waiting for it, Ctrl-C ends it`));
  } else if (isTerminal() || recording !== null) {
    warn(paint.dim(`watching ${several(tracers.count(), 'program')}; Ctrl-C ends it`));
  }
  await untilTheEnd(finder, () => {
    const named = namedPids(filter);
    return named.length > 0 && matched && named.every(tracers.ended);
  });
  await tracers.release();
  look.end();
  const written = recording?.finish() ?? '';
  if (written !== '') {
    warn(written);
  }
}

function hint(text: string): string {
  return /^\d+$/.test(text) ? ` (a port; a process is pid:${text})` : '';
}

function readFilter(words: readonly string[]): Filter {
  const parsed = parseFilter(words);
  if (!parsed.ok) {
    throw filterError(parsed);
  }
  if (parsed.filter === null) {
    throw new SockscopeError(
      'LANES_FILTER',
      '--lanes traces programs, and not all there are.',
      'Say which: sockscope watch --lanes :8080, node, pid:1234. The words are those of sockscope ls.',
      2,
    );
  }
  return parsed.filter;
}

const OTHER_VIEWS = [
  'live',
  'messages',
  'connections',
  'stats',
  'fields',
  'follow',
  'verbose',
  'hex',
  'hexText',
  'ascii',
  'interface',
  'count',
  'promiscuous',
] as const;

function checkFlags(flags: WatchFlags): void {
  const other = OTHER_VIEWS.find((name) => flags[name] !== undefined && flags[name] !== false);
  if (other !== undefined) {
    const word = other === 'hexText' ? 'hex-text' : other;
    throw new SockscopeError(
      'LANES_VIEW',
      `--lanes and --${word} do not go together.`,
      'With --lanes go --json and -w.',
      2,
    );
  }
  if (flags.write === '-') {
    throw new SockscopeError(
      'WRITE_OUTPUT',
      'Standard output cannot take both the recording and what is to be shown.',
      'Record into a file.',
      2,
    );
  }
}

interface Judge {
  /** A socket in the table matches, or is the other end of one. */
  chosen(sockets: readonly Socket[]): void;
  concerns(call: TracedCall): boolean;
}

const MOST_REMEMBERED = 65_536;

/** Calls without a connection (socket, epoll_wait) belong to the story of a program; those on other connections do not. */
function judging(filter: Filter): Judge {
  const cookies = new Set<string>();
  const matches = judgeOf(filter);
  return {
    chosen(sockets) {
      for (const { cookie } of sockets) {
        cookies.add(cookie);
      }
    },
    concerns({ tuple, socket, pid, program, fd }) {
      if (tuple === undefined || (socket !== undefined && cookies.has(socket))) {
        return true;
      }
      const concerned = matches({ ...tuple, owner: { pid, fd: fd ?? 0, name: program } });
      if (concerned && socket !== undefined && cookies.size < MOST_REMEMBERED) {
        cookies.add(socket);
      }
      return concerned;
    },
  };
}

interface Finder {
  find(): Promise<void>;
  found(): boolean;
}

function createFinder(around: {
  readonly filter: Filter;
  readonly look: ProgramLook;
  readonly tracers: Tracers;
  readonly judge: Judge;
  readonly note: (text: string) => void;
}): Finder {
  const { filter, look, tracers, judge, note } = around;
  const known = new Set<string>();
  const said = new Set<string>();
  let found = false;

  const once = (text: string): void => {
    if (!said.has(text)) {
      said.add(text);
      note(text);
    }
  };

  function follow({ connected, waiting }: Concerned): void {
    judge.chosen([...connected, ...waiting]);
    for (const { protocol, local, owners } of waiting) {
      look.session.listens(protocol === 'udp' ? 'udp' : 'tcp', local);
      for (const { pid } of owners) {
        look.serves(pid);
      }
    }
    const fresh = connected.filter(({ cookie, state }) => !known.has(cookie) && state !== 'TIME-WAIT');
    for (const { cookie, protocol, local, peer, state } of fresh) {
      known.add(cookie);
      look.add(look.session.watch({ protocol, local, peer }, { cookie, state }));
    }
  }

  return {
    async find() {
      const concerned = concernedBy(filter);
      follow(concerned);
      found =
        found || concerned.programs.size > 0 || concerned.connected.length + concerned.waiting.length > 0;
      for (const text of concerned.notes) {
        once(text);
      }
      for (const [pid, name] of concerned.ours) {
        once(`${name}[${pid}] is what this command runs inside: its calls are not traced`);
      }
      for (const [pid, name] of concerned.programs) {
        await tracers.hold(pid, name);
      }
    },
    found: () => found,
  };
}

/** Ctrl-C, a reader that has gone, or nothing left to watch. Meanwhile it is looked again and again for others who match. */
function untilTheEnd(finder: Finder, isOver: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let next: NodeJS.Timeout | undefined;
    let ending = false;
    const looking = setInterval(() => {
      if (isOver() || readerGone(STANDARD_OUTPUT)) {
        end();
      }
    }, READER_MS);
    const end = (): void => {
      ending = true;
      clearInterval(looking);
      clearTimeout(next);
      resolve();
    };
    const stop = (signal: NodeJS.Signals): void => {
      if (ending) {
        process.exit(signal === 'SIGINT' ? 130 : 143);
      }
      end();
    };
    process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
    const again = (pause: number): void => {
      next = setTimeout(() => {
        const began = performance.now();
        finder.find().then(() => {
          if (!ending) {
            again(Math.max(LOOK_MS, (performance.now() - began) / SHARE));
          }
        }, reject);
      }, pause);
    };
    again(LOOK_MS);
  });
}
