/** The drawing of a session, loaded when something is drawn: which of the hosts stand at its left and right. */
import type { Lanes, LanesWish } from './lab-face.ts';

export async function openLanes({ columns, colour, hosts }: LanesWish): Promise<Lanes> {
  const { createLanes } = await import('../view/lanes/lanes.ts');
  return createLanes({ columns, colour, hosts: sides(hosts) });
}

/** The client and the server where there are such; else the first two. A story on one machine has both ends there. */
export function sides(hosts: readonly string[]): readonly [left: string, right: string] {
  if (hosts.includes('client') && hosts.includes('server')) {
    return ['client', 'server'];
  }
  const [left = 'client', right = left] = hosts;
  return [left, right];
}
