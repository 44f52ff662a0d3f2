/** A line as `ls -l` writes it, which SFTP sends along with every name and `sftp` shows unchanged. */
import { userName } from '../../../kernel/users.ts';
import { type ByteName, nameOf } from '../../ssh/byte-name.ts';
import type { Found } from './sftp-packets.ts';

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
/** By the upper four bits of the mode (inode(7)). */
const TYPES = '?pc?d?b?-?l?s???';
const HALF_A_YEAR_MS = 182 * 24 * 3600 * 1000;

/** `-rwxr-x---` */
export function modeText(mode: number): string {
  const letters = [...'rwxrwxrwx'].map((letter, index) => (mode & (0o400 >> index) ? letter : '-'));
  const special: [bit: number, at: number, with_: string, without: string][] = [
    [0o4000, 2, 's', 'S'],
    [0o2000, 5, 's', 'S'],
    [0o1000, 8, 't', 'T'],
  ];
  for (const [bit, at, executable, not] of special) {
    if (mode & bit) {
      letters[at] = letters[at] === 'x' ? executable : not;
    }
  }
  return `${TYPES[(mode >> 12) & 15]}${letters.join('')}`;
}

export function longLine(name: ByteName, found: Found & { readonly nlink: number }, nowMs: number): ByteName {
  const time = new Date(found.mtimeMs);
  const near = Math.abs(nowMs - found.mtimeMs) < HALF_A_YEAR_MS;
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = near ? `${two(time.getHours())}:${two(time.getMinutes())}` : ` ${time.getFullYear()}`;
  const day = `${MONTHS[time.getMonth()]} ${String(time.getDate()).padStart(2)} ${clock}`;
  const owner = `${nameOf(userName(found.uid)).padEnd(8)} ${String(found.gid).padEnd(8)}`;
  return `${modeText(found.mode)} ${String(found.nlink).padStart(4)} ${owner} ${String(found.size).padStart(8)} ${day} ${name}`;
}
