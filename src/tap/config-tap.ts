/** One tap of a configuration. */
import { SockscopeError } from '../errors.ts';
import type { SocketWishes } from '../reactor/reactor.ts';
import { readWishes } from '../reactor/socket-options.ts';
import { decoders } from '../wire/app/decoders.ts';
import { type OrderedTap, orderTap, USUAL_WISHES } from './config-defaults.ts';
import { faultsIn, filterFault } from './config-faults.ts';
import {
  durationField,
  type Fields,
  fieldsOf,
  listOf,
  placeField,
  shown,
  textField,
  textOf,
  textsRead,
  wordField,
  yesField,
} from './config-fields.ts';
import type { ConfigNode, Entry, Problems } from './config-source.ts';
import type { WrittenPlace } from './place.ts';
import type { TlsPlan } from './plan.ts';
import { asBytes, patternError, readReplacement } from './rewrite-text.ts';
import { readSet } from './set/set.ts';

const TAP_KEYS = [
  'name',
  'enabled',
  'listen',
  'target',
  'front',
  'tls',
  'decode',
  'match',
  'replace',
  'set',
  'hold',
  'faults',
  'proxyIn',
  'proxyOut',
  'dialTimeout',
  'alwaysAccept',
  'sockopt',
];
const TLS_KEYS = ['mode', 'insecure', 'serverName', 'certificate', 'key', 'authority'];
const TLS_MODES = ['none', 'peek', 'terminate', 'originate', 'both'] as const;
const FRONTS = ['none', 'socks5', 'connect'] as const;
const LONGEST_NAME = 100;

/** `named`: the name stands in the file; otherwise it was made from the target. */
export interface TapRead {
  readonly plan: OrderedTap;
  readonly named: boolean;
  readonly nameAt: number;
  readonly listenAt: number;
}

export function readTap(node: ConfigNode, problems: Problems): TapRead | null {
  const before = problems.list.length;
  const fields = fieldsOf(node, TAP_KEYS, 'a tap', problems);
  if (fields === null) {
    return null;
  }
  const ordered = placesOf(fields, node, before, problems);
  const name = nameOf(fields.get('name'), problems);
  // Everything is read even when something is wrong already: all of it is told at once.
  const rest = {
    enabled: yesField(fields.get('enabled'), problems) ?? true,
    decode:
      wordField(fields.get('decode'), ['auto', 'none', ...decoders.map((one) => one.name)], problems) ??
      'auto',
    matches: textsRead<string>(
      fields.get('match'),
      matchOf,
      'It is a regular expression on bytes.',
      problems,
    ),
    replacements: textsRead(fields.get('replace'), readReplacement, 'Write it as PATTERN=>TEXT.', problems),
    sets: textsRead<string>(
      fields.get('set'),
      setOf,
      'Write it like http.request.header.x-test=1.',
      problems,
    ),
    holds: textsRead<string>(
      fields.get('hold'),
      holdOf,
      'It is a filter, such as redis.command == "DEL".',
      problems,
    ),
    faults: faultsIn(listOf(fields.get('faults'), problems), problems),
    proxyIn: yesField(fields.get('proxyIn'), problems) ?? false,
    proxyOut: proxyVersion(fields.get('proxyOut'), problems),
    wishes: { ...USUAL_WISHES, ...wishesOf(fields.get('sockopt'), problems) },
  };
  const dialTimeout = durationField(fields.get('dialTimeout'), problems);
  const alwaysAccept = yesField(fields.get('alwaysAccept'), problems) === true;
  const tls = tlsOf(fields.get('tls'), problems);
  if (ordered === null || problems.list.length > before) {
    return null;
  }
  const { plan, called } = ordered;
  return {
    named: name !== null,
    nameAt: fields.get('name')?.value.offset ?? node.offset,
    listenAt: fields.get('listen')?.value.offset ?? node.offset,
    plan: {
      ...plan,
      ...rest,
      name: name ?? called,
      tls: { ...plan.tls, ...tls },
      dialTimeout: dialTimeout ?? plan.dialTimeout,
      mirrorsRefusal: plan.mirrorsRefusal && !alwaysAccept,
    },
  };
}

/** `before`: how many problems there were before this tap. What is missing is not told when a name was misspelt. */
function placesOf(
  fields: Fields,
  node: ConfigNode,
  before: number,
  problems: Problems,
): ReturnType<typeof orderedOnly> {
  const listen = placeField(fields.get('listen'), 'listen', problems);
  const target = placeField(fields.get('target'), 'target', problems);
  const front = wordField(fields.get('front'), FRONTS, problems) ?? 'none';
  const given = fields.get('front');
  if (front !== 'none' && listen === null && given !== undefined && problems.list.length === before) {
    problems.add(given.offset, 'a front listens, and it is not said where', 'Write listen: 127.0.0.1:1080.');
  }
  if (given !== undefined && listen !== null && listen.front !== 'none' && listen.front !== front) {
    problems.add(given.value.offset, `listen says ${listen.front}:// already`, 'Leave the front out.');
  }
  if (problems.list.length > before) {
    return null;
  }
  const asked: WrittenPlace | null = listen === null || front === 'none' ? listen : { ...listen, front };
  return orderedOnly(asked, target, fields, node, problems);
}

function orderedOnly(
  listen: WrittenPlace | null,
  target: WrittenPlace | null,
  fields: Fields,
  node: ConfigNode,
  problems: Problems,
): { plan: OrderedTap; called: string } | null {
  if (listen?.front === 'none' && target === null && !fields.has('target')) {
    problems.add(node.offset, 'this tap has no target', 'Write target: localhost:6379, or front: socks5.');
    return null;
  }
  if (listen === null && target === null) {
    problems.add(node.offset, 'this tap has neither listen nor target', 'Write target: localhost:6379.');
    return null;
  }
  const ordered = orderTap(listen, target);
  if ('error' in ordered) {
    problems.add((fields.get(ordered.which)?.value ?? node).offset, ordered.error, ordered.hint);
    return null;
  }
  return ordered;
}

function nameOf(entry: Entry | undefined, problems: Problems): string | null {
  const name = textField(entry, problems);
  if (
    name !== null &&
    entry !== undefined &&
    (name.length > LONGEST_NAME || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(name))
  ) {
    problems.add(
      entry.value.offset,
      'this is no name for a tap',
      `It has at most ${LONGEST_NAME} characters, all on one line.`,
    );
    return null;
  }
  return name;
}

function matchOf(text: string): string | { why: string; at: number } {
  const why = patternError(asBytes(text), '');
  return why === null ? text : { why, at: 0 };
}

function setOf(text: string): string | { why: string; at: number } {
  const read = readSet(text);
  return 'why' in read ? read : text;
}

function holdOf(text: string): string | { why: string; at: number } {
  return filterFault(text) ?? text;
}

function proxyVersion(entry: Entry | undefined, problems: Problems): 0 | 1 | 2 {
  const word = wordField(entry, ['0', '1', '2'], problems);
  return word === '1' ? 1 : word === '2' ? 2 : 0;
}

function tlsOf(entry: Entry | undefined, problems: Problems): Partial<TlsPlan> {
  if (entry === undefined) {
    return {};
  }
  if (entry.value.kind !== 'map') {
    const mode = wordField(entry, TLS_MODES, problems);
    return mode === null ? {} : { mode };
  }
  const fields = fieldsOf(entry.value, TLS_KEYS, 'tls', problems);
  const mode = wordField(fields?.get('mode'), TLS_MODES, problems);
  const insecure = yesField(fields?.get('insecure'), problems);
  const texts: Partial<Record<'serverName' | 'certificate' | 'key' | 'authority', string>> = {};
  for (const key of ['serverName', 'certificate', 'key', 'authority'] as const) {
    const text = textField(fields?.get(key), problems);
    if (text !== null) {
      texts[key] = text;
    }
  }
  const certificate = fields?.get('certificate') ?? fields?.get('key');
  if (certificate !== undefined && fields?.has('certificate') !== fields?.has('key')) {
    problems.add(certificate.offset, 'a certificate and its key belong together', 'Give both, or neither.');
  }
  return { ...texts, ...(mode !== null && { mode }), ...(insecure !== null && { insecure }) };
}

/** `nodelay=0,rcvbuf=4096`, or the same as names with numbers. */
function wishesOf(entry: Entry | undefined, problems: Problems): SocketWishes {
  if (entry === undefined) {
    return {};
  }
  const { value } = entry;
  const each: { text: string; offset: number }[] = [];
  if (value.kind === 'map') {
    for (const { key, offset, value: wished } of value.entries) {
      const text = textOf(wished, shown(key), problems);
      if (text !== null) {
        each.push({ text: `${key}=${text === 'true' ? 1 : text === 'false' ? 0 : text}`, offset });
      }
    }
  } else {
    const text = textOf(value, 'sockopt', problems);
    each.push(...(text === null ? [] : [{ text, offset: value.offset }]));
  }
  let wishes: SocketWishes = {};
  for (const { text, offset } of each) {
    const read = readWishes(text);
    if (read instanceof SockscopeError) {
      problems.add(offset, read.message, read.hint);
    } else {
      wishes = { ...wishes, ...read };
    }
  }
  return wishes;
}
