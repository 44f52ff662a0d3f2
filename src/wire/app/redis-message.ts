/** A message of Redis. A class, because one is made per command: its methods cost nothing until somebody asks. */

import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { oneLine, shown } from './lines-shown.ts';
import { MASK } from './mask.ts';
import { type Command, commandOf, keyOf, upperWord } from './redis-commands.ts';
import { BODY_KEPT, type Scan } from './redis-scan.ts';
import { takeSecrets, withoutSecrets } from './redis-secrets.ts';
import { readerOf, value } from './redis-value.ts';

/** How the bytes are to be read. */
export type Form = 'command' | 'inline' | 'reply' | 'push' | 'monitor' | 'rdb';

export class RedisMessage implements Message {
  readonly protocol = 'redis';
  readonly kind: Message['kind'];
  readonly name: string;
  readonly bytes: number;
  readonly failed: boolean;
  readonly pair?: number;
  more = false;
  private readonly form: Form;
  private readonly source: Uint8Array;
  private readonly from: number;
  private readonly to: number;
  private readonly kept: boolean;
  /** Of a reply: the command it answers. */
  command = '';
  /** `+QUEUED` inside MULTI. */
  queued = false;
  /** Of the reply to EXEC: what was queued. */
  transaction: readonly string[] | null = null;

  constructor(
    form: Form,
    kind: Message['kind'],
    name: string,
    pair: number,
    failed: boolean,
    bytes: number,
    source: Uint8Array,
    from: number,
    to: number,
    kept: boolean,
  ) {
    this.form = form;
    this.kind = kind;
    this.name = name;
    this.bytes = bytes;
    this.failed = failed;
    this.source = source;
    this.from = from;
    this.to = to;
    this.kept = kept;
    if (pair >= 0) {
      this.pair = pair;
    }
  }

  fields(): Values {
    switch (this.form) {
      case 'command':
        return commandFields(this.words());
      case 'inline':
        return commandFields(inlineWords(shown(this.source, this.from, this.to)));
      case 'monitor':
        return monitorFields(shown(this.source, this.from + 1, this.to - 2, BODY_KEPT));
      case 'push':
        return pushFields(this.name, this.value());
      case 'rdb':
        return { command: this.command, type: 'rdb', size: this.bytes };
      default:
        return this.replyFields();
    }
  }

  private value(): Value {
    return value(readerOf(this.source, this.from, this.to, this.kept));
  }

  private words(): string[] {
    const list = this.value();
    return Array.isArray(list) ? (list as readonly Value[]).map((word) => String(word)) : [];
  }

  private replyFields(): Values {
    const reader = readerOf(this.source, this.from, this.to, this.kept);
    const said = value(reader);
    const fields: { [name: string]: Value } = {};
    if (this.command !== '') {
      fields.command = this.command;
    }
    fields.type = this.name;
    if (this.failed) {
      const text = String(said);
      const code = /^[A-Z][A-Z0-9_]{0,31}(?=\s|$)/.exec(text)?.[0];
      if (code !== undefined) {
        fields['error.code'] = code;
      }
      fields.error = text;
      return fields;
    }
    const { reply, taken } = withoutSecrets(this.command, said);
    fields.reply = reply;
    if (taken.length > 0) {
      fields.password = taken.length === 1 ? taken[0]! : taken;
    }
    if (reader.attributes !== null) {
      fields.attributes = reader.attributes;
    }
    if (this.queued) {
      fields.queued = true;
    }
    if (this.transaction !== null) {
      fields.commands = this.transaction;
    }
    return fields;
  }
}

/** The message whose value was just scanned: where it lies, or its copy. */
export function scanned(
  form: Form,
  kind: Message['kind'],
  name: string,
  pair: number,
  failed: boolean,
  bytes: Uint8Array,
  from: number,
  scan: Scan,
): RedisMessage {
  if (scan.kept !== null) {
    return new RedisMessage(form, kind, name, pair, failed, scan.taken, scan.kept, 0, scan.keptLength, true);
  }
  return new RedisMessage(form, kind, name, pair, failed, scan.end - from, bytes, from, scan.end, false);
}

const FAMILY_WORD = /^[A-Za-z][A-Za-z-]{0,31}$/;

/** `CONFIG GET`: the name with the second word where that says what the command is. */
export function fullName(command: Command, second: string | undefined): string {
  return command.family && second !== undefined && FAMILY_WORD.test(second)
    ? `${command.name} ${second.toUpperCase()}`
    : command.name;
}

const encoder = new TextEncoder();

function commandFields(words: string[]): Values {
  const first = encoder.encode(words[0] ?? '');
  const command = commandOf(first, 0, first.length);
  const args = words.slice(1);
  const name = fullName(command, args[0]);
  const key = keyOf(command, args);
  const passwords = takeSecrets(command.name, args);
  const fields: { [name: string]: Value } = {
    command: name,
    args: name === command.name ? args : args.slice(1),
  };
  if (key !== null) {
    fields.key = key;
  }
  if (passwords.length > 0) {
    fields.password = passwords.length === 1 ? passwords[0]! : passwords;
  }
  return fields;
}

/** The words of a line typed by hand: quotes and escapes as the server reads them (sds.c, sdssplitargs). */
export function inlineWords(line: string): string[] {
  const words: string[] = [];
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(\S+))/gsuy;
  for (let found = pattern.exec(line); found !== null; found = pattern.exec(line)) {
    words.push(
      found[1] !== undefined ? unescaped(found[1]) : (found[2]?.replaceAll("\\'", "'") ?? found[3] ?? ''),
    );
  }
  return words;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };

function unescaped(quoted: string): string {
  return quoted.replace(/\\(x[0-9a-fA-F]{2}|.)/gsu, (whole, what: string) =>
    what.length === 3 ? whole : (ESCAPES[what] ?? what),
  );
}

/** `1339518083.107412 [0 127.0.0.1:60866] "keys" "*"` */
function monitorFields(line: string): Values {
  const found = /^([\d.]+) \[(\d+) ([^\]]*)\] /.exec(line);
  if (found === null) {
    return { text: line };
  }
  const [head, time, database, from] = found;
  return {
    ...commandFields(inlineWords(line.slice(head.length))),
    time: Number(time),
    database: Number(database),
    from: from!,
  };
}

function pushFields(name: string, said: Value): Values {
  const list = Array.isArray(said) ? (said as readonly Value[]) : [];
  switch (name) {
    case 'message':
    case 'smessage':
      return { type: name, channel: list[1] ?? null, payload: list[2] ?? null };
    case 'pmessage':
      return { type: name, pattern: list[1] ?? null, channel: list[2] ?? null, payload: list[3] ?? null };
    case 'invalidate':
      return { type: name, keys: list[1] ?? null };
    default:
      return { type: name, reply: list.slice(1) };
  }
}

export function summarise(message: Message, fields: Values): string {
  const { command, args, error, type } = fields;
  if (Array.isArray(args)) {
    const { password } = fields;
    const plain = typeof password === 'string' && password !== MASK;
    const shown = (args as readonly Value[])
      .slice(0, 40)
      .map((one) => (plain && one === MASK ? password : one));
    return oneLine([String(command), ...shown.map(word)].join(' '));
  }
  if (typeof error === 'string') {
    return oneLine(error);
  }
  if (type === 'rdb') {
    return `RDB snapshot ${fields.size} B`;
  }
  if (message.kind === 'notice' && 'payload' in fields) {
    return oneLine(`${type} ${word(fields.channel!)} ${rendered(fields.payload!)}`);
  }
  if (message.kind === 'notice' && 'keys' in fields) {
    return oneLine(`${type} ${rendered(fields.keys!)}`);
  }
  const reply = fields.reply ?? null;
  if (type === 'simple') {
    return oneLine(String(reply));
  }
  return oneLine(message.kind === 'notice' ? `${String(type)} ${rendered(reply)}` : rendered(reply));
}

function word(value: Value): string {
  const text = String(value).slice(0, 200);
  return /^[^\s"'\\]+$/u.test(text) ? text : quoted(text);
}

function quoted(text: string): string {
  return `"${text.slice(0, 200).replace(/["\\]/g, '\\$&')}"`;
}

/** Enough of a value to know it again. */
function rendered(value: Value, room = 12): string {
  if (value === null) {
    return 'nil';
  }
  if (typeof value === 'string') {
    return quoted(value);
  }
  if (typeof value !== 'object') {
    return String(value);
  }
  if (room <= 1) {
    return '…';
  }
  if (Array.isArray(value)) {
    const list = value as readonly Value[];
    const some = list.slice(0, room).map((inner) => rendered(inner, room >> 1));
    return `[${list.length}] ${some.join(', ')}${list.length > room ? ', …' : ''}`.trimEnd();
  }
  const entries = Object.entries(value as Values);
  const some = entries.slice(0, room).map(([key, inner]) => `${key}: ${rendered(inner, room >> 1)}`);
  return `{${entries.length}} ${some.join(', ')}${entries.length > room ? ', …' : ''}`.trimEnd();
}

/** The first word of a push that nobody knows. */
export function pushName(bytes: Uint8Array, from: number, to: number): string {
  return upperWord(bytes, from, to).toLowerCase();
}
