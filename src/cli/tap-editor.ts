/** A held message in the editor of the person: a file of their own, gone afterwards. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isInstalled, runOnTerminal } from '../tap/on-terminal.ts';
import type { Editable, Edited, Unreadable } from '../view/tap/editable.ts';

/** The person's own first, as every program does; null: there is none. */
export function editorOf(environment: NodeJS.ProcessEnv): string | null {
  const { VISUAL, EDITOR } = environment;
  return [VISUAL, EDITOR].find((one) => one !== undefined && one.trim() !== '') ?? usual();
}

function usual(): string | null {
  return ['vi', 'nano'].find(isInstalled) ?? null;
}

/** `draft`: what was written before and could not be read. `what`: of whom the message is. */
export interface ToEdit {
  readonly form: Editable;
  readonly what: string;
  readonly draft: string | null;
}

export type EditEnd =
  | { readonly end: 'edited'; readonly edited: Edited }
  | { readonly end: 'unreadable'; readonly why: string; readonly draft: string }
  | { readonly end: 'unchanged' | 'empty' | 'failed' };

export interface Editing {
  readonly done: Promise<EditEnd>;
  /** We end: the editor and its file do too. */
  abandon(): void;
}

export function edit(editor: string, message: ToEdit): Editing {
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-edit-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.on('exit', remove);
  const file = join(folder, 'message.txt');
  const text = message.draft ?? fileText(message);
  writeFileSync(file, text, {
    encoding: message.draft === null ? 'utf8' : 'latin1',
    mode: 0o600,
    flag: 'wx',
  });
  // A umask may have taken more away than it should.
  chmodSync(file, 0o600);
  const running = runOnTerminal(editor, file);
  return {
    done: running.ended
      .then((code): EditEnd => (code === 0 ? read(file, message, text) : { end: 'failed' }))
      .finally(() => {
        process.off('exit', remove);
        remove();
      }),
    abandon: () => {
      running.kill();
      remove();
    },
  };
}

function fileText({ form, what }: ToEdit): string {
  return `# ${what}; unchanged or empty it stays held\n# ${form.help}\n${form.lines.join('\n')}\n`;
}

function read(file: string, message: ToEdit, before: string): EditEnd {
  let draft: string;
  try {
    draft = readFileSync(file, 'latin1');
  } catch {
    return { end: 'failed' };
  }
  const written = message.draft === null ? Buffer.from(before).toString('latin1') : fileText(message);
  return draft === written ? { end: 'unchanged' } : judge(message.form.read(draft), draft);
}

export function judge(found: Edited | Unreadable | null, draft: string): EditEnd {
  if (found === null) {
    return { end: 'empty' };
  }
  return 'why' in found ? { end: 'unreadable', why: found.why, draft } : { end: 'edited', edited: found };
}
