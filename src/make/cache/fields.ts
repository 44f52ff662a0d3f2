/** Header fields as they came: name, value, name, value. Node gives and takes them like this, with their case and their order. */
export type Fields = readonly string[];

/** All values of a field as one list; undefined when there is none. `name` is lower case. */
export function fieldOf(fields: Fields, name: string): string | undefined {
  let found: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    if (isNamed(fields[i]!, name)) {
      found = found === undefined ? fields[i + 1]! : `${found}, ${fields[i + 1]!}`;
    }
  }
  return found;
}

export function has(fields: Fields, name: string): boolean {
  return fieldOf(fields, name) !== undefined;
}

function isNamed(given: string, name: string): boolean {
  return given.length === name.length && (given === name || given.toLowerCase() === name);
}

export function without(fields: Fields, unwanted: (lowerName: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    if (!unwanted(fields[i]!.toLowerCase())) {
      kept.push(fields[i]!, fields[i + 1]!);
    }
  }
  return kept;
}

/** Between two hops only (RFC 9110, section 7.6.1); Proxy-* are for whoever speaks to this proxy. Trailer stays: trailers are passed on. */
const HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** Without what was meant for this hop, which includes every name that Connection lists. */
export function endToEnd(fields: Fields): string[] {
  const listed = fieldOf(fields, 'connection');
  if (listed === undefined) {
    return without(fields, (name) => HOP.has(name));
  }
  const named = new Set(listed.split(',').map((one) => one.trim().toLowerCase()));
  return without(fields, (name) => HOP.has(name) || named.has(name));
}
