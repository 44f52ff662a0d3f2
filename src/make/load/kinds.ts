/** Every kind of load, in the order the help shows them. */
import { kind as connect } from './connect.ts';
import { kind as hold } from './hold.ts';
import { kind as http } from './http.ts';
import type { LoadKind } from './kind.ts';
import { kind as line } from './line.ts';
import { kind as redis } from './redis.ts';
import { kind as rpc } from './rpc.ts';
import { kind as tcp } from './tcp.ts';
import { kind as udp } from './udp.ts';

export const kinds: readonly LoadKind[] = [http, rpc, redis, line, tcp, udp, hold, connect];

export function kindNamed(name: string): LoadKind | null {
  return kinds.find((one) => one.name === name) ?? null;
}
