/** What the SQL decoders share: the word a statement is counted under, and the passwords in it. */
import { latin1 } from './text.ts';

const COMMANDS = new Set(
  `ABORT ALTER ANALYZE BEGIN BINLOG CALL CHANGE CHECK CHECKPOINT CLOSE CLUSTER COMMENT COMMIT COPY CREATE DEALLOCATE
  DECLARE DELETE DESC DESCRIBE DISCARD DO DROP END EXECUTE EXPLAIN FETCH FLUSH GRANT HANDLER HELP IMPORT INSERT INSTALL
  KILL LISTEN LOAD LOCK MERGE MOVE NOTIFY OPTIMIZE PREPARE PURGE REASSIGN REFRESH REINDEX RELEASE RENAME REPAIR REPLACE
  RESET REVOKE ROLLBACK SAVEPOINT SECURITY SELECT SET SHOW SHUTDOWN SIGNAL START STOP TABLE TRUNCATE UNINSTALL UNLISTEN
  UNLOCK UPDATE USE VACUUM VALUES WITH XA IDENTIFY_SYSTEM START_REPLICATION TIMELINE_HISTORY BASE_BACKUP
  CREATE_REPLICATION_SLOT DROP_REPLICATION_SLOT READ_REPLICATION_SLOT`.split(/\s+/),
);
const LONGEST_COMMAND = 23;

/** `SELECT`, `INSERT`…; `SQL` for what is not a command we know, so that nobody's data becomes a name. */
export function commandOf(bytes: Uint8Array, from: number, to: number): string {
  const start = afterComments(bytes, from, to);
  let end = start;
  while (end < to && end - start <= LONGEST_COMMAND && isWordByte(bytes[end]!)) {
    end++;
  }
  const word = latin1(bytes, start, end).toUpperCase();
  return COMMANDS.has(word) ? word : 'SQL';
}

/** Past blanks, opening brackets and comments. MySQL's `/*! … *\/` is code, not a comment. */
function afterComments(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to) {
    const byte = bytes[at]!;
    const next = at + 1 < to ? bytes[at + 1] : 0;
    if (byte <= 0x20 || byte === 0x28 || byte === 0x3b) {
      at++;
    } else if ((byte === 0x2d && next === 0x2d) || byte === 0x23) {
      const end = bytes.subarray(at, to).indexOf(10);
      at = end < 0 ? to : at + end + 1;
    } else if (byte === 0x2f && next === 0x2a) {
      at += 2;
      if (bytes[at] === 0x21) {
        at++;
        while (at < to && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) {
          at++;
        }
      } else {
        while (at < to && !(bytes[at] === 0x2a && bytes[at + 1] === 0x2f)) {
          at++;
        }
        at = Math.min(to, at + 2);
      }
    } else {
      break;
    }
  }
  return at;
}

function isWordByte(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x5f;
}

export type Dialect = 'postgres' | 'mysql';

const SUSPICIOUS = /password|passwd|identified|\bpwd\b/i;
/** A dollar quote, a quoted text's start, a quoted name's start, a comment, a word, or any other character. */
const TOKEN =
  /(\$[a-z_0-9]*\$)|((?:[enbx]|u&)?')|(["`])|--[^\n]*|\/\*(?:(?!\*\/)[\s\S])*(?:\*\/)?|[a-z_\u0080-\uffff][\w$\u0080-\uffff]*|\s+|[\s\S]/gi;
/** `#` begins a comment in MySQL only; in PostgreSQL it is an operator. */
const MYSQL_TOKEN = new RegExp(`#[^\\n]*|${TOKEN.source}`, 'gi');
const IN_CONNECTION_STRING = /(\bpassword\s*=\s*)([^\s'"]+)/gi;

/**
 * The statement without the passwords in it: `PASSWORD 'x'`, `IDENTIFIED BY 'x'`, `password=x` in a connection string.
 * The same text when there is none.
 */
export function withoutPasswords(sql: string, dialect: Dialect): string {
  if (!SUSPICIOUS.test(sql)) {
    return sql;
  }
  let result = '';
  let identified = false;
  let setFor = false;
  let secret = false;
  const tokens = dialect === 'mysql' ? MYSQL_TOKEN : TOKEN;
  tokens.lastIndex = 0;
  for (let found = tokens.exec(sql); found !== null; found = tokens.exec(sql)) {
    const [token, dollar, text, name] = found;
    if (text !== undefined || (dialect === 'postgres' ? dollar !== undefined : name === '"')) {
      const escapes = dialect === 'mysql' || /^e/i.test(token);
      const end =
        dollar === undefined
          ? quoteEnd(sql, tokens.lastIndex, token.at(-1)!, escapes)
          : dollarEnd(sql, found.index, token);
      const literal = sql.slice(found.index, end);
      result += secret ? "'******'" : literal.replace(IN_CONNECTION_STRING, '$1******');
      secret = false;
      tokens.lastIndex = end;
      continue;
    }
    if (name !== undefined) {
      const end = quoteEnd(sql, tokens.lastIndex, name, false);
      secret = /(?:password|passwd|pwd)["`]?$/i.test(sql.slice(tokens.lastIndex, end));
      result += sql.slice(found.index, end);
      tokens.lastIndex = end;
      continue;
    }
    result += token;
    const word = token.toLowerCase();
    if (word === ';') {
      identified = false;
      setFor = false;
      secret = false;
    } else if (word === 'identified') {
      identified = true;
    } else if (identified && (word === 'by' || word === 'as' || word === 'using' || word === 'replace')) {
      secret = true;
    } else if (word === 'for' && secret) {
      // SET PASSWORD FOR 'user'@'host' = 'x': the first text is a name.
      setFor = true;
      secret = false;
    } else if (/^\w*(?:password|passwd|pwd)$/.test(word) || (setFor && word === '=')) {
      secret = true;
    } else if (/^[a-z_]/.test(word) ? !/^(?:by|as|to|using|is|like|ilike|not)$/.test(word) : word === ',') {
      secret = false;
    }
  }
  return result;
}

function dollarEnd(sql: string, from: number, tag: string): number {
  const end = sql.indexOf(tag, from + tag.length);
  return end < 0 ? sql.length : end + tag.length;
}

function quoteEnd(sql: string, from: number, quote: string, escapes: boolean): number {
  for (let i = from; i < sql.length; i++) {
    if (escapes && sql[i] === '\\') {
      i++;
    } else if (sql[i] === quote) {
      if (sql[i + 1] !== quote) {
        return i + 1;
      }
      i++;
    }
  }
  return sql.length;
}

/** One line for a summary: blanks and line ends become single spaces, other control characters go. */
export function oneLine(value: string): string {
  return value.replace(/[\s\p{Cc}]+/gu, ' ').trim();
}

/** A value in a summary, as SQL would write it. */
export function asLiteral(value: unknown): string {
  if (value === null) {
    return 'NULL';
  }
  if (typeof value !== 'string') {
    return String(value);
  }
  const line = oneLine(value);
  return `'${line.length > 40 ? `${line.slice(0, 39)}…` : line}'`;
}
