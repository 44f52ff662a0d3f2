/** `import { stage } from 'sockscope/lab'`: machines, a wire and a power switch for a person's own tests. See docs/lab-library.md. */
import { fileURLToPath } from 'node:url';
import type { StageWish } from './api.ts';
import { type RemoteStage, remoteStage } from './stage/remote.ts';

export { SockscopeError } from '../errors.ts';
export type * from '../session/events.ts';
export type { Socket, TcpInfo } from '../session/socket.ts';
export type * from './api.ts';
export type { RemoteStage } from './stage/remote.ts';

/** Builds hosts and the wire between them, without root and without containers. Close it when done: nothing is left behind. */
export function stage(wish: StageWish = {}): Promise<RemoteStage> {
  return remoteStage(fileURLToPath(new URL('./lab-stage.js', import.meta.url)), wish);
}
