/** Kinds in a test: the real hosts in Node's loop, on a free port, with their lines kept. */
import type { Access, AnyKind, Common, Over, TlsFiles } from './kind.ts';
import { GOOD, type Server, serveKind } from './library.ts';

export { GOOD };

export interface Served extends Server {
  readonly lines: Access[];
  readonly said: string[];
}

export interface ServeWishes {
  readonly plan?: unknown;
  readonly common?: Partial<Common>;
  readonly over?: Over;
  readonly path?: string;
  readonly tls?: TlsFiles;
}

const DRAIN_NS = 5e9;

export async function serveForTest(kind: AnyKind, wishes: ServeWishes = {}): Promise<Served> {
  const { plan = null, common = {}, over, path, tls } = wishes;
  const lines: Access[] = [];
  const said: string[] = [];
  const server = await serveKind(kind, plan, {
    ...(over === undefined ? {} : { over }),
    ...(path === undefined ? {} : { path }),
    ...(tls === undefined ? {} : { tls }),
    maxConnections: common.maxConnections ?? 0,
    idleMs: (common.idleNs ?? 0) / 1e6,
    maxBody: common.maxBody ?? 0,
    rate: common.rate ?? 0,
    drainMs: (common.drainNs ?? DRAIN_NS) / 1e6,
    ...(common.misbehaviour ? { misbehaviour: common.misbehaviour } : {}),
    onAccess: (line) => lines.push(line),
    onSay: (text) => said.push(text),
  });
  return { ...server, lines, said };
}
