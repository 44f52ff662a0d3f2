/** Editing held messages: the editor gets the terminal, or the status line becomes one. */
import type { Held } from '../tap/observation.ts';
import { edit as editLine, type Typed } from '../tui/typing.ts';
import { editable } from '../view/tap/editable.ts';
import { type EditEnd, type Editing, edit, editorOf, judge } from './tap-editor.ts';
import type { Holding } from './tap-hold.ts';

/** What is edited without an editor stays within sight. */
const LONGEST_INLINE = 2000;

export interface Inline {
  readonly held: Held;
  typed: Typed;
}

export interface HeldEdits {
  /** An editor has the terminal. */
  readonly away: boolean;
  /** What is edited in the status line. */
  readonly inline: Inline | null;
  begin(held: Held): void;
  /** Into the status line. */
  type(now: Inline, key: string): void;
  close(): void;
}

export interface HeldEditsUse {
  readonly holding: Holding;
  readonly tell: (text: string) => void;
  readonly complain: (text: string) => void;
  /** The terminal is lent to the editor, and taken back. */
  readonly give: () => void;
  readonly take: () => void;
}

export function heldEdits({ holding, tell, complain, give, take }: HeldEditsUse): HeldEdits {
  let closed = false;
  let editing: Editing | null = null;
  let inline: Inline | null = null;
  /** What was written and could not be read. */
  let draft: { readonly id: number; readonly text: string } | null = null;

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
    give();
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
      take();
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
        complain(`held ${id}: ${how.why}`);
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
  }

  function typeInline(now: Inline, key: string): void {
    if (key === 'escape' || key === 'ctrl-c') {
      inline = null;
    } else if (key === 'enter') {
      const { held, typed } = now;
      const text = Buffer.from(typed.text).toString('latin1');
      const how = judge(editable(held.heard, held.bytes).read(text), text);
      if (how.end === 'unreadable') {
        complain(`held ${held.id}: ${how.why}`);
      } else {
        inline = null;
        finishEdit(held, how);
      }
    } else {
      now.typed = editLine(now.typed, key) ?? now.typed;
    }
  }

  return {
    get away() {
      return editing !== null;
    },
    get inline() {
      return inline;
    },
    begin: beginEdit,
    type: typeInline,
    close() {
      closed = true;
      editing?.abandon();
    },
  };
}
