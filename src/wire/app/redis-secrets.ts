/** Which arguments and replies of Redis are passwords. They leave the list they stand in and become the field `password`. */

import type { Value } from '../value.ts';
import { MASK } from './mask.ts';

/** Settings of CONFIG SET and SENTINEL whose value is a password. */
const SECRET_SETTINGS =
  /^(requirepass|masterauth|primaryauth|auth-pass|sentinel-pass|tls-(client-)?key-file-pass)$/i;
/** What ACL keeps of a password: as good as the password for guessing it. */
const PASSWORD_HASH = /[0-9a-f]{64}/gi;

/** Masks `args` (behind the command's first word) in place; what was taken out. */
export function takeSecrets(command: string, args: string[]): string[] {
  const taken: string[] = [];
  const take = (index: number): void => {
    if (index < args.length) {
      taken.push(args[index]!);
      args[index] = MASK;
    }
  };
  switch (command) {
    case 'AUTH':
      // AUTH [user] password; with more arguments than there may be, any of them may be one.
      for (let i = args.length === 2 ? 1 : 0; i < args.length; i++) {
        take(i);
      }
      break;
    case 'HELLO': {
      const auth = args.findIndex((arg) => /^auth$/i.test(arg));
      if (auth >= 0) {
        take(auth + 2);
      }
      break;
    }
    case 'CONFIG':
    case 'SENTINEL':
      for (let i = 1; i + 1 < args.length; i++) {
        if (SECRET_SETTINGS.test(args[i]!)) {
          take(++i);
        }
      }
      break;
    case 'ACL':
      for (let i = 1; i < args.length; i++) {
        const rule = args[i]!;
        if (/^[><#!]/.test(rule)) {
          taken.push(rule.slice(1));
          args[i] = rule[0] + MASK;
        }
      }
      break;
    case 'MIGRATE':
      for (let i = 5; i < args.length; i++) {
        if (/^auth$/i.test(args[i]!)) {
          take(++i);
        } else if (/^auth2$/i.test(args[i]!)) {
          i += 2;
          take(i);
        } else if (/^keys$/i.test(args[i]!)) {
          break;
        }
      }
      break;
  }
  return taken;
}

/** The reply to `command` without the passwords in it, and those passwords. */
export function withoutSecrets(command: string, reply: Value): { reply: Value; taken: Value[] } {
  const taken: Value[] = [];
  if (command === 'ACL GENPASS') {
    return { reply: MASK, taken: [reply] };
  }
  if (command.startsWith('ACL ')) {
    return { reply: withoutHashes(reply, taken), taken };
  }
  if (command !== 'CONFIG GET') {
    return { reply, taken };
  }
  if (Array.isArray(reply)) {
    const settings = (reply as readonly Value[]).map((value, i) => {
      const name = i % 2 === 1 ? (reply as readonly Value[])[i - 1] : null;
      return typeof name === 'string' && SECRET_SETTINGS.test(name) ? hide(value, taken) : value;
    });
    return { reply: settings, taken };
  }
  if (reply !== null && typeof reply === 'object') {
    const settings = Object.entries(reply).map(([name, value]): [string, Value] => [
      name,
      SECRET_SETTINGS.test(name) ? hide(value, taken) : value,
    ]);
    return { reply: Object.fromEntries(settings), taken };
  }
  return { reply, taken };
}

function hide(value: Value, taken: Value[]): Value {
  if (value === '') {
    return value;
  }
  taken.push(value);
  return MASK;
}

function withoutHashes(value: Value, taken: Value[]): Value {
  if (typeof value === 'string') {
    return value.replace(PASSWORD_HASH, (hash) => {
      taken.push(hash);
      return MASK;
    });
  }
  if (Array.isArray(value)) {
    return (value as readonly Value[]).map((inner) => withoutHashes(inner, taken));
  }
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]): [string, Value] => [key, withoutHashes(inner, taken)]),
    );
  }
  return value;
}
