/** Every protocol we read, each a file of its own. The order decides between equals; the last two take what nobody else wants. */
import type { Decoder } from './decoder.ts';

export const decoders: readonly Decoder[] = [];

/** protocol → what its messages' fields are called, for filters and --fields. */
export function vocabulary(all: readonly Decoder[]): ReadonlyMap<string, readonly string[]> {
  const words = new Map<string, string[]>();
  for (const decoder of all) {
    for (const [protocol, fields] of Object.entries(decoder.speaks)) {
      words.set(protocol, [...new Set([...(words.get(protocol) ?? []), ...fields])]);
    }
  }
  return words;
}
