/** The kernel's numbers in its lane, where they are news. */
import type { Info } from '../../session/events.ts';
import { createInfoWords, FETCHED_SOON, infoKey } from './info-words.ts';
import { inKernel, type Scene } from './scene.ts';

/** Sockets whose latest numbers are remembered. */
const MOST = 8192;

export interface Infos {
  /** It will be drawn later: what comes soon after it decides whether it is worth a word. */
  add(info: Info): void;
  draw(info: Info): void;
  listens(socket: string): void;
}

export function createInfos(scene: Scene, detail: boolean): Infos {
  const words = createInfoWords(scene.glyphs, detail);
  const latest = new Map<string, Info>();
  const following = new WeakMap<Info, Info>();

  /** Whether the queue is empty again a moment later. */
  function fetched(info: Info): boolean {
    if (info.recvQueue === 0) {
      return false;
    }
    let next = following.get(info);
    while (next !== undefined && next.at <= info.at + FETCHED_SOON) {
      if (next.recvQueue === 0) {
        return true;
      }
      next = following.get(next);
    }
    return false;
  }

  return {
    listens: words.listens,
    add(info) {
      const key = infoKey(info);
      const before = latest.get(key);
      if (before !== undefined) {
        following.set(before, info);
      } else if (latest.size >= MOST) {
        latest.delete(latest.keys().next().value!);
      }
      latest.set(key, info);
    },
    draw(info) {
      const { at, host, side, connection } = info;
      for (const { kind, line } of words.news(info, fetched(info))) {
        scene.offer({
          at,
          kind: `info|${host}|${kind}`,
          same: `info|${host}|${connection ?? ''}|${side ?? ''}|${kind}`,
          worth: 'trouble',
          noun: '',
          connection,
          hide() {},
          draw: () =>
            inKernel(scene, scene.endOf(host, side), host, at, [...scene.company.mark(connection), ...line]),
        });
      }
    },
  };
}
