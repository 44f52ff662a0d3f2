/** `~`, `%h` and `${HOME}` in the paths of a configuration. */
import { SockscopeError } from '../../errors.ts';

export interface Tokens {
  readonly home: string;
  /** By their letter. */
  readonly of: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export function expanded(text: string, { home, of, environment }: Tokens): string {
  const tokens: Readonly<Record<string, string>> = { '%': '%', d: home, ...of };
  const path = text === '~' || text.startsWith('~/') ? home + text.slice(1) : text;
  return path.replace(
    /%(.?)|\$\{([^}]*)\}/gs,
    (whole, letter: string | undefined, variable: string | undefined) => {
      const value =
        letter !== undefined
          ? Object.hasOwn(tokens, letter)
            ? tokens[letter]
            : undefined
          : environment[variable ?? ''];
      if (value === undefined) {
        throw new SockscopeError(
          'SSH_CONFIG',
          `"${text}" in the configuration of ssh: ${whole} stands for nothing here.`,
          letter === undefined ? 'Set the variable, or write the path out.' : 'Write the path out.',
          2,
        );
      }
      return value;
    },
  );
}
