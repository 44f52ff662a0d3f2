/** SendEnv and SetEnv: what goes along with a command. A server takes what its AcceptEnv lists, and says nothing about the rest. */
import { matchesPattern } from './patterns.ts';

export function environmentOf(
  send: readonly string[],
  set: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && send.some((pattern) => matchesPattern(name, pattern))) {
      found[name] = value;
    }
  }
  for (const one of set) {
    const at = one.indexOf('=');
    if (at > 0) {
      found[one.slice(0, at)] = one.slice(at + 1);
    }
  }
  return found;
}
