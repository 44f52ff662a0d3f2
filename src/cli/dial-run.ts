/** Runs `sockscope dial ADDRESS`: a kind of conversation on one side, a pipe or a terminal on the other. */
import { SockscopeError } from '../errors.ts';
import { startTalk, type Talk } from '../make/dial/talk.ts';
import type { DialEvent } from '../session/dial-events.ts';
import { createDialLines, dialDataJson, dialHexLines, dialJson } from '../view/make/dial-lines.ts';
import { createLineEnds, type DialFace } from './dial-face.ts';
import { type DialFlags, type DialWish, readDialWish } from './dial-flags.ts';
import { type DialIo, processIo, terminalOf } from './dial-io.ts';
import { createPipeFace } from './dial-pipe.ts';
import { createTerminalFace } from './dial-terminal.ts';
import { paint } from './output.ts';

/** How long a scan waits for ICMP to say that nobody is there. */
const PROBE_MS = 1000;

/** The exit code: 0, or 1 when it was reset or broke. */
export async function runDial(
  words: readonly string[],
  flags: DialFlags,
  io: DialIo = processIo(),
): Promise<number> {
  const scans = flags.scan === true;
  const onlyTexts = flags.send !== undefined && io.input.isTTY === true;
  const terminal = flags.json === true || scans ? null : terminalOf(io);
  const wish = readDialWish(words, flags, terminal);
  const isTerminal = terminal !== null && !(onlyTexts && wish.endGiven);
  let talk: Talk | null = null;
  const cancel = new AbortController();
  let interrupts = 0;
  const interrupt = (): void => {
    interrupts += 1;
    if (interrupts > 1) {
      io.quit();
    } else if (talk === null) {
      cancel.abort();
    } else {
      talk.leave('interrupt');
    }
  };

  const offsets = { sent: 0, received: 0 };
  const shownHex = (bytes: Uint8Array, sent: boolean): string => {
    const which = sent ? 'sent' : 'received';
    const text = dialHexLines(bytes, sent, offsets[which]);
    offsets[which] += bytes.length;
    return text;
  };
  const face: DialFace = isTerminal
    ? createTerminalFace(io, {
        shown: wish.hex ? (bytes) => shownHex(bytes, false) : null,
        raw: wish.address.entry.name === 'telnet',
        interrupt,
      })
    : createPipeFace(io, {
        reads: !onlyTexts && !scans,
        shown: wish.json
          ? (bytes) => dialDataJson(bytes, false, talk?.now() ?? 0)
          : wish.hex
            ? (bytes) => shownHex(bytes, false)
            : (bytes) => bytes,
      });

  const lines = createDialLines(paint, { verbose: wish.verbose, terminal: isTerminal });
  const tell = (event: DialEvent): void => {
    if (event.type === 'mode') {
      face.mode(event.character, event.echo);
    }
    if (scans && (event.type === 'summary' || event.type === 'half-closed')) {
      return;
    }
    if (wish.json) {
      io.output.write(dialJson(event));
      return;
    }
    const line = lines.line(event);
    if (line !== null) {
      face.say(line);
    }
  };

  const { kind } = await wish.address.entry.load();
  const silence = io.onInterrupt(interrupt);
  try {
    const started = await startTalk(
      kind,
      wish.plan,
      wish.manners,
      { tell, arrived: (bytes) => scans || face.arrived(bytes), room: () => face.room() },
      cancel.signal,
    );
    if (started instanceof SockscopeError) {
      throw started;
    }
    const watched = watching(started, wish, io, shownHex);
    talk = watched;
    if (scans) {
      await scan(watched, wish, tell);
    } else {
      for (const text of wish.texts) {
        watched.input(text);
      }
      face.begin(watched);
    }
    return (await watched.over) ? 0 : 1;
  } finally {
    silence();
    await face.end();
  }
}

/** What is sent is changed and shown on its way. */
function watching(
  talk: Talk,
  { hex, json, crlf }: DialWish,
  { output }: DialIo,
  shownHex: (bytes: Uint8Array, sent: boolean) => string,
): Talk {
  const ended = crlf ? createLineEnds() : null;
  if (!hex && !json && ended === null) {
    return talk;
  }
  return {
    ...talk,
    input(bytes) {
      const sent = ended === null ? bytes : ended(bytes);
      if (json) {
        output.write(dialDataJson(sent, true, talk.now()));
      } else if (hex) {
        output.write(shownHex(sent, true));
      }
      return talk.input(sent);
    },
  };
}

/** A datagram socket is always ready: only an answer of ICMP tells that nobody is there. */
async function scan(talk: Talk, { plan }: DialWish, tell: (event: DialEvent) => void): Promise<void> {
  if (plan.scheme === 'udp') {
    talk.input(new Uint8Array(0));
    let timer: NodeJS.Timeout | undefined;
    const waited = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve('quiet'), PROBE_MS);
    });
    const first = await Promise.race([waited, talk.over]);
    clearTimeout(timer);
    if (first === 'quiet') {
      const text = 'nothing came back within 1 s: somebody listens, or a filter drops what is sent there';
      tell({ type: 'note', text, ns: 0 });
    }
  }
  talk.leave('quit');
}
