/** `--format` and `--template`: LiquidJS, which has no eval and no access to the system. Loaded only when asked for. */
import { readFileSync } from 'node:fs';
import { Liquid, type Template } from 'liquidjs';
import { SockscopeError } from '../errors.ts';
import type { Socket } from '../session/socket.ts';
import { COLUMNS, record } from '../view/records.ts';
import { print } from './output.ts';

/** `{% include %}` finds nothing: a template is one text and reads no other file. */
const engine = new Liquid({ strictFilters: true, templates: {}, renderLimit: 60_000, memoryLimit: 1e9 });

function parse(text: string, where: string): Template[] {
  try {
    return engine.parse(text);
  } catch (error) {
    throw templateError(error, where);
  }
}

function templateError(error: unknown, where: string): SockscopeError {
  const said = error instanceof Error ? error.message : String(error);
  return new SockscopeError(
    'TEMPLATE',
    `${where} is not a valid template: ${said.split('\n')[0]}.`,
    'Liquid is written like {{ local.port }} or {% for s in sockets %}…{% endfor %}; docs/templates.md lists the names.',
    2,
    error,
  );
}

function render(template: Template[], scope: object, where: string): string {
  try {
    return String(engine.renderSync(template, scope));
  } catch (error) {
    throw templateError(error, where);
  }
}

/** A shell hands `\n` and `\t` on as two characters each. */
function unescaped(text: string): string {
  return text.replace(/\\([nt\\])/g, (_, letter: string) =>
    letter === 'n' ? '\n' : letter === 't' ? '\t' : '\\',
  );
}

export function renderRows(format: string, sockets: readonly Socket[]): void {
  const template = parse(unescaped(format), '--format');
  let lines: string[] = [];
  for (const socket of sockets) {
    lines.push(`${render(template, socket, '--format')}\n`);
    if (lines.length === 1000) {
      print(lines.join(''));
      lines = [];
    }
  }
  print(lines.join(''));
}

export function renderAll(file: string, sockets: readonly Socket[]): void {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SockscopeError(
      'TEMPLATE_FILE',
      `The template ${file} cannot be read.`,
      'Give the path of a text file.',
      2,
      error,
    );
  }
  const records = sockets.map(record);
  print(render(parse(text, file), { sockets, records, columns: COLUMNS }, file));
}
