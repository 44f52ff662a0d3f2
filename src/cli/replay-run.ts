/** `replay` from its file to its end: reads the recording, then plays one side of it. */
import { closeSync } from 'node:fs';
import { SockscopeError } from '../errors.ts';
import { createNodeReactor, type NodeReactor } from '../reactor/node.ts';
import type { Address } from '../reactor/reactor.ts';
import { errnoText } from '../tap/errno-text.ts';
import { isPlaceError, type PlaceSide, placeText, readPlace } from '../tap/place.ts';
import type { Place, Resolved } from '../tap/plan.ts';
import { compare, ignoresOf, USUAL_IGNORES } from '../tap/replay/compare.ts';
import { play } from '../tap/replay/play.ts';
import { type Conversation, type Recording, readRecording } from '../tap/replay/recording.ts';
import { type Serving, serve } from '../tap/replay/serve.ts';
import { resolvePlace } from '../tap/resolve.ts';
import { addressText } from '../tap/to-events.ts';
import { several } from '../view/units.ts';
import { openCapture, pieces } from '../watch/capture-file.ts';
import { startSession } from '../watch/session.ts';
import { paint, print, warn } from './output.ts';
import { comparedText, replayJson, serveText } from './replay-text.ts';

/** As commander gives them. */
export interface ReplayFlags {
  as: 'server' | 'client';
  stream?: number[];
  inOrder?: boolean;
  speed?: number;
  ignore?: string[];
  json?: boolean;
  reveal?: boolean;
}

const EADDRINUSE = -98;
const EACCES = -13;
const PORTS_TRIED = 200;

export async function runReplay(file: string, address: string | null, flags: ReplayFlags): Promise<void> {
  checkFlags(flags, address);
  const place = address === null ? null : placeOf(address, flags.as === 'server' ? 'listen' : 'target');
  const recording = read(file, flags);
  for (const { stream, why } of recording.unfit) {
    if (flags.stream?.includes(stream) === true) {
      throw new SockscopeError(
        'REPLAY_UNFIT',
        `Connection #${stream} cannot be played: ${why}.`,
        '`sockscope open FILE --connections` lists the others.',
        2,
      );
    }
    warn(paint.dim(`#${stream} is left out: ${why}`));
  }
  if (recording.trouble !== null) {
    warn(paint.yellow(`${file}: ${recording.trouble}`));
  }
  if (recording.masked) {
    warn(
      paint.yellow(
        'Secrets in the recording are stars, so a login in it will fail. Record once more with --reveal.',
      ),
    );
  }
  const { conversations } = recording;
  for (const { stream, log, exchanges } of conversations) {
    const { said, parts } = exchanges.at(-1)!;
    if (log.ended === null && said?.heard.kind === 'request' && parts.length === 0) {
      warn(paint.yellow(`#${stream}: the recording ends before ${said.shown} was answered`));
    }
  }
  const servers = new Set(conversations.map(({ server }) => server));
  if (servers.size > 1) {
    throw new SockscopeError(
      'REPLAY_SERVERS',
      `The recording holds connections to ${servers.size} servers: ${[...servers].slice(0, 5).join(', ')}${servers.size > 5 ? ', …' : ''}.`,
      'One is played at a time: choose connections with --stream N (`sockscope open FILE --connections` lists them).',
      2,
    );
  }
  const reactor = createNodeReactor();
  try {
    if (flags.as === 'server') {
      await asServer(reactor, recording, place, flags);
    } else {
      await asClient(reactor, conversations, place!, flags);
    }
  } finally {
    await reactor.close();
  }
}

function checkFlags({ as, inOrder, ignore }: ReplayFlags, address: string | null): void {
  if (as === 'client' && address === null) {
    throw new SockscopeError(
      'REPLAY_TARGET',
      'It is not said whom to ask.',
      'Name the server: sockscope replay FILE --as client localhost:6379',
      2,
    );
  }
  if (as === 'client' ? inOrder === true : ignore !== undefined) {
    const [option, side] = as === 'client' ? ['--in-order', 'server'] : ['--ignore', 'client'];
    throw new SockscopeError('REPLAY_OPTION', `${option} is for --as ${side}.`, 'Leave it out.', 2);
  }
}

function read(file: string, flags: ReplayFlags): Recording {
  const fd = openCapture(file);
  try {
    return readRecording({
      name: file === '-' ? 'standard input' : file,
      feed(reader) {
        for (const _ of pieces(fd, reader)) {
          // The reader has called its sink.
        }
      },
      streams: flags.stream ?? [],
      reveal: flags.reveal === true,
    });
  } finally {
    closeSync(fd);
  }
}

function placeOf(text: string, side: PlaceSide): Place {
  const found = readPlace(text, side);
  if (isPlaceError(found)) {
    throw new SockscopeError(
      'REPLAY_ADDRESS',
      `${found.error}.\n  ${text}\n  ${' '.repeat(found.at)}^`,
      found.hint,
      2,
    );
  }
  if (found.kind === 'udp' || found.tls || found.front !== 'none') {
    throw new SockscopeError(
      'REPLAY_ADDRESS',
      `${text} is more than replay can do: it speaks plain TCP, or a UNIX socket.`,
      'Put `sockscope tap --tls` in front of it.',
      2,
    );
  }
  return found;
}

async function addressesOf(place: Place, side: PlaceSide): Promise<Resolved> {
  const found = await resolvePlace(place, side);
  if (found instanceof SockscopeError) {
    throw found;
  }
  return found;
}

async function asServer(
  reactor: NodeReactor,
  { conversations }: Recording,
  place: Place | null,
  flags: ReplayFlags,
): Promise<void> {
  const { clock } = startSession();
  const json = replayJson();
  const zero = reactor.now() - clock.now();
  let unmatched = 0;
  const listen = place === null ? null : (await addressesOf(place, 'listen'))[0]!;
  const serving = open(
    (address) =>
      serve(reactor, {
        listen: address,
        conversations,
        inOrder: flags.inOrder === true,
        speed: flags.speed ?? 1,
        reveal: flags.reveal === true,
        tell(event) {
          unmatched += event.type === 'unmatched' ? 1 : 0;
          const dated = { ...event, at: event.at - zero };
          print(flags.json === true ? json.served(dated) : serveText(dated, paint));
        },
      }),
    listen,
    conversations,
  );
  const about = several(conversations.length, 'recorded connection');
  const ready = addressText(serving.address);
  print(
    flags.json === true
      ? json.listening(ready, conversations.length)
      : `${paint.bold(ready)} answers as ${conversations[0]!.server} did in ${about}\n`,
  );
  await untilStopped();
  serving.close();
  if (unmatched > 0) {
    warn(`${several(unmatched, 'request')} had no reply in the recording.`);
  }
}

/** Where it was said; or on the recorded port, or the next free one. */
function open(
  begin: (address: Address) => Serving | number,
  listen: Address | null,
  conversations: readonly Conversation[],
): Serving {
  let port = listen?.kind === 'tcp' ? listen.port : conversations[0]!.serverPort;
  for (let tried = 1; ; tried++) {
    const address: Address = listen ?? { kind: 'tcp', host: '127.0.0.1', port };
    const serving = begin(address);
    if (typeof serving !== 'number') {
      return serving;
    }
    const busy = serving === EADDRINUSE || serving === EACCES;
    if (listen === null && busy && tried < PORTS_TRIED) {
      port = tried === 1 && port < 10_000 ? port + 10_000 : port === 0xffff ? 1024 : port + 1;
      continue;
    }
    throw new SockscopeError(
      'CANNOT_LISTEN',
      `Cannot listen on ${addressText(address)}: ${errnoText(serving)}.`,
      'Give another address: sockscope replay FILE --as server 7000',
      3,
    );
  }
}

async function asClient(
  reactor: NodeReactor,
  conversations: readonly Conversation[],
  place: Place,
  flags: ReplayFlags,
): Promise<void> {
  const played = await play(reactor, {
    target: await addressesOf(place, 'target'),
    conversations,
    speed: flags.speed ?? 0,
    reveal: flags.reveal === true,
  });
  const unreached = played.find(({ errno }) => errno < 0);
  if (unreached !== undefined && played.every(({ errno }) => errno < 0)) {
    throw new SockscopeError(
      'REPLAY_UNREACHED',
      `${placeText(place)} cannot be reached: ${errnoText(unreached.errno)}.`,
      'Start the server, or name another.',
      3,
    );
  }
  const ignores = ignoresOf([...USUAL_IGNORES, ...(flags.ignore ?? [])]);
  const results = played.map((one) => ({ played: one, compared: compare(one, ignores) }));
  const all = results.flatMap(({ compared }) => compared);
  const different = all.filter(({ differences }) => differences.length > 0).length;
  if (flags.json === true) {
    const json = replayJson();
    print(all.map((one) => json.compared(one)).join(''));
  } else {
    print(
      results
        .map(({ played: { conversation }, compared }) => comparedText(conversation, compared, paint))
        .join('\n'),
    );
    print(
      different === 0
        ? `\n${paint.green('No differences')} in ${several(all.length, 'exchange')}.\n`
        : `\n${paint.red(`${several(different, 'exchange')} of ${all.length} ${different === 1 ? 'differs' : 'differ'}`)}.\n`,
    );
  }
  process.exitCode = different === 0 ? 0 : 1;
}

function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve()).once('SIGTERM', () => resolve());
  });
}
