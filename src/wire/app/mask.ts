/** Secrets are shown as this, in every view and recording, unless the user says --reveal. */
import type { Value, Values } from '../value.ts';

export const MASK = '******';

/** `fields` with the values of secret ones replaced; the same object when there is none. */
export function masked(fields: Values, secrets: readonly string[]): Values {
  let result: { [name: string]: Value } | null = null;
  for (const secret of secrets) {
    if (secret.endsWith('*')) {
      const start = secret.slice(0, -1);
      for (const name of Object.keys(fields)) {
        if (name.startsWith(start)) {
          result ??= { ...fields };
          result[name] = MASK;
        }
      }
    } else if (Object.hasOwn(fields, secret)) {
      result ??= { ...fields };
      result[secret] = MASK;
    }
  }
  return result ?? fields;
}
