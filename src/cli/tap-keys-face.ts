/** The keys of the terminal while a tap runs: how lines look, and what becomes of held messages. */
import type { Observation } from '../tap/observation.ts';
import { fold } from '../view/tap/fit.ts';
import { editLineText, keyHelp, statusLine } from '../view/tap/held.ts';
import { cellsOf } from '../view/wire/message-line.ts';
import { printable } from '../wire/printable.ts';
import { width } from './output.ts';
import type { Face, FaceUse } from './tap-face-use.ts';
import { heldEdits } from './tap-held-edits.ts';
import { createHolding, type Holding } from './tap-hold.ts';
import { type Keyboard, openKeyboard } from './tap-keys.ts';
import { createScreen } from './tap-screen.ts';
import { createShower } from './tap-show.ts';

export function keysFace({ flags, taps, look, wants, holds, statistics, write }: FaceUse): Face {
  const { paint } = look;
  const quiet = flags.quiet === true;
  const loud = look.verbose === 2 ? 2 : 1;
  const shower = createShower(look);
  const holding: Holding = createHolding((id, verdict) => taps.release(id, verdict));
  /** Let go before anybody saw them. */
  const unseen = new Set<number>();
  let keyboard: Keyboard | null = null;
  let closed = false;
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });

  const screen = createScreen(write, cellsOf, (columns) => {
    const { inline } = edits;
    return inline !== null
      ? editLineText(inline.held.id, inline.typed, paint, columns)
      : statusLine(
          { paused: screen.paused, kept: screen.kept, chosen: holding.chosen, waiting: holding.waiting },
          paint,
          columns,
        );
  });
  const edits = heldEdits({
    holding,
    tell,
    complain: (text) => tell(text, paint.red),
    give() {
      keyboard?.give();
      screen.give(true);
    },
    take() {
      screen.take();
      keyboard?.take();
    },
  });
  const resized = (): void => {
    look.width = width();
  };

  /** Of words we made of what a person typed, too: nothing in it moves the cursor, and no line wraps. */
  function tell(text: string, tint = paint.dim): void {
    for (const line of fold(printable(text), width() - 1)) {
      screen.say(`${tint(line)}\n`);
    }
  }

  function help(): void {
    for (const line of keyHelp(look.layer, holds, quiet)) {
      tell(line);
    }
  }

  function changed(text: string): void {
    tell(text);
    void taps.wants(wants());
  }

  function change(key: string): void {
    if (quiet) {
      tell('no lines are shown here (--quiet)');
    } else if (key === 'l') {
      look.layer = look.layer === 'bytes' ? 'messages' : 'bytes';
      changed(look.layer === 'bytes' ? 'now bytes, chunk by chunk' : 'now messages');
    } else if (key === 'x') {
      look.hex = !look.hex;
      changed(look.hex ? 'now with hex' : 'now without hex');
    } else if (key === 'v') {
      look.verbose = look.verbose === 0 ? loud : 0;
      changed(look.verbose === 0 ? 'now without fields' : 'now with fields');
    } else {
      screen.pause(!screen.paused);
    }
  }

  function press(key: string): void {
    if (edits.inline !== null) {
      edits.type(edits.inline, key);
      screen.refresh();
      return;
    }
    switch (key) {
      case 'l':
      case 'x':
      case 'v':
      case ' ':
        change(key);
        break;
      case 'q':
      case 'ctrl-c':
      case 'ctrl-d':
        end();
        break;
      case '?':
      case 'h':
        help();
        break;
      case 'c':
      case 'ctrl-l':
        screen.clear();
        break;
      case 's':
        void statistics().then((text) => screen.say(text));
        break;
      default:
        if (holds) {
          pressHeld(key);
        }
    }
    screen.refresh();
  }

  function pressHeld(key: string): void {
    const { chosen } = holding;
    if (key === 'G') {
      holding.setHolds(!holding.holds);
      tell(holding.holds ? 'messages are held again' : 'all let go, nothing more is held; G holds again');
      return;
    }
    if (chosen === null) {
      if ('gden p'.includes(key)) {
        tell('nothing is held just now');
      }
      return;
    }
    switch (key) {
      case 'g':
        holding.decide(chosen.id, { verdict: 'go' });
        break;
      case 'd':
        holding.decide(chosen.id, { verdict: 'drop' });
        break;
      case 'e':
        edits.begin(chosen);
        break;
      case 'n':
      case 'down':
        holding.choose(1);
        break;
      case 'p':
      case 'up':
        holding.choose(-1);
        break;
      case 'enter':
        screen.say(shower.line(chosen));
        break;
    }
  }

  function shows(seen: Observation): boolean {
    if (seen.type === 'held' && holding.find(seen.id) === null) {
      unseen.add(seen.id);
      return false;
    }
    if (seen.type === 'released') {
      return !unseen.delete(seen.id);
    }
    return !quiet || seen.type === 'held' || seen.type === 'standing' || seen.type === 'lost';
  }

  return {
    seen(observation) {
      if (closed) {
        return false;
      }
      if (holding.seen(observation)) {
        screen.refresh();
      }
      const text = shows(observation) ? shower.line(observation) : '';
      if (text !== '') {
        screen.line(text);
      }
      return true;
    },
    start() {
      process.stdout.on('resize', resized);
      keyboard = openKeyboard({
        key: press,
        suspending() {
          tell('stopped, and with it every connection through here');
          screen.give(false);
        },
        resumed: () => screen.take(),
      });
      tell(
        `keys: ${quiet ? 's summary' : `l ${look.layer === 'bytes' ? 'messages' : 'bytes'} · x hex · space pause`} · ? all`,
      );
    },
    ended,
    get away() {
      return edits.away;
    },
    close() {
      if (!closed) {
        closed = true;
        edits.close();
        keyboard?.close();
        screen.close();
        process.stdout.off('resize', resized);
      }
    },
  };
}
