/** The options of `dial http` in curl's spellings, checked, and what they mean together. */
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { SockscopeError } from '../errors.ts';
import type { Deadlines, HttpPlan, KnownAddress, Protocols, ProxyPlan } from '../make/dial/http/plan.ts';
import type { TlsWish } from '../make/dial/kind.ts';
import type { SocketWishes } from '../reactor/reactor.ts';
import { readWishes } from '../reactor/socket-options.ts';
import { authorityPath } from '../tap/tls/ca.ts';
import { basic, type FieldFlags, fieldsOf, TOKEN, unescaped } from './dial-http-fields.ts';
import { fileText, timeOf, usage, whole } from './dial-http-values.ts';

export interface HttpFlags extends FieldFlags {
  readonly method?: string;
  readonly head?: boolean;
  readonly include?: boolean;
  readonly output?: string;
  readonly location?: boolean;
  readonly maxRedirects?: string;
  readonly fail?: boolean;
  readonly insecure?: boolean;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly 'http1.1'?: boolean;
  readonly http2?: boolean;
  readonly http2PriorKnowledge?: boolean;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly resolve?: string[];
  readonly unixSocket?: string;
  readonly sockopt?: string;
  readonly proxy?: string;
  readonly repeat?: string;
  /** Commander's: false with --no-keepalive. */
  readonly keepalive?: boolean;
  readonly urls?: string;
  readonly json?: boolean;
  readonly silent?: boolean;
  readonly verbose?: boolean;
  readonly timeout?: string;
  readonly resolveTimeout?: string;
  readonly connectTimeout?: string;
  readonly tlsTimeout?: string;
  readonly firstByteTimeout?: string;
  readonly bodyTimeout?: string;
}

/** As curl has it: what names no scheme is http; `:8080/x` is on this machine. */
export function readUrl(text: string): URL {
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
    ? text
    : `http://${text.replace(/^:(?=\d)/, 'localhost:')}`;
  if (!URL.canParse(whole)) {
    throw usage(`${text} is no address of the web.`, 'Write it like http://localhost:8080/path.');
  }
  const url = new URL(whole);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw usage(
      `${url.protocol.slice(0, -1)} is neither http nor https.`,
      '`sockscope dial ADDRESS` speaks other protocols.',
    );
  }
  return url;
}

async function readAll(input: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) {
    chunks.push(Buffer.from(chunk as Uint8Array));
  }
  return Buffer.concat(chunks);
}

/** curl's -d: pieces joined by `&`; from a file without its line ends. */
async function dataOf(pieces: readonly string[], input: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const piece of pieces) {
    const read = !piece.startsWith('@')
      ? Buffer.from(piece)
      : Buffer.from(
          (piece === '@-' ? await readAll(input) : fileText('-d', piece.slice(1)))
            .toString('latin1')
            .replace(/[\r\n\0]/g, ''),
          'latin1',
        );
    parts.push(...(parts.length === 0 ? [] : [Buffer.from('&')]), read);
  }
  return Buffer.concat(parts);
}

function protocolsOf({ http2, http2PriorKnowledge, ...flags }: HttpFlags): Protocols {
  const given = [flags['http1.1'], http2, http2PriorKnowledge].filter((one) => one === true);
  if (given.length > 1) {
    throw usage(
      'Only one version of HTTP can be asked for.',
      'Keep one of --http1.1, --http2, --http2-prior-knowledge.',
    );
  }
  return flags['http1.1'] === true
    ? 'http/1.1'
    : http2 === true
      ? 'h2'
      : http2PriorKnowledge === true
        ? 'h2 at once'
        : 'any';
}

/** `host:port:address[,address]`; addresses of IPv6 may stand in brackets. */
function knownOf(text: string): KnownAddress {
  const [, bracketed, plain, port, list] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5}):(.+)$/.exec(text) ?? [];
  const addresses = (list ?? '').split(',').map((each) => each.replace(/^\[(.*)\]$/, '$1'));
  if (list === undefined || Number(port) > 65535 || addresses.some((each) => isIP(each) === 0)) {
    throw usage(`--resolve ${text} cannot be read.`, 'Write it like --resolve example.test:443:127.0.0.1.');
  }
  return { host: (bracketed ?? plain ?? '').toLowerCase(), port: Number(port), addresses };
}

function proxyOf(text: string): ProxyPlan {
  const typed = /^[a-z]+[a-z0-9]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(typed) ? new URL(typed) : null;
  if (url === null || url.protocol !== 'http:' || url.hostname === '') {
    throw usage(
      `-x ${text} is no proxy that can be spoken to.`,
      'Write it like -x http://user:password@proxy:3128.',
    );
  }
  const { hostname, port, username, password } = url;
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    // curl's, when none is named.
    port: port === '' ? (/:80(?:\/|$)/.test(text) ? 80 : 1080) : Number(port),
    authorization: username === '' ? '' : basic(`${unescaped(username)}:${unescaped(password)}`),
  };
}

/** What `serve --tls` shows is signed by the CA of this machine, so we trust it without being told. */
function ownAuthority(): string | null {
  const path = authorityPath();
  try {
    return existsSync(path) ? readFileSync(path, 'utf8') : null;
  } catch {
    return null;
  }
}

function tlsOf({ insecure, cacert, cert, key }: HttpFlags): TlsWish {
  if (key !== undefined && cert === undefined) {
    throw usage('--key needs the certificate it belongs to.', 'Give --cert FILE as well.');
  }
  const certificate = cert === undefined ? null : fileText('--cert', cert).toString();
  return {
    serverName: '',
    protocols: [],
    insecure: insecure === true,
    only: cacert === undefined ? null : fileText('--cacert', cacert).toString(),
    besides: ownAuthority(),
    certificate,
    key: key === undefined ? certificate : fileText('--key', key).toString(),
  };
}

function wishesOf(given: string | undefined): SocketWishes {
  const wishes = readWishes(given ?? '');
  if (wishes instanceof SockscopeError) {
    throw wishes;
  }
  return wishes;
}

function deadlinesOf(flags: HttpFlags): Deadlines {
  return {
    whole: timeOf('--timeout', flags.timeout),
    resolve: timeOf('--resolve-timeout', flags.resolveTimeout),
    connect: timeOf('--connect-timeout', flags.connectTimeout),
    tls: timeOf('--tls-timeout', flags.tlsTimeout),
    firstByte: timeOf('--first-byte-timeout', flags.firstByteTimeout),
    body: timeOf('--body-timeout', flags.bodyTimeout),
  };
}

const MOST_REDIRECTS = 1000;
const USUAL_REDIRECTS = '10';

export async function readHttpPlan(address: string, flags: HttpFlags, input: Readable): Promise<HttpPlan> {
  const url = readUrl(address);
  if (flags.ipv4 === true && flags.ipv6 === true) {
    throw usage('-4 and -6 exclude each other.', 'Without both, whichever answers first is used.');
  }
  if (flags.data !== undefined && flags.jsonBody !== undefined) {
    throw usage('-d and --json-body are two bodies.', 'Keep one of them.');
  }
  if (flags.unixSocket !== undefined && flags.proxy !== undefined) {
    throw usage('A UNIX socket is not reached through a proxy.', 'Keep one of --unix-socket and -x.');
  }
  const body =
    flags.jsonBody !== undefined
      ? Buffer.from(flags.jsonBody)
      : flags.data === undefined
        ? null
        : await dataOf(flags.data, input);
  const method = flags.method ?? (flags.head === true ? 'HEAD' : body === null ? 'GET' : 'POST');
  if (!TOKEN.test(method) || /^CONNECT$/i.test(method)) {
    throw usage(
      `-X ${method} is no method.`,
      'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, or a word of your own.',
    );
  }
  if (flags.head === true && body !== null) {
    throw usage(
      '-I asks for a head alone; -d sends a body.',
      'Keep one of them, or name the method with -X and leave out -I.',
    );
  }
  const protocols = protocolsOf(flags);
  if (protocols === 'h2 at once' && flags.proxy !== undefined && url.protocol === 'http:') {
    throw usage('Through a proxy http:// is HTTP/1.1.', 'Leave out --http2-prior-knowledge, or the proxy.');
  }
  const fields = fieldsOf(flags, url, body);
  url.username = '';
  url.password = '';
  return {
    method,
    url,
    fields,
    body,
    family: flags.ipv4 === true ? 4 : flags.ipv6 === true ? 6 : 0,
    known: (flags.resolve ?? []).map(knownOf),
    socket: flags.unixSocket ?? '',
    proxy: flags.proxy === undefined ? null : proxyOf(flags.proxy),
    protocols,
    tls: tlsOf(flags),
    deadlines: deadlinesOf(flags),
    sockopt: wishesOf(flags.sockopt),
    follows: flags.location === true,
    redirects: whole('--max-redirects', flags.maxRedirects ?? USUAL_REDIRECTS, 0, MOST_REDIRECTS),
    decodes: flags.compressed === true,
    keeps: flags.keepalive !== false,
  };
}
