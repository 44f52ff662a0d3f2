/** `ls -s` and the head of the overview: how many of each protocol, in which states. */
import type { Socket } from '../session/socket.ts';
import type { Painter } from './colour.ts';
import { stateColour } from './state-colour.ts';
import { count } from './units.ts';

export function summaryText(sockets: readonly Socket[], paint: Painter): string {
  const protocols = new Map<string, Map<string, number>>();
  for (const { protocol, family, state } of sockets) {
    const name = family === 0 ? protocol : `${protocol} v${family}`;
    const word = state === 'CLOSED' && protocol !== 'tcp' ? 'UNCONN' : state;
    const states = protocols.get(name) ?? new Map<string, number>();
    states.set(word, (states.get(word) ?? 0) + 1);
    protocols.set(name, states);
  }
  const lines = [`${paint.bold(count(sockets.length))} sockets`];
  for (const [name, states] of protocols) {
    const words = [...states]
      .sort((a, b) => b[1] - a[1])
      .map(([state, number]) => `${count(number)} ${stateColour(paint, state)}`);
    const total = [...states.values()].reduce((sum, number) => sum + number, 0);
    lines.push(`  ${name.padEnd(11)}${count(total).padStart(8)}  ${words.join(', ')}`);
  }
  return `${lines.join('\n')}\n`;
}
