/** A command as its list names it: nothing of it is loaded before it is typed. */
import type { Command } from 'commander';

export interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<{ define: (command: Command) => Command | Promise<Command> }>;
}
