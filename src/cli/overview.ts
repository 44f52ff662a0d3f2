/** `sockscope` with no arguments: the machine at a glance. Later this opens the workbench. */
import { abilities } from '../see/abilities.ts';
import { limits } from '../see/limits-read.ts';
import { readSockets } from '../see/sockets.ts';
import type { Socket } from '../session/socket.ts';
import { sortSockets } from '../view/groups.ts';
import { endText, ownersText, protocolWord } from '../view/socket-rows.ts';
import { summaryText } from '../view/summary.ts';
import { heat, number, percentText } from './limits-text.ts';
import { paint, print } from './output.ts';

const MOST_LISTENERS = 15;

export function overview(): void {
  const { sockets, notes } = readSockets();
  print(
    [
      section('Sockets', summaryText(sockets, paint)),
      section('Listening', listeners(sockets)),
      section('Nearest to their limit', nearest()),
      section('Not visible here', hidden(notes)),
      `Next: ${paint.bold('sockscope ls')} lists them, ${paint.bold('sockscope --help')} shows the rest.\n`,
    ].join(''),
  );
}

function section(title: string, body: string): string {
  return `${paint.bold(title)}\n${body}\n`;
}

function listeners(sockets: readonly Socket[]): string {
  const rows = sortSockets(
    sockets.filter(
      (s) => (s.state === 'LISTEN' && s.family !== 0) || (s.protocol === 'udp' && s.peer.port === 0),
    ),
    [{ name: 'port', descending: false }],
  );
  if (rows.length === 0) {
    return '  nothing listens for TCP or UDP\n';
  }
  const shown = rows.slice(0, MOST_LISTENERS);
  const wide = Math.max(...shown.map((s) => endText(s, s.local).length));
  const lines = shown.map((s) => {
    const queue = s.accept === undefined ? '' : `accept ${s.accept.used}/${s.accept.limit}`;
    return `  ${protocolWord(s).padEnd(4)} ${endText(s, s.local).padEnd(wide)}  ${queue.padEnd(14)}  ${ownersText(s.owners, s.ownerGap ?? 'none')}`.trimEnd();
  });
  if (rows.length > shown.length) {
    lines.push(paint.dim(`  … and ${rows.length - shown.length} more: sockscope ls -tul`));
  }
  return `${lines.join('\n')}\n`;
}

const MOST_LIMITS = 5;

function nearest(): string {
  const { limits: all, leaks } = limits();
  const lines = all.slice(0, MOST_LIMITS).map((limit) => {
    const share = percentText(limit.fraction ?? 0).padStart(4);
    const figures = `${number(limit.used)} of ${number(limit.limit)}`;
    return `  ${heat(limit.fraction, paint)(`${share} %`)}  ${figures.padEnd(22)}  ${limit.kind}: ${limit.subject}`;
  });
  for (const { name, pid, closeWait } of leaks) {
    lines.push(
      paint.red(
        `  ${name} ${pid ?? ''} keeps ${closeWait} connections in CLOSE-WAIT: sockscope ls close-wait`,
      ),
    );
  }
  return lines.map((line) => `${line}\n`).join('');
}

function hidden(notes: readonly string[]): string {
  const missing = abilities().filter((ability) => !ability.available);
  const lines = [...notes, ...missing.map(({ what, why }) => `${what}: ${why}`)];
  return lines.length === 0
    ? '  nothing: this process may do all that sockscope can\n'
    : lines.map((line) => `  ${line}\n`).join('');
}
