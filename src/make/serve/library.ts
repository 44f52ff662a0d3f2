/** A server inside a program, in Node's own loop: `serve({ kind: 'hello', misbehaviour: { resetAfter: { bytes: 100 } } })`. */
import { SockscopeError } from '../../errors.ts';
import { createNodeReactor } from '../../reactor/node.ts';
import type { Address, SocketWishes } from '../../reactor/reactor.ts';
import type { Access, AnyKind, Common, Misbehaviour, Over, TlsFiles } from './kind.ts';
import { kinds } from './kinds.ts';
import { type Counts, createLedger } from './ledger.ts';
import { openNodeHost } from './node-host.ts';
import { type Drained, openRawHost, type RunningHost } from './raw-host.ts';
import { secureListener } from './secure-listener.ts';

export interface ServeOptions {
  /** As `sockscope serve --help` lists them. */
  readonly kind: string;
  /** The kind's own words (`files` wants a directory) and options by their long names in camelCase. */
  readonly words?: readonly string[];
  readonly options?: Readonly<Record<string, unknown>>;
  /** 127.0.0.1 and any free port when left out. */
  readonly host?: string;
  readonly port?: number;
  /** Of a UNIX socket, instead. */
  readonly path?: string;
  /** What the kind is spoken to over, where there is a choice: `udp`. */
  readonly over?: Over;
  readonly tls?: TlsFiles;
  /** Socket options by name, on every connection. */
  readonly sockopt?: SocketWishes;
  readonly maxConnections?: number;
  readonly idleMs?: number;
  readonly maxBody?: number;
  /** Requests per second of one client address. */
  readonly rate?: number;
  readonly drainMs?: number;
  readonly backlog?: number;
  readonly misbehaviour?: Partial<Misbehaviour>;
  readonly onAccess?: (line: Access) => void;
  readonly onSay?: (text: string) => void;
}

export interface Server {
  readonly host: string;
  /** 0 for a UNIX socket. */
  readonly port: number;
  readonly path: string;
  counts(): Counts;
  /** Nobody new is let in, what was asked is answered; whoever hangs is cut off after drainMs. */
  drain(): Promise<Drained>;
  /** Everything ends now. */
  close(): Promise<void>;
}

export type { Access, Drained, Misbehaviour };

const USUAL_DRAIN_MS = 10_000;
const MS = 1e6;

export const GOOD: Misbehaviour = {
  leak: false,
  noAccept: false,
  noRead: false,
  slow: 0,
  closeAfter: null,
  resetAfter: null,
  halfClose: false,
};

function commonOf(options: ServeOptions): Common {
  const { maxConnections = 0, idleMs = 0, maxBody = 0, rate = 0, backlog = 0 } = options;
  return {
    maxConnections,
    idleNs: idleMs * MS,
    maxBody,
    rate,
    drainNs: (options.drainMs ?? USUAL_DRAIN_MS) * MS,
    backlog,
    wishes: options.sockopt ?? {},
    misbehaviour: options.misbehaviour === undefined ? null : { ...GOOD, ...options.misbehaviour },
  };
}

/** Listens, or throws a SockscopeError that says why not. */
export async function serve(options: ServeOptions): Promise<Server> {
  const entry = kinds.find(({ name }) => name === options.kind);
  if (entry === undefined) {
    throw new SockscopeError(
      'SERVE_KIND',
      `No kind of server is called ${options.kind}.`,
      `There are ${kinds.map(({ name }) => name).join(', ')}.`,
      2,
    );
  }
  const { kind } = await entry.load();
  const plan = await kind.plan({ words: options.words ?? [], options: options.options ?? {} });
  return serveKind(kind, plan, options);
}

export async function serveKind(
  kind: AnyKind,
  plan: unknown,
  options: Omit<ServeOptions, 'kind'>,
): Promise<Server> {
  const over: Over = options.over ?? (options.path === undefined ? kind.over[0]! : 'unix');
  const address = addressOf(over, options);
  const reactor = createNodeReactor();
  const common = commonOf({ ...options, kind: kind.name });
  const tls = options.tls ?? null;
  const say = options.onSay ?? (() => {});
  const ledger = createLedger({
    common,
    wantsLines: true,
    now: () => reactor.now(),
    // Whoever is called at once has seen everything.
    seen: new Int32Array([2 ** 30]),
    lines: (lines) => lines.forEach((line) => void options.onAccess?.(line)),
    say,
    later: (ms, run) => void setTimeout(run, ms).unref(),
  });
  const engine = kind.engine?.(plan, over) ?? (kind.raw === undefined ? 'node' : 'raw');
  const opened: RunningHost | number =
    engine === 'node'
      ? await openNodeHost(address, { kind, plan, ledger, reusePort: false, tls })
      : openRawHost(address, over, {
          kind,
          plan,
          ledger,
          reactor,
          reusePort: false,
          listenSecurely:
            tls === null ? null : secureListener(address, { tls, common, reusePort: false, say }),
        });
  if (typeof opened === 'number') {
    await reactor.close();
    throw new SockscopeError(
      'LISTEN',
      `Cannot listen on ${address.kind === 'unix' ? address.path : `${address.host}:${address.port}`} (errno ${-opened}).`,
      'Choose another address; port 0 is any free one.',
      3,
    );
  }
  const { address: real } = opened;
  return {
    host: real.kind === 'unix' ? '' : real.host,
    port: real.kind === 'unix' ? 0 : real.port,
    path: real.kind === 'unix' ? real.path : '',
    counts: () => ledger.counts(),
    async drain() {
      const how = await new Promise<Drained>((resolve) => opened.drain(resolve));
      ledger.flush();
      await reactor.close();
      return how;
    },
    async close() {
      opened.close();
      ledger.flush();
      await reactor.close();
    },
  };
}

function addressOf(
  over: Over,
  { host = '127.0.0.1', port = 0, path = '' }: Omit<ServeOptions, 'kind'>,
): Address {
  return over === 'unix' || over === 'unix-dgram'
    ? { kind: 'unix', path }
    : { kind: over === 'udp' ? 'udp' : 'tcp', host, port };
}
