import { expect, it } from 'vitest';
import { keysIn } from './tap-keys.ts';

it('keys that arrive as one piece are told apart, and what no key is called is nothing', () => {
  expect(keysIn('gé\r\x03\x1a\x7f')).toEqual(['g', 'é', 'enter', 'ctrl-c', 'ctrl-z', 'backspace']);
  expect(keysIn('\x1b[A\x1b[1~\x1bOF\x1b')).toEqual(['up', 'home', 'end', 'escape']);
  expect(keysIn('\x1b[I\x1b[<0;1;2M\x1b[24~q')).toEqual(['q']);
});
