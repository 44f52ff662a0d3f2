/** What `dial` is pointed at: a kind of conversation and where it is. */
import { SockscopeError } from '../errors.ts';
import { type DialEntry, dialKinds } from '../make/dial/kinds.ts';
import { nearMisses } from '../session/near.ts';
import { isPlaceError, readPlace } from '../tap/place.ts';

export interface DialAddress {
  readonly entry: DialEntry;
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

export interface AddressFlags {
  readonly udp?: boolean;
  readonly unix?: boolean;
}

const HINT =
  'Write it like localhost:8080, :8080, udp://host:53, unix:/run/x.sock, tls://host:443, telnet://host or ws://host:3000/path.';

function bad(message: string, hint = HINT): SockscopeError {
  return new SockscopeError('DIAL_ADDRESS', message, hint, 2);
}

function entryOf(scheme: string): DialEntry {
  const entry = dialKinds.find(({ schemes }) => schemes.includes(scheme));
  if (entry !== undefined) {
    return entry;
  }
  const near = nearMisses(
    scheme,
    dialKinds.flatMap(({ schemes }) => [...schemes]),
  )[0];
  const other = scheme.startsWith('http')
    ? '`sockscope dial http URL` speaks it.'
    : near === undefined
      ? `Known are ${dialKinds.map(({ name }) => name).join(', ')}.`
      : `Did you mean ${near}?`;
  throw bad(`${scheme}:// is nothing that dial speaks by itself.`, other);
}

/** `-u` and `-U` say what the text leaves open. Throws a SockscopeError with a caret under what cannot be read. */
export function readDialAddress(text: string, flags: AddressFlags = {}): DialAddress {
  const unix = /^(unix(?:-dgram)?):/.exec(text)?.[1] ?? null;
  if (unix !== null || flags.unix === true || /^\.{0,2}\//.test(text)) {
    const scheme = unix ?? (flags.udp === true ? 'unix-dgram' : 'unix');
    const path = text.slice(unix === null ? 0 : unix.length + 1);
    return { entry: entryOf(scheme), scheme, ...placed(text, `unix:${path}`, path) };
  }
  const written = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text);
  const scheme = written?.[1]?.toLowerCase() ?? (flags.udp === true ? 'udp' : 'tcp');
  const entry = entryOf(scheme);
  const rest = text.slice(written?.[0].length ?? 0);
  const slash = rest.search(/[/?#]/);
  const authority = slash < 0 ? rest : rest.slice(0, slash);
  const behind = slash < 0 ? '' : rest.slice(slash);
  const isWeb = entry.name === 'ws' || entry.name === 'wss';
  if (!isWeb && behind !== '' && behind !== '/') {
    throw pointed(text, text.length - behind.length, 'nothing may follow the port', HINT);
  }
  if (!isWeb && authority.includes('@')) {
    throw bad('A user name is not part of this address.', HINT);
  }
  const hasPort = /:[^\]]*$/.test(authority.replace(/^\[[^\]]*\]/, ''));
  const known = entry.port > 0 && !hasPort && authority !== '' ? `${authority}:${entry.port}` : authority;
  const place = placed(text, `${scheme === 'udp' ? 'udp' : 'tcp'}://${known}`, known);
  return {
    entry,
    scheme,
    ...place,
    path: isWeb ? (behind.replace(/#.*$/, '') || '/').replace(/^\?/, '/?') : '',
  };
}

/** As a tap reads it. `part` is the piece of `text` that was handed on at the end of `handed`. */
function placed(text: string, handed: string, part: string): { host: string; port: number; path: string } {
  const place = readPlace(handed, 'target');
  if (isPlaceError(place)) {
    const start = Math.max(0, text.indexOf(part));
    const at = Math.max(0, place.at - (handed.length - part.length)) + start;
    throw pointed(text, at, place.error, place.hint.includes('6379') ? HINT : place.hint);
  }
  const { host, port, path } = place;
  return { host, port, path };
}

function pointed(text: string, at: number, what: string, hint: string): SockscopeError {
  const shown = text.replace(/[\p{Cc}]/gu, ' ').slice(0, 200);
  return bad(`${what}.\n  ${shown}\n  ${' '.repeat(Math.min(at, shown.length))}^`, hint);
}
