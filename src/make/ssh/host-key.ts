/** Is this the server it was the last time? Nothing is believed silently. */
import { appendFileSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { SockscopeError } from '../../errors.ts';
import { makeFolder } from '../../kernel/make-folder.ts';
import type { Strict } from './config-values.ts';
import type { Ask } from './connection.ts';
import {
  fingerprint,
  type KnownHost,
  keyType,
  knownLine,
  knownName,
  parseKnownHosts,
  type Verdict,
  verdictOn,
} from './known-hosts.ts';

export interface HostKeyRules {
  /** HostKeyAlias, or the name that was connected to. */
  readonly host: string;
  /** null: the name stands for every port (HostKeyAlias). */
  readonly port: number | null;
  /** The person's own; new keys go to the first. */
  readonly own: readonly string[];
  readonly global: readonly string[];
  readonly strict: Strict;
  readonly acceptNew: boolean;
  readonly hash: boolean;
}

export function readKnownHosts({ own, global }: HostKeyRules): KnownHost[] {
  return [...own, ...global].flatMap((file) => {
    try {
      return parseKnownHosts(readFileSync(file, 'utf8'), file);
    } catch {
      // Whoever is listed there stays unknown, which is refused or asked about.
      return [];
    }
  });
}

export function nameOf({ host, port }: HostKeyRules): string {
  return port === null ? host.toLowerCase() : knownName(host, port);
}

/** `remember` is for after the handshake: until then the server has only named the key, not shown that it holds it. */
export type Judgement = { readonly refused: SockscopeError } | { readonly remember: (() => void) | null };

export async function judgeHostKey(rules: HostKeyRules, key: Buffer, ask: Ask): Promise<Judgement> {
  const name = nameOf(rules);
  const verdict = verdictOn(readKnownHosts(rules), [name, rules.host.toLowerCase()], key);
  switch (verdict.kind) {
    case 'known':
      return { remember: null };
    case 'revoked':
      return {
        refused: new SockscopeError(
          'SSH_HOST_KEY_REVOKED',
          `The key of ${name} is revoked: ${described(key)} is marked @revoked in ${place(verdict.entry)}.`,
          'Do not connect; ask who runs the host which key it has now.',
          1,
        ),
      };
    case 'changed':
      return { refused: changed(name, verdict.entries, key) };
    case 'unknown':
      return unknown(rules, name, verdict, key, ask);
  }
}

function described(key: Buffer): string {
  return `${keyType(key)} ${fingerprint(key)}`;
}

function place({ file, line }: KnownHost): string {
  return `${file}:${line}`;
}

function changed(name: string, entries: readonly KnownHost[], key: Buffer): SockscopeError {
  const known = entries.map((entry) => `  known:  ${described(entry.key)}  ${place(entry)}`);
  const otherType = entries.every(({ type }) => type !== keyType(key));
  const files = [...new Set(entries.map(({ file }) => file))];
  const remove = files.map((file) => `ssh-keygen -R '${name}' -f '${file}'`).join('; ');
  return new SockscopeError(
    'SSH_HOST_KEY_CHANGED',
    [
      `THE KEY OF ${name} HAS CHANGED. Somebody may be in between and reading everything.`,
      ...known,
      `  now:    ${described(key)}`,
      ...(otherType
        ? ['It is of another type than those that are known, which ssh counts as changed too.']
        : []),
      'Nothing was sent.',
    ].join('\n'),
    `When you know why it changed (the host was set up anew), remove the old one: ${remove}`,
    1,
  );
}

async function unknown(
  rules: HostKeyRules,
  name: string,
  { certificates }: Extract<Verdict, { kind: 'unknown' }>,
  key: Buffer,
  ask: Ask,
): Promise<Judgement> {
  const authority =
    certificates === null
      ? ''
      : ` ${place(certificates)} names an authority for it (@cert-authority), which is not supported here.`;
  const what = `${name} is not a host that is known: its key is ${described(key)}.${authority}`;
  const strictly = rules.strict === 'yes';
  if (rules.acceptNew || rules.strict === 'accept-new' || rules.strict === 'no') {
    return { remember: () => add(rules, name, key, ask) };
  }
  if (strictly || !ask.possible) {
    const hint = strictly
      ? 'The configuration says StrictHostKeyChecking yes: add the key by hand, or use --accept-new.'
      : 'Compare the fingerprint with the one that the host tells, then use --accept-new once.';
    return { refused: new SockscopeError('SSH_HOST_UNKNOWN', what, hint, 1) };
  }
  ask.say(what);
  for (;;) {
    const said = await ask.line('Go on, and remember the key? (yes, no, or the fingerprint you expect) ');
    const answer = said?.trim() ?? 'no';
    if (answer === 'yes' || answer === fingerprint(key)) {
      return { remember: () => add(rules, name, key, ask) };
    }
    if (answer === 'no' || answer.startsWith('SHA256:')) {
      const what = answer === 'no' ? 'was not accepted' : 'is not the expected one';
      return { refused: refused(name, what, key) };
    }
  }
}

function refused(name: string, what: string, key: Buffer): SockscopeError {
  return new SockscopeError(
    'SSH_HOST_UNKNOWN',
    `The key of ${name} ${what}: it is ${described(key)}.`,
    'Ask who runs the host for its fingerprint.',
    1,
  );
}

function add({ own: [file], hash }: HostKeyRules, name: string, key: Buffer, ask: Ask): void {
  if (file === undefined) {
    ask.say(`The key of ${name} is believed this once: no file of known hosts is configured.`);
    return;
  }
  try {
    makeFolder(dirname(file));
    const line = knownLine(name, key, hash);
    appendFileSync(file, endsInsideALine(file) ? `\n${line}` : line, { mode: 0o600 });
    ask.say(`${name} is known from now on: ${described(key)} was added to ${file}.`);
  } catch (error) {
    const { message } = error as Error;
    ask.say(`The key of ${name} is believed this once: ${file} could not be written (${message}).`);
  }
}

function endsInsideALine(file: string): boolean {
  try {
    const text = readFileSync(file, 'latin1');
    return text !== '' && !text.endsWith('\n');
  } catch {
    return false;
  }
}
