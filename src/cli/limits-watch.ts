/** `limits --watch`: a screen that redraws on a terminal, a line per change elsewhere. */
import type { Limit, LimitsReport, Scope } from '../see/limit.ts';
import { limits } from '../see/limits-read.ts';
import { sparkline } from '../view/sparkline.ts';
import { count, duration } from '../view/units.ts';
import { growers, growth, type History, remember, values } from './limits-history.ts';
import { heat, number, percentText, selected } from './limits-text.ts';
import { isTerminal, paint, print, width } from './output.ts';

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
const SPARK = 16;
const GROWTH = 8;
const MOST_GROWERS = 3;
const FEWEST_LINES = 10;

interface Wish {
  all: boolean;
  json: boolean;
}

/** Ctrl-C or SIGTERM once: stop and restore the screen; twice: the system's own way. */
export async function watchLimits(scope: Scope, wish: Wish, seconds: number): Promise<void> {
  const stop = new AbortController();
  const end = () => stop.abort();
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  const screen = isTerminal() && !wish.json;
  if (screen) {
    print(ENTER);
    // process.exit() on a closed pipe, or an error on the way: the terminal comes back all the same.
    process.once('exit', restore);
  }
  try {
    const history: History = new Map();
    let before: Map<string, Limit> | null = null;
    while (!stop.signal.aborted) {
      const report = limits({ ...scope, owners: 'auto' });
      remember(history, report.limits, performance.now());
      if (screen) {
        print(frame(report, history, wish.all, seconds));
      } else {
        print(changes(before, report, wish));
        before = new Map(report.limits.map((limit) => [limit.id, limit]));
      }
      await pause(seconds * 1000, stop.signal);
    }
  } finally {
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
    if (screen) {
      process.off('exit', restore);
      restore();
    }
  }
}

function restore(): void {
  process.stdout.write(LEAVE);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

function frame(report: LimitsReport, history: History, all: boolean, seconds: number): string {
  const tall = Math.max(FEWEST_LINES, process.stdout.rows ?? 24);
  const wide = width();
  const foot = footer(report, history, seconds);
  const rows = selected(report.limits, all).slice(0, tall - foot.length - 2);
  const head = `${'USED'.padStart(9)} ${'LIMIT'.padStart(9)}    %  ${'HISTORY'.padEnd(SPARK)} ${'PER MIN'.padStart(GROWTH)}  WHAT`;
  const lines = [paint.bold(head), ...rows.map((limit) => row(limit, history, wide)), '', ...foot];
  return (
    HOME +
    lines
      .map((line) => `${line}${CLEAR_LINE}\n`)
      .join('')
      .slice(0, -1) +
    CLEAR_BELOW
  );
}

function row(limit: Limit, history: History, wide: number): string {
  const rate = growth(history, limit.id);
  const start = `${number(limit.used)} ${limit.limit === null ? 'unlimited' : number(limit.limit)} ${(limit.fraction === null ? '-' : percentText(limit.fraction)).padStart(4)}  `;
  const line = sparkline(
    values(history, limit.id),
    SPARK,
    limit.limit !== null && (limit.fraction ?? 0) > 0.1 ? limit.limit : undefined,
  );
  const grows = ` ${signed(rate).padStart(GROWTH)}  `;
  const room = Math.max(0, wide - start.length - SPARK - grows.length);
  return `${start}${heat(limit.fraction, paint)(line)}${grows}${cut(`${limit.kind}: ${limit.subject}`, room)}`;
}

function signed(rate: number | null): string {
  const rounded = Math.round(rate ?? 0);
  return rounded === 0 ? '' : `${rounded > 0 ? '+' : ''}${count(rounded)}`;
}

function footer(report: LimitsReport, history: History, seconds: number): string[] {
  const wide = width();
  const lines = growers(history, report.limits)
    .slice(0, MOST_GROWERS)
    .map(({ limit, perMinute, fullInMs }) => {
      const when = fullInMs === null ? '' : `, full in ${duration(fullInMs * 1000)}`;
      return paint.yellow(
        cut(`growing: ${limit.subject}, ${signed(perMinute)} descriptors a minute${when}`, wide),
      );
    });
  for (const { pid, name, closeWait } of report.leaks.slice(0, MOST_GROWERS)) {
    const who = pid === null ? name : `${name} pid ${pid}`;
    lines.push(paint.red(cut(`leak: ${who} keeps ${count(closeWait)} connections in CLOSE-WAIT`, wide)));
  }
  return [...lines, paint.dim(cut(`every ${seconds} s; Ctrl-C ends`, wide))];
}

function cut(text: string, room: number): string {
  return text.length <= room ? text : `${text.slice(0, Math.max(0, room - 1))}…`;
}

/** The first reading in full, then what differs. */
function changes(
  before: ReadonlyMap<string, Limit> | null,
  report: LimitsReport,
  { all, json }: Wish,
): string {
  const at = new Date().toISOString();
  return selected(report.limits, all)
    .filter((limit) => before === null || before.get(limit.id)?.used !== limit.used)
    .map((limit) => {
      const was = before?.get(limit.id)?.used;
      return json
        ? `${JSON.stringify({ v: 1, type: 'limit', at, ...limit })}\n`
        : `${at} ${limit.kind}: ${limit.subject}: ${was === undefined || was === null ? '' : `${count(was)} → `}${limit.used === null ? '-' : count(limit.used)} of ${limit.limit === null ? 'unlimited' : count(limit.limit)}${limit.fraction === null ? '' : ` (${percentText(limit.fraction)} %)`}\n`;
    })
    .join('');
}
