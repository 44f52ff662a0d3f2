/** Who decides while a tap runs: a person at the keys of the terminal, or lines on standard input beside --json. */
import { SockscopeError } from '../errors.ts';
import type { Wants } from '../tap/engine.ts';
import type { Held, Observation } from '../tap/observation.ts';
import type { Taps } from '../tap/taps.ts';
import { edit as editLine, type Typed } from '../tui/typing.ts';
import { editable } from '../view/tap/editable.ts';
import { fold } from '../view/tap/fit.ts';
import { editLineText, keyHelp, statusLine } from '../view/tap/held.ts';
import { cellsOf } from '../view/wire/message-line.ts';
import { printable } from '../wire/printable.ts';
import { width } from './output.ts';
import { type EditEnd, type Editing, edit, editorOf, judge } from './tap-editor.ts';
import type { TapFlags } from './tap-flags.ts';
import { createHolding, type Holding } from './tap-hold.ts';
import { canReadKeys, type Keyboard, openKeyboard } from './tap-keys.ts';
import { takeOrders } from './tap-orders.ts';
import { createScreen } from './tap-screen.ts';
import { createShower, type ShowOptions } from './tap-show.ts';

export interface FaceUse {
  readonly flags: TapFlags;
  readonly taps: Taps;
  /** Shared with whoever shows lines: keys change it. */
  readonly look: ShowOptions;
  readonly wants: () => Wants;
  /** Some tap holds messages. */
  readonly holds: boolean;
  /** Of the session, in nanoseconds. */
  readonly now: () => number;
  readonly statistics: () => Promise<string>;
  readonly write: (text: string) => void;
}

export interface Face {
  /** True: it is shown; false: somebody else may. */
  seen(observation: Observation): boolean;
  start(): void;
  /** Somebody pressed q or Ctrl-C. */
  readonly ended: Promise<void>;
  /** The terminal is an editor's: Ctrl-C is meant for that. */
  readonly away: boolean;
  close(): void;
}

/** What is edited without an editor stays within sight. */
const LONGEST_INLINE = 2000;

/** Null: nobody can decide anything here, and nothing is held. */
export function openFace(use: FaceUse): Face | null {
  const { json } = use.flags;
  if (json === true) {
    return use.holds ? ordersFace(use) : null;
  }
  return canReadKeys() ? keysFace(use) : null;
}

/** Held messages need somebody who decides about them: said before anything is opened. */
export function checkHolds(holds: boolean, flags: TapFlags, program: boolean): void {
  if (!holds || (flags.json === true && !program)) {
    return;
  }
  if (program || !canReadKeys()) {
    throw new SockscopeError(
      'HOLD_NEEDS_SOMEBODY',
      program
        ? '--hold needs the keys of the terminal, and a program behind -- has them.'
        : '--hold needs a terminal: somebody must let the messages go.',
      program
        ? 'Run the tap alone, and point the program at it: sockscope tap LISTEN TARGET --hold FILTER'
        : 'Run it in a terminal, or with --json and orders on standard input: {"release":1,"verdict":"go"}',
      2,
    );
  }
}

function ordersFace({ taps, now, write }: FaceUse): Face {
  const holding = createHolding((id, verdict) => taps.release(id, verdict));
  let stop: () => void = () => {};
  return {
    seen(observation) {
      holding.seen(observation);
      return false;
    },
    start() {
      stop = takeOrders(process.stdin, {
        holding,
        tell: ({ type, ...rest }) =>
          write(`${JSON.stringify({ v: 1, type, at: Math.round(now()), ...rest })}\n`),
      });
    },
    ended: new Promise(() => {}),
    away: false,
    close: () => stop(),
  };
}

interface Inline {
  readonly held: Held;
  typed: Typed;
}

function keysFace({ flags, taps, look, wants, holds, statistics, write }: FaceUse): Face {
  const { paint } = look;
  const quiet = flags.quiet === true;
  const loud = look.verbose === 2 ? 2 : 1;
  const shower = createShower(look);
  const holding: Holding = createHolding((id, verdict) => taps.release(id, verdict));
  /** Let go before anybody saw them. */
  const unseen = new Set<number>();
  let keyboard: Keyboard | null = null;
  let closed = false;
  let editing: Editing | null = null;
  let inline: Inline | null = null;
  /** What was written and could not be read. */
  let draft: { readonly id: number; readonly text: string } | null = null;
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });

  const screen = createScreen(write, cellsOf, (columns) =>
    inline !== null
      ? editLineText(inline.held.id, inline.typed, paint, columns)
      : statusLine(
          { paused: screen.paused, kept: screen.kept, chosen: holding.chosen, waiting: holding.waiting },
          paint,
          columns,
        ),
  );
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
    void taps.wants({
      ...wants(),
      messages: look.layer === 'messages',
      bytes: look.layer === 'bytes' || look.hex || look.verbose === 2,
      brief: look.verbose === 0,
    });
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
    if (inline !== null) {
      typeInline(inline, key);
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
        beginEdit(chosen);
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

  function beginEdit(held: Held): void {
    const form = editable(held.heard, held.bytes);
    const editor = editorOf(process.env);
    if (editor === null) {
      const text = form.lines.join('');
      if (text.length > LONGEST_INLINE) {
        tell('too long for one line: set EDITOR to the editor you like');
      } else {
        inline = { held, typed: { text, at: text.length } };
      }
      return;
    }
    const { connection, heard, id } = held;
    keyboard?.give();
    screen.give(true);
    const before = draft?.id === id ? draft.text : null;
    const what = `held ${id}: ${heard.protocol} ${heard.name} from the ${heard.side} of #${connection}`;
    try {
      editing = edit(editor, { form, what, draft: before });
    } catch (error) {
      back();
      tell(`cannot write a file to edit: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    void editing.done.then((how) => {
      back();
      finishEdit(held, how);
    });
  }

  function back(): void {
    editing = null;
    if (!closed) {
      screen.take();
      keyboard?.take();
    }
  }

  function finishEdit({ id }: Held, how: EditEnd): void {
    draft = how.end === 'unreadable' ? { id, text: how.draft } : null;
    if (closed) {
      return;
    }
    if (holding.find(id) === null) {
      tell(`held ${id} is held no longer: nothing was sent of what you wrote`);
      return;
    }
    switch (how.end) {
      case 'edited':
        if (how.edited.note !== '') {
          tell(`held ${id}: ${how.edited.note}`);
        }
        holding.decide(id, { verdict: 'edit', bytes: how.edited.bytes });
        break;
      case 'unreadable':
        tell(`held ${id}: ${how.why}`, paint.red);
        tell('e opens what you wrote again');
        break;
      case 'unchanged':
        tell(`held ${id}: nothing changed, it stays held`);
        break;
      case 'empty':
        tell(`held ${id}: nothing left to send, it stays held; d drops it`);
        break;
      case 'failed':
        tell(`held ${id}: the editor failed, it stays held`);
        break;
    }
    screen.refresh();
  }

  function typeInline(now: Inline, key: string): void {
    if (key === 'escape' || key === 'ctrl-c') {
      inline = null;
    } else if (key === 'enter') {
      const { held, typed } = now;
      const text = Buffer.from(typed.text).toString('latin1');
      const how = judge(editable(held.heard, held.bytes).read(text), text);
      if (how.end === 'unreadable') {
        tell(`held ${held.id}: ${how.why}`, paint.red);
      } else {
        inline = null;
        finishEdit(held, how);
      }
    } else {
      now.typed = editLine(now.typed, key) ?? now.typed;
    }
    screen.refresh();
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
      return editing !== null;
    },
    close() {
      if (!closed) {
        closed = true;
        editing?.abandon();
        keyboard?.close();
        screen.close();
        process.stdout.off('resize', resized);
      }
    },
  };
}
