/** Every protocol we read, each a file of its own. The order decides between equals; the last two take what nobody else wants. */
import type { Decoder } from './decoder.ts';

export const decoders: readonly Decoder[] = [];
