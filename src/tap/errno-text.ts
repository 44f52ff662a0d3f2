/** An errno for a person: its name, and what it means. */
import { errnoMeaning, errnoName } from '../kernel/errno.ts';

export function errnoText(errno: number): string {
  return `${errnoName(errno)}, ${errnoMeaning(errno)}`;
}
