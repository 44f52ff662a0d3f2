/** Tests in a row, each with the place to go on when it holds and when it does not. All jumps go forward. */
import type { Test, Tree } from './filter-tree.ts';

/** Where a filter ends. */
export const ACCEPT = -1;
export const REJECT = -2;

export interface Block {
  test: Test;
  /** The index of a block, ACCEPT or REJECT. */
  yes: number;
  no: number;
}

/** More than this cannot become a program of 4096 instructions. */
const MOST_BLOCKS = 8192;

/** In the order of the text. Null: too many. A constant is no row of tests: it is decided before. */
export function blocksOf(tree: Exclude<Tree, boolean>): Block[] | null {
  const blocks: Block[] = [];
  build(blocks, tree, ACCEPT, REJECT);
  if (blocks.length > MOST_BLOCKS) {
    return null;
  }
  // They were built from the end, so that what a jump goes to was there already.
  const last = blocks.length - 1;
  for (const block of blocks) {
    block.yes = block.yes < 0 ? block.yes : last - block.yes;
    block.no = block.no < 0 ? block.no : last - block.no;
  }
  return blocks.reverse();
}

/** Where to enter the tree, counted from the end. */
function build(blocks: Block[], tree: Tree, yes: number, no: number): number {
  if (typeof tree === 'boolean') {
    return tree ? yes : no;
  }
  switch (tree.kind) {
    case 'test':
      blocks.push({ test: tree, yes, no });
      return blocks.length - 1;
    case 'not':
      return build(blocks, tree.of, no, yes);
    default: {
      const both = tree.kind === 'and';
      let entry = both ? yes : no;
      for (let i = tree.of.length - 1; i >= 0 && blocks.length <= MOST_BLOCKS; i--) {
        entry = both ? build(blocks, tree.of[i]!, entry, no) : build(blocks, tree.of[i]!, yes, entry);
      }
      return entry;
    }
  }
}
