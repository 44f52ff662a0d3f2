/**
 * File names are bytes, not text. Between the file systems, SFTP and scp they travel as strings with one character for each byte (Latin-1):
 * a name that is not UTF-8 comes through unchanged, and `/` is still `/`.
 */
export type ByteName = string;

export function nameOf(text: string): ByteName {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** What the file system calls of Node take. */
export function bufferOf(name: ByteName): Buffer {
  return Buffer.from(name, 'latin1');
}

/** For people: UTF-8 read, what would move the cursor or break the line shown as `\n` or `\x1b`. */
export function textOf(name: ByteName): string {
  const text = bufferOf(name).toString('utf8');
  let shown = '';
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code === 10) {
      shown += '\\n';
    } else if (code < 32 || (code >= 127 && code < 160)) {
      shown += `\\x${code.toString(16).padStart(2, '0')}`;
    } else {
      shown += character;
    }
  }
  return shown;
}

/** What makes a name from the other side unfit to be a name in a folder of ours; null when it is fit. */
export function nameFault(name: ByteName): string | null {
  if (name === '') {
    return 'an empty name';
  }
  if (name === '.' || name === '..') {
    return `the name ${name}`;
  }
  if (name.includes('/')) {
    return `a name with a slash (${textOf(name)})`;
  }
  return name.includes('\0') ? `a name with a zero byte (${textOf(name)})` : null;
}

/** The last part of a path; empty for `/`, and for what ends in `.` or `..`. */
export function lastPart(path: ByteName): ByteName {
  const trimmed = path.replace(/\/+$/, '');
  const last = trimmed.slice(trimmed.lastIndexOf('/') + 1);
  return last === '.' || last === '..' ? '' : last;
}

export function join(folder: ByteName, name: ByteName): ByteName {
  return folder === '' ? name : folder.endsWith('/') ? `${folder}${name}` : `${folder}/${name}`;
}
