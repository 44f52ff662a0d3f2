/** The descriptor of a datagram socket of Node's, for socket options. */
import type { Socket } from 'node:dgram';

/** -1 where there is none any more. */
export function datagramDescriptor(socket: Socket): number {
  const hidden = Object.getOwnPropertySymbols(socket)
    .map((symbol) => (socket as unknown as Record<symbol, unknown>)[symbol])
    .find((state) => typeof state === 'object' && state !== null && 'handle' in state);
  return (hidden as { handle?: { fd?: number } | null } | undefined)?.handle?.fd ?? -1;
}
