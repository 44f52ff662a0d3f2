/** Which rows are on screen: pure arithmetic, so that only those are ever built. */

export interface Window {
  /** Position of the cursor in the sorted list. */
  cursor: number;
  /** First visible position. */
  top: number;
}

/** Keeps the cursor inside the list and the window around the cursor, never past the end while there is enough to fill it. */
export function place(window: Window, total: number, height: number): Window {
  const cursor = Math.max(0, Math.min(window.cursor, total - 1));
  const visible = Math.max(1, height);
  let top = Math.min(window.top, cursor);
  if (cursor >= top + visible) {
    top = cursor - visible + 1;
  }
  return { cursor, top: Math.max(0, Math.min(top, total - visible)) };
}

export type Move = 'up' | 'down' | 'page-up' | 'page-down' | 'home' | 'end';

export function move(window: Window, how: Move, total: number, height: number): Window {
  const page = Math.max(1, height - 1);
  const steps: Record<Move, number> = {
    up: -1,
    down: 1,
    'page-up': -page,
    'page-down': page,
    home: -total,
    end: total,
  };
  const step = steps[how];
  const scrolls = how === 'page-up' || how === 'page-down';
  return place({ cursor: window.cursor + step, top: window.top + (scrolls ? step : 0) }, total, height);
}
