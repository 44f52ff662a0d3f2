/** What a live screen can do about the row under its cursor: tell the process's story, end it, destroy the connection. */
import { destroySocket } from '../kernel/destroy.ts';
import { errnoMeaning, errnoName } from '../kernel/errno.ts';
import { processInfo } from '../kernel/proc.ts';
import type { Socket } from '../session/socket.ts';
import { consequences } from './kill-connections.ts';
import { kill } from './kill-run.ts';

export interface ProcessStory {
  command: string | null;
  cwd: string | null;
  user: string;
  container?: string;
  parents: { pid: number; name: string }[];
}

/** Null: no such process any more. */
export function processStory(pid: number): ProcessStory | null {
  const info = processInfo(pid);
  if (info === null) {
    return null;
  }
  const { container } = info;
  return {
    command: info.command.length > 0 ? info.command.join(' ') : null,
    cwd: info.cwd,
    user: info.user,
    parents: info.parents,
    ...(container === null ? {} : { container: `${container.runtime} ${container.id.slice(0, 12)}` }),
  };
}

const FORCE_AFTER_MS = 3000;

/** SIGTERM, and SIGKILL to who outlives it; one sentence of what came of it. */
export async function endProcess(pid: number): Promise<string> {
  const report = await kill({ targets: [`pid:${pid}`], forceAfterMs: FORCE_AFTER_MS });
  const [done] = report.results;
  if (done === undefined) {
    return report.plan.refusals[0]?.reason ?? `pid ${pid} is not running any more`;
  }
  const free = report.places.map(({ port, free: is }) => `port ${port} is ${is ? 'free' : 'still held'}`);
  return [`pid ${pid}: ${done.outcome}${done.reason === null ? '' : `, ${done.reason}`}`, ...free].join('; ');
}

export function destroyConnection(socket: Socket): string {
  const { protocol, family } = socket;
  if (protocol === 'unix' || protocol === 'raw' || family === 0) {
    return `not destroyed: the kernel destroys TCP and UDP sockets only, and this is ${protocol.toUpperCase()}`;
  }
  const result = destroySocket({ ...socket, protocol, family });
  if (result < 0) {
    return `not destroyed: ${errnoName(result)}, ${errnoMeaning(result)}`;
  }
  const { here, there } = consequences(socket);
  return `destroyed; its program ${here}; the other side ${there}`;
}
