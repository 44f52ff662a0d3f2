/** Which of the answers of one URI belongs to a request (RFC 9111, section 4.1). */
import { type Fields, fieldOf } from './fields.ts';

/** The fields that Vary names, with what the request had in them: name, value, name, value. */
export function nominated(answer: Fields, request: Fields): readonly string[] {
  const vary = fieldOf(answer, 'vary');
  if (vary === undefined) {
    return [];
  }
  const names = [...new Set(vary.split(',').map((one) => one.trim().toLowerCase()))].sort();
  return names.filter((name) => name !== '').flatMap((name) => [name, normal(fieldOf(request, name))]);
}

export function matches(stored: readonly string[], request: Fields): boolean {
  for (let i = 0; i < stored.length; i += 2) {
    if (normal(fieldOf(request, stored[i]!)) !== stored[i + 1]!) {
      return false;
    }
  }
  return true;
}

/** White space around commas means nothing. Absent is not the same as empty. */
function normal(value: string | undefined): string {
  return value === undefined ? '\n' : value.trim().replace(/\s*,\s*/g, ',');
}
