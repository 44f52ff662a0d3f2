/** The last step: lines to Ink, keys to the controller. */
import { Box, Text, type TextProps, useInput } from 'ink';
import { type ReactNode, useSyncExternalStore } from 'react';
import { keyNames } from './keys.ts';
import type { Line, Span, Tone } from './spans.ts';

export type Theme = Record<Tone, TextProps>;

const COLOURED: Theme = {
  plain: {},
  bold: { bold: true },
  dim: { dimColor: true },
  accent: { color: 'cyan' },
  good: { color: 'green' },
  warn: { color: 'yellow' },
  bad: { color: 'red' },
  odd: { color: 'magenta' },
  head: { bold: true, underline: true },
  sorted: { bold: true, underline: true, color: 'cyan' },
  new: { bold: true, color: 'green' },
  changed: { bold: true, color: 'yellow' },
  gone: { color: 'red', dimColor: true, strikethrough: true },
  cursor: { inverse: true },
  caret: { inverse: true },
};

/** NO_COLOR forbids colour, not weight. */
export function themeOf(colour: boolean): Theme {
  if (colour) {
    return COLOURED;
  }
  const bare = Object.entries(COLOURED).map(([tone, { color: _, ...rest }]) => [tone, rest]);
  return Object.fromEntries(bare) as Theme;
}

function Piece({ piece, theme }: { piece: Span; theme: Theme }): ReactNode {
  return <Text {...theme[piece.tone]}>{piece.text}</Text>;
}

function Row({ line, theme }: { line: Line; theme: Theme }): ReactNode {
  if (line.length === 0) {
    return <Text> </Text>;
  }
  return (
    <Text wrap="truncate">
      {line.map((piece, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a piece is its place in the line
        <Piece key={index} piece={piece} theme={theme} />
      ))}
    </Text>
  );
}

/** What can be drawn as lines and takes keys. */
export interface Drawn<Model> {
  model(): Model;
  subscribe(listener: () => void): () => void;
  press(key: string): void;
}

interface ScreenProps<Model> {
  controller: Drawn<Model>;
  lines: (model: Model) => Line[];
  theme: Theme;
}

export function Screen<Model extends { columns: number }>(props: ScreenProps<Model>): ReactNode {
  const { controller, lines, theme } = props;
  const model = useSyncExternalStore(controller.subscribe, controller.model);
  useInput((input, key) => {
    for (const name of keyNames(input, key)) {
      controller.press(name);
    }
  });
  return (
    <Box flexDirection="column" width={model.columns}>
      {lines(model).map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place on the screen
        <Row key={index} line={line} theme={theme} />
      ))}
    </Box>
  );
}
