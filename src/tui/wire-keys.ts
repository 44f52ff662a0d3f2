/** What the keys do on the screen of packets: the bottom line, and the help. */
import type { KeyWord } from './key-line.ts';
import type { WireModel } from './wire-model.ts';

export const ALWAYS: readonly KeyWord[] = [
  ['?', 'help'],
  ['q', 'quit'],
];

const TYPING: readonly KeyWord[] = [
  ['Enter', 'keep'],
  ['Esc', 'clear'],
  ['↑↓', 'move'],
];

export function keyWords({ filter, open, pane, view, only, paused }: WireModel): readonly KeyWord[] {
  const pause: KeyWord = ['Space', paused === null ? 'pause' : 'go on'];
  if (filter.typed !== null) {
    return TYPING;
  }
  switch (open?.kind) {
    case 'packet':
      return [
        ['Esc', 'back'],
        ['↑↓', 'fields'],
        ['n', 'next'],
        ['N', 'previous'],
        ['Enter', 'fold'],
        ['f', 'follow'],
      ];
    case 'message':
      return [
        ['Esc', 'back'],
        ['↑↓', 'scroll'],
        ['n', 'next'],
        ['N', 'previous'],
        ['f', 'follow'],
      ];
    case 'follow':
      return [['Esc', 'back'], ['↑↓', 'scroll'], ['x', open.hex ? 'text' : 'hex'], pause];
    case undefined: {
      const other: KeyWord = view === 'packets' ? ['m', 'messages'] : ['p', 'packets'];
      const all: readonly KeyWord[] = only === null ? [] : [['a', 'all']];
      return pane === 'connections'
        ? [
            ['Enter', 'only this'],
            ...all,
            ['f', 'follow'],
            ['s', 'sort'],
            ['/', 'filter'],
            other,
            pause,
            ['Tab', 'pane'],
          ]
        : [['Enter', 'open'], ...all, ['f', 'follow'], other, ['/', 'filter'], pause, ['Tab', 'pane']];
    }
  }
}

export const HELP: readonly (readonly [keys: string, meaning: string])[] = [
  ['↑ ↓  k j', 'one row up, down'],
  ['PgUp PgDn', 'one page (also Ctrl-B, Ctrl-F)'],
  ['Home End  g G', 'first row, last row; at the last row new ones are followed'],
  ['Tab', 'the other pane'],
  ['Enter  →', 'a connection: only its packets; a packet or message: open it'],
  ['a', 'the packets and messages of all connections again'],
  ['Esc  ←', 'back; then all connections; then no filter'],
  ['p  m', 'packets, messages'],
  ['f', 'follow this connection: its conversation in turns'],
  ['x', 'while following: hex, text'],
  ['/', 'filter as you type: http.status >= 500, port 5432, note:retransmission'],
  ['s  S', 'connections: newest, busiest, largest, last heard'],
  ['Space', 'pause; packets are still gathered, and counted'],
  ['n  N', 'in an open packet or message: the next, the previous one'],
  ['?', 'this help'],
  ['q  Ctrl-C', 'quit'],
];
