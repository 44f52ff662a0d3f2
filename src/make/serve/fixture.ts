/** Kinds in a test: the real hosts in Node's loop, on a free port, with their lines kept. */
import { createNodeReactor } from '../../reactor/node.ts';
import type { Address } from '../../reactor/reactor.ts';
import type { Access, AnyKind, Common, Over, TlsFiles } from './kind.ts';
import { type Counts, createLedger } from './ledger.ts';
import { openNodeHost } from './node-host.ts';
import { type Drained, openRawHost, type RunningHost } from './raw-host.ts';

export const PLAIN: Common = {
  maxConnections: 0,
  idleNs: 0,
  maxBody: 0,
  rate: 0,
  drainNs: 5e9,
  backlog: 0,
  wishes: {},
  misbehaviour: null,
};

export const GOOD = {
  leak: false,
  noAccept: false,
  noRead: false,
  slow: 0,
  closeAfter: null,
  resetAfter: null,
  halfClose: false,
} as const;

export interface Served {
  readonly port: number;
  readonly address: Address;
  readonly lines: Access[];
  readonly said: string[];
  counts(): Counts;
  drain(): Promise<Drained>;
  close(): Promise<void>;
}

export interface ServeWishes {
  readonly plan?: unknown;
  readonly common?: Partial<Common>;
  readonly over?: Over;
  readonly address?: Address;
  readonly tls?: TlsFiles;
}

export async function serveForTest(kind: AnyKind, wishes: ServeWishes = {}): Promise<Served> {
  const { plan = null, common = {}, over = 'tcp', tls = null } = wishes;
  const address: Address = wishes.address ?? {
    kind: over === 'udp' ? 'udp' : 'tcp',
    host: '127.0.0.1',
    port: 0,
  };
  const reactor = createNodeReactor();
  const lines: Access[] = [];
  const said: string[] = [];
  const ledger = createLedger({
    common: { ...PLAIN, ...common },
    wantsLines: true,
    now: () => reactor.now(),
    seen: new Int32Array([2 ** 30]),
    lines: (batch) => lines.push(...batch),
    say: (text) => said.push(text),
    later: (ms, run) => void setTimeout(run, ms),
  });
  const engine = kind.engine?.(plan, over) ?? (kind.raw === undefined ? 'node' : 'raw');
  const opened: RunningHost | number =
    engine === 'node'
      ? await openNodeHost(address, { kind, plan, ledger, reusePort: false, tls })
      : openRawHost(address, over, { kind, plan, ledger, reactor, reusePort: false, listenSecurely: null });
  if (typeof opened === 'number') {
    throw new Error(`cannot listen: ${opened}`);
  }
  return {
    port: opened.address.kind === 'unix' ? 0 : opened.address.port,
    address: opened.address,
    lines,
    said,
    counts: () => ledger.counts(),
    async drain() {
      const how = await new Promise<Drained>((resolve) => opened.drain(resolve));
      ledger.flush();
      await reactor.close();
      return how;
    },
    async close() {
      opened.close();
      await reactor.close();
    },
  };
}
