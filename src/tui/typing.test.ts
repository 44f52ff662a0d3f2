import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyNames } from './keys.ts';
import { edit, type Typed } from './typing.ts';

function typed(keys: readonly string[]): Typed {
  return keys.reduce((line, key) => edit(line, key) ?? line, { text: '', at: 0 });
}

describe('typing', () => {
  it('edits in the middle as a shell does', () => {
    expect(typed([...'abd', 'left', 'c', 'end', 'e'])).toEqual({ text: 'abcde', at: 5 });
    expect(typed([...'dst host', 'ctrl-w'])).toEqual({ text: 'dst ', at: 4 });
    expect(typed([...'abc', 'home', 'backspace', 'right', 'backspace'])).toEqual({ text: 'bc', at: 0 });
    expect(typed([...'abc', 'left', 'ctrl-k'])).toEqual({ text: 'ab', at: 2 });
    expect(typed([...'abc', 'left', 'ctrl-u'])).toEqual({ text: 'c', at: 0 });
  });

  it('the cursor never leaves the text', () => {
    const key = fc.constantFrom(
      'a',
      ' ',
      'left',
      'right',
      'home',
      'end',
      'backspace',
      'ctrl-w',
      'ctrl-u',
      'ctrl-k',
      'tab',
    );
    fc.assert(
      fc.property(fc.array(key), (keys) => {
        const { text, at } = typed(keys);
        expect(at).toBeGreaterThanOrEqual(0);
        expect(at).toBeLessThanOrEqual(text.length);
      }),
    );
  });
});

describe('keys', () => {
  const none = {
    upArrow: false,
    downArrow: false,
    leftArrow: false,
    rightArrow: false,
    pageDown: false,
    pageUp: false,
    home: false,
    end: false,
    return: false,
    escape: false,
    ctrl: false,
    shift: false,
    tab: false,
    backspace: false,
    delete: false,
    meta: false,
    super: false,
    hyper: false,
    capsLock: false,
    numLock: false,
  };

  it('keys that arrive in one piece are taken one by one', () => {
    expect(keyNames('/:8080\r', none)).toEqual(['/', ':', '8', '0', '8', '0', 'enter']);
    expect(keyNames('a\x7f\x03', none)).toEqual(['a', 'backspace', 'ctrl-c']);
  });

  it('named keys and control keys have names; Escape and a letter in one piece are two keys', () => {
    expect(keyNames('', { ...none, pageDown: true })).toEqual(['page-down']);
    expect(keyNames('c', { ...none, ctrl: true })).toEqual(['ctrl-c']);
    expect(keyNames('x', { ...none, meta: true })).toEqual(['escape', 'x']);
  });

  it('an escape sequence nobody knows types nothing, a pasted address does', () => {
    expect(keyNames('[I', none)).toEqual([]);
    expect(keyNames('[<0;3;4M', none)).toEqual([]);
    expect(keyNames('[::1]', none)).toEqual(['[', ':', ':', '1', ']']);
  });
});
