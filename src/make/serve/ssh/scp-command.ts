/** `scp -t` and `scp -f`, the commands that OpenSSH's `scp -O` gives to the other side. */
import { type ByteName, nameOf } from '../../ssh/byte-name.ts';
import { shellWords } from './words.ts';

export interface ScpCommand {
  /** `sink` takes files (-t), `source` gives them (-f). */
  readonly side: 'sink' | 'source';
  readonly recursive: boolean;
  /** Modes and times are kept. */
  readonly preserve: boolean;
  /** The target has to be a folder. */
  readonly intoFolder: boolean;
  readonly paths: readonly ByteName[];
}

/** Null: it is another command, or one that needs a shell to be understood. */
export function readScpCommand(command: string): ScpCommand | null {
  const words = shellWords(command);
  if (words === null || (words[0] !== 'scp' && words[0] !== '/usr/bin/scp')) {
    return null;
  }
  const letters = new Set<string>();
  let at = 1;
  for (; at < words.length && /^-[a-zA-Z]+$/.test(words[at]!); at += 1) {
    for (const letter of words[at]!.slice(1)) {
      letters.add(letter);
    }
  }
  const paths = words.slice(words[at] === '--' ? at + 1 : at).map(nameOf);
  const known = [...letters].every((letter) => 'rpdtfvq'.includes(letter));
  const oneSide = letters.has('t') !== letters.has('f');
  if (!known || !oneSide || paths.length === 0 || (letters.has('t') && paths.length > 1)) {
    return null;
  }
  return {
    side: letters.has('t') ? 'sink' : 'source',
    recursive: letters.has('r'),
    preserve: letters.has('p'),
    intoFolder: letters.has('d'),
    paths,
  };
}
