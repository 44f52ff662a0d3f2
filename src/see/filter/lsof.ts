/** `lsof -i` and `-s`: `-i4TCP@host:80,443`, `-iUDP`, `-sTCP:LISTEN`, `-sTCP:^TIME_WAIT`. Several -i are alternatives; -s narrows them all. */
import type { Protocol } from '../../session/socket.ts';
import { prefix } from './address.ts';
import { allOf, anyOf, type Filter, not } from './ast.ts';
import type { Context } from './context.ts';
import { type Fault, fault, isFault, nearestFirst, type Parsed } from './fault.ts';
import { ends, portsOf } from './host.ts';
import { isPortFault, ports } from './number.ts';
import { STATE_NAMES, stateMask } from './states.ts';
import type { Token } from './tokens.ts';

const INTERNET: Filter = not({ kind: 'family', family: 0 });
const TCP: Filter = { kind: 'protocol', protocol: 'tcp' };
const SPECS = [
  '-i',
  '-i4',
  '-iTCP',
  '-i:8080',
  '-iTCP@127.0.0.1:80,443',
  '-sTCP:LISTEN',
  '-sTCP:^TIME_WAIT',
] as const;
const PROTOCOLS_HERE: Record<string, Protocol> = { tcp: 'tcp', udp: 'udp', udplite: 'udplite' };

export function isLsofWord({ kind, text, plain }: Token): boolean {
  return kind === 'word' && plain && /^-[is]/.test(text);
}

/** All the -i and -s words from `tokens[from]` on. */
export function lsof(
  tokens: readonly Token[],
  from: number,
  context: Context,
): Parsed<{ filter: Filter; next: number }> {
  context.ours = true;
  const specs: Filter[] = [];
  const states = { included: 0, excluded: 0 };
  let next = from;
  while (isLsofWord(tokens[next]!)) {
    const word = tokens[next++]!;
    let value: Token = { ...word, text: word.text.slice(2), at: word.at + 2 };
    const follower = tokens[next]!;
    // As lsof has it, `-i` and its value may be two words.
    if (value.text === '' && follower.kind === 'word' && (word.text === '-s' || isSpec(follower.text))) {
      value = follower;
      next++;
    }
    const wrong = word.text.startsWith('-i') ? addSpec(specs, value, context) : addStates(states, value);
    if (wrong !== null) {
      return wrong;
    }
  }
  return { filter: allOf([...(specs.length > 0 ? [anyOf(specs)] : []), ...stateFilter(states)]), next };
}

function isSpec(text: string): boolean {
  return /^[46]?(tcp|udp|udplite)?(@[^:]+|@\[[^\]]*\])?(:.*)?$/i.test(text);
}

function addSpec(specs: Filter[], value: Token, context: Context): { fault: Fault } | null {
  const filter = spec(value, context);
  if (isFault(filter)) {
    return filter;
  }
  specs.push(filter);
  return null;
}

function spec({ text, at }: Token, context: Context): Parsed<Filter> {
  const match = /^([46]?)([a-z]*)(@\[[^\]]*\]|@[^:]*)?(:.*)?$/i.exec(text);
  const name = match?.[2]?.toLowerCase() ?? '';
  const protocol = Object.hasOwn(PROTOCOLS_HERE, name) ? PROTOCOLS_HERE[name] : undefined;
  if (match === null || (name !== '' && protocol === undefined)) {
    return fault(at, Math.max(1, text.length), `'${text}' is no protocol or address of lsof -i`, SPECS);
  }
  const [, version, , hostText = '', portText = ''] = match;
  const address = hostText.slice(1).replace(/^\[(.*)\]$/, '$1');
  const literal = prefix(address, true);
  const addresses = literal === null ? context.hosts(address).map((text) => prefix(text, true)) : [literal];
  const known = addresses.filter(
    (found) => found !== null && (version === '' || found.family === Number(version)),
  );
  const hostAt = at + text.length - portText.length - hostText.length;
  if (hostText !== '' && known.length === 0) {
    return fault(hostAt, hostText.length, `'${address}' is no known host${version && ` of IPv${version}`}`, [
      '@127.0.0.1',
      '@[::1]',
    ]);
  }
  const ranges = ports(portText.slice(1), context, protocol);
  if (isPortFault(ranges)) {
    const start = at + text.length - portText.length + 1;
    return fault(start + ranges.at, ranges.length, ranges.message, [
      ':8080',
      ':http',
      ':80,443',
      ':8000-8100',
    ]);
  }
  const place = ends('either', (end) => [
    hostText === '' ? [] : [anyOf(known.map((found) => ({ kind: 'host' as const, side: end, ...found! })))],
    ranges === null ? [] : [portsOf(end, ranges)],
  ]);
  return allOf([
    version === '' ? INTERNET : { kind: 'family', family: version === '4' ? 4 : 6 },
    ...(protocol === undefined ? [] : [{ kind: 'protocol' as const, protocol }]),
    place,
  ]);
}

function addStates(states: { included: number; excluded: number }, { text, at }: Token) {
  const colon = text.indexOf(':');
  if (text.slice(0, colon).toLowerCase() !== 'tcp') {
    return fault(at, Math.max(1, colon < 0 ? text.length : colon), 'only TCP has states for -s', [
      'TCP:LISTEN',
      'TCP:^TIME_WAIT',
    ]);
  }
  let start = at + colon + 1;
  for (const part of text.slice(colon + 1).split(',')) {
    const excluded = part.startsWith('^');
    const name = excluded ? part.slice(1) : part;
    const mask = stateMask(name);
    if (mask === undefined) {
      return fault(
        start,
        Math.max(1, part.length),
        `'${name}' is no TCP state`,
        nearestFirst(name, STATE_NAMES),
      );
    }
    states[excluded ? 'excluded' : 'included'] |= mask;
    start += part.length + 1;
  }
  return null;
}

/** As lsof does: a list with inclusions shows only those, one of exclusions leaves other protocols alone. */
function stateFilter({ included, excluded }: { included: number; excluded: number }): Filter[] {
  const only = included & ~excluded;
  if (included !== 0) {
    return [TCP, only === 0 ? not({ kind: 'everything' }) : { kind: 'state', mask: only }];
  }
  return excluded === 0 ? [] : [not(allOf([TCP, { kind: 'state', mask: excluded }]))];
}
