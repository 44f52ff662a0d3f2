/** User names by number, from /etc/passwd, read once. A number without a name stays a number. */
import fs from 'node:fs';

let names: Map<number, string> | null = null;

export function userName(uid: number): string {
  names ??= parsePasswd(readPasswd());
  return names.get(uid) ?? String(uid);
}

/** `name:password:uid:…` per line; the first name of a number wins, as getpwuid does. */
export function parsePasswd(text: string): Map<number, string> {
  const found = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':');
    if (name && uid !== undefined && /^\d+$/.test(uid) && !found.has(Number(uid))) {
      found.set(Number(uid), name);
    }
  }
  return found;
}

function readPasswd(): string {
  try {
    return fs.readFileSync('/etc/passwd', 'utf8');
  } catch {
    return ''; // a container without the file: numbers are all there is
  }
}
